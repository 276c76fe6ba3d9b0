"""Helpers of the reductions: which dimensions, the type to compute in, gradients spread back."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dovetail_numerics.sums import widened

from ..dtypes import to_numpy_dtype
from ..errors import ShapeError
from ._dims import dim_of
from .views import reshape

__all__ = ["axes", "count", "summable", "unreduce"]


def axes(dim: Any, ndim: int, where: str) -> tuple[int, ...] | None:
    """The reduced dimensions in rising order; None for all of them."""
    if dim is None:
        return None
    if dim.__class__ is int or not isinstance(dim, tuple | list):
        found: tuple[int, ...] = (dim_of(where, dim, ndim),)
    else:
        found = tuple(sorted(dim_of(where, d, ndim) for d in dim))
        twice = next((d for d in found if found.count(d) > 1), None)
        if twice is not None:
            raise ShapeError(where, f"dim {twice} appears multiple times in the list of dims")
    return found if found and ndim else None


def count(shape: tuple[int, ...], dim: Any, where: str) -> int:
    """The number of elements that one result is made of."""
    found = axes(dim, len(shape), where)
    return math.prod(shape if found is None else [shape[i] for i in found])


def summable(a: Any, dtype: Any) -> tuple[Any, Any]:
    """The array in the type in which sums and products are computed, and the type of the result."""
    out = to_numpy_dtype(dtype) if dtype is not None else a.dtype if a.dtype.kind in "fcV" else np.dtype(np.int64)
    return widened(a.astype(out, copy=False)), out


def unreduce(g: Any, shape: tuple[int, ...], dim: Any, keepdim: bool) -> Any:
    """Give a reduced tensor its dimensions back with length 1, so that it broadcasts against what was reduced."""
    found = None if keepdim else axes(dim, len(shape), "backward")
    if found is None:
        return g
    return reshape(g, tuple(1 if i in found else n for i, n in enumerate(shape)))
