"""Reductions of segments of a dimension: ``dovetail.segment_reduce``."""

from __future__ import annotations

import math
from typing import Any

from ..autograd.node import Tensor
from ..dtypes import bool_
from ..errors import ShapeError, UnsupportedError
from ._guard import public_function
from .create import full_like
from .ranges import arange
from .select import where

__all__ = ["segment_reduce"]

_EMPTY = {"sum": 0.0, "mean": 0.0, "prod": 1.0, "max": -math.inf, "min": math.inf}


@public_function
def segment_reduce(
    data: Tensor, reduce: str, *, lengths: Tensor | None = None, indices: Tensor | None = None, offsets: Tensor | None = None,
    axis: int = 0, unsafe: bool = False, initial: Any = None,
) -> Tensor:  # fmt: skip
    """The sum, mean, product, maximum or minimum of segments of a dimension, which lie one after the other.

    They have `lengths`, or begin at `offsets`, whose last is the end; `initial` takes part in each. Raises a RuntimeError for lengths
    that do not make up the dimension (unless `unsafe`).

    >>> import dovetail as dv
    >>> dv.segment_reduce(dv.tensor([1., 2., 3.]), "sum", lengths=dv.tensor([2, 1]))
    tensor([3., 3.])
    """
    reduce, given = {"amax": "max", "amin": "min"}.get(reduce, reduce), lengths if lengths is not None else offsets
    if reduce not in _EMPTY:
        raise ShapeError("segment_reduce()", f"unsupported reduction given: {reduce}", f"expected one of {', '.join(_EMPTY)}")
    if given is None or indices is not None:
        raise ShapeError("segment_reduce()", "Either lengths or offsets must be defined; indices based reduction is not supported yet.")
    if not data.is_floating_point() or given.is_floating_point() or given.is_complex() or given.dtype is bool_:
        raise UnsupportedError("segment_reduce()", f"not implemented for {data.dtype} with {given.dtype} lengths")
    if axis != given.ndim - 1:
        raise ShapeError("segment_reduce()", f"Expected axis to be the last dimension of lengths but got {axis}.")
    counts, size = given if lengths is not None else given.diff(), data.shape[axis]
    if bool((counts < 0).any()):
        raise ShapeError("segment_reduce()", "lengths contains negative value!")
    if not unsafe and bool((counts.sum(-1) != size).any()):
        raise ShapeError(
            "segment_reduce()", f"Expected all rows of lengths along axis to sum to data.size(lengths.dim()-1), {size}, when !unsafe."
        )
    rest, base = data.shape[axis + 1 :], _EMPTY[reduce] if initial is None else initial
    used = (arange(size, device=data.device) < counts.sum(-1, keepdim=True)).flatten().nonzero()[:, 0]
    rows = data.flatten(0, axis).index_select(0, used)
    segment = arange(counts.numel(), device=data.device).repeat_interleave(counts.flatten())
    out = data.new_full((counts.numel(), *rest), base)
    if reduce in ("sum", "mean"):
        out = out.index_add(0, segment, rows)
    else:
        out = out.index_reduce(0, segment, rows, reduce if reduce == "prod" else f"a{reduce}", include_self=reduce == "prod")
    if reduce == "mean":
        many = counts.reshape(-1, *(1,) * len(rest))
        out = where(many == 0, math.nan if initial is None else initial, out / many.clamp(min=1))
    elif reduce in ("max", "min"):
        out = where(out < base if reduce == "max" else out > base, base, out) if base == base else full_like(out, base)
    return out.reshape(*counts.shape, *rest)
