"""The names of reductions as numbers, which losses of one's own ask for: ``F._Reduction.get_enum``, ``nn._reduction``."""

from __future__ import annotations

import sys
import warnings

from dovetail.errors import ValueRangeError

__all__ = ["get_enum", "legacy_get_enum", "legacy_get_string"]

_Reduction = sys.modules[__name__]  # what `nn.functional` calls this module


def get_enum(reduction: str) -> int:
    """0 for "none", 1 for "mean", 2 for "sum". Raises a ValueRangeError (a ValueError) for another.

    >>> get_enum("mean")
    1
    """
    if reduction == "elementwise_mean":
        warnings.warn("reduction='elementwise_mean' is deprecated. Please use reduction='mean' instead.", stacklevel=2)
        reduction = "mean"
    if reduction not in ("none", "mean", "sum"):
        raise ValueRangeError("get_enum", f"{reduction} is not a valid value for reduction", "expected 'none', 'mean' or 'sum'")
    return ("none", "mean", "sum").index(reduction)


def legacy_get_string(size_average: bool | None, reduce: bool | None, emit_warning: bool = True) -> str:
    """The reduction that the flags of old mean.

    >>> legacy_get_string(False, None, emit_warning=False)
    'sum'
    """
    found = "none" if reduce is not None and not reduce else "mean" if size_average is None or size_average else "sum"
    if emit_warning:
        warnings.warn(f"size_average and reduce args will be deprecated, please use reduction='{found}' instead.", stacklevel=2)
    return found


def legacy_get_enum(size_average: bool | None, reduce: bool | None, emit_warning: bool = True) -> int:
    """The number of :func:`legacy_get_string`."""
    return get_enum(legacy_get_string(size_average, reduce, emit_warning))
