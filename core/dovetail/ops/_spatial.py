"""What ops over one, two or three spatial dimensions share: arguments for each of them, single samples, names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from dovetail_numerics.windows import Sizes

from ..errors import ShapeError, TypeMismatch

__all__ = ["named", "over_batch", "spread"]


def spread(where: str, name: str, value: Any, n: int) -> Sizes:
    """An int for every spatial dimension, or one for each; a RuntimeError for another count.

    >>> spread("conv2d", "stride", 2, 2), spread("conv2d", "stride", [1, 3], 2)
    ((2, 2), (1, 3))
    """
    if isinstance(value, int | np.integer):
        return (int(value),) * n
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise TypeMismatch(f"{where}()", f"argument {name!r} must be tuple of ints, not {type(value).__name__}")
    if len(value) == 1:
        return (_whole(where, name, value[0]),) * n
    if len(value) != n:
        raise ShapeError(where, f"{name} must be a single int or a tuple of {n} ints, got {tuple(value)}")
    return tuple(_whole(where, name, v) for v in value)


def _whole(where: str, name: str, value: Any) -> int:
    if isinstance(value, float):
        raise TypeMismatch(f"{where}()", f"argument {name!r} must be tuple of ints, but found element of type float")
    return int(value)


def over_batch(n: int, run: Callable[..., Any], *tensors: Any) -> Any:
    """Run a function of (N, C, *size) with n spatial dimensions; a single sample (C, *size) goes as a batch of one."""
    if tensors[0]._a.ndim == n + 2:
        return run(*tensors)
    out = run(*(t.unsqueeze(0) for t in tensors))
    return tuple(o.squeeze(0) for o in out) if out.__class__ is tuple else out.squeeze(0)


def named(function: Any, name: str, n: int) -> Any:
    """Give a function made for n spatial dimensions its public name, and fill n and its shapes into its docstring."""
    size = ", ".join("DHW"[3 - n :] if n > 1 else "L")
    function.__name__ = function.__qualname__ = name
    for mark, text in (("{n}", str(n)), ("{size}", size), ("{out}", size.replace(",", "',") + "'")):
        function.__doc__ = function.__doc__.replace(mark, text)
    return function
