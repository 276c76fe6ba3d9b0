"""Windows for spectra: one period of a smooth bump."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..autograd.node import Tensor
from ..device import module_for, xp
from ..dtypes import get_default_dtype, to_numpy_dtype
from ..errors import ShapeError, TypeMismatch
from ._refuse import type_name
from .convert import finished, placed
from .create import settled

__all__ = ["hann_window"]
METHODS = ()


def window_of(name: str, length: Any, periodic: bool, rule: Callable[[Any], Any], dtype: Any, options: dict[str, Any]) -> Tensor:
    """The values of a rule for x from 0 to 1, where `periodic` leaves the last one out, since it is the next period's first."""
    if isinstance(length, bool) or not isinstance(length, int):
        what = f"argument 'window_length' (position 1) must be int, not {type(length).__name__}"
        raise TypeMismatch(f"{name}()", what)
    kind = to_numpy_dtype(dtype or get_default_dtype())
    if kind.kind in "iub":
        raise ShapeError(name, f"{name} expects floating point dtypes, got: {type_name(kind)}")
    if length < 0:
        raise ShapeError(name, f"{name} requires non-negative window_length, got window_length={length}")
    where, requires_grad, out = settled(name, **options)
    with placed(where):
        i = module_for(where).arange(length, dtype=np.float64)
        values = rule(i / (length if periodic else length - 1)) if length > 1 else i + 1
        return finished(values.astype(kind), requires_grad, out)


def cosines(*weights: float) -> Callable[[Any], Any]:
    """``Σ_k weights[k] · cos(2πk x)``."""
    return lambda x: sum(w * xp(x).cos(2 * math.pi * k * x) for k, w in enumerate(weights))


def hann_window(window_length: int, periodic: bool = True, *, dtype: Any = None, **options: Any) -> Tensor:
    """``sin²(πx)``, where x counts from 0 to 1.

    Raises a ShapeError (RuntimeError) for a negative length or an integer type.

    >>> import dovetail as dv
    >>> dv.hann_window(4)
    tensor([0.0000, 0.5000, 1.0000, 0.5000])
    """
    return window_of("hann_window", window_length, periodic, cosines(0.5, -0.5), dtype, options)
