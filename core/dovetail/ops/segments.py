"""Reductions of segments of a dimension."""

from __future__ import annotations

import math
from math import prod
from typing import Any

from ..autograd.node import Tensor, wrap
from ..errors import ShapeError
from ._op import xp
from ._refuse import NotForType, type_name
from .gather import index_select
from .scatter import index_add, index_reduce
from .select import where as choose
from .views import reshape

__all__ = ["segment_reduce"]

_EMPTY = {"sum": 0.0, "mean": 0.0, "prod": 1.0, "max": -math.inf, "min": math.inf}


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
    if data._a.dtype.kind not in "fV" or given._a.dtype.kind not in "iu":
        raise NotForType("segment_reduce()", f"not implemented for {type_name(data._a.dtype)} with {type_name(given._a.dtype)} lengths")
    if axis != given._a.ndim - 1:
        raise ShapeError("segment_reduce()", f"Expected axis to be the last dimension of lengths but got {axis}.")
    counts, size, m = given._a if lengths is not None else given._a[..., 1:] - given._a[..., :-1], data._a.shape[axis], xp(data._a)
    if bool((counts < 0).any()):
        raise ShapeError("segment_reduce()", "lengths contains negative value!")
    if not unsafe and bool((counts.sum(axis=-1) != size).any()):
        raise ShapeError(
            "segment_reduce()", f"Expected all rows of lengths along axis to sum to data.size(lengths.dim()-1), {size}, when !unsafe."
        )
    rest, base = data._a.shape[axis + 1 :], _EMPTY[reduce] if initial is None else initial
    used = (m.arange(size) < counts.sum(axis=-1)[..., None]).reshape(-1).nonzero()[0]
    rows = index_select(reshape(data, (prod(data._a.shape[: axis + 1]), *rest)), 0, wrap(used))
    segment = wrap(m.repeat(m.arange(counts.size), counts.reshape(-1)))
    out = data.new_full((counts.size, *rest), base)
    if reduce in ("sum", "mean"):
        out = index_add(out, 0, segment, rows)
    else:
        out = index_reduce(out, 0, segment, rows, reduce if reduce == "prod" else f"a{reduce}", include_self=reduce == "prod")
    if reduce == "mean":
        many = wrap(counts.reshape((-1,) + (1,) * len(rest)))
        out = choose(many == 0, math.nan if initial is None else initial, out / many.clamp(min=1))
    elif reduce != "prod":
        out = choose(out < base, base, out) if reduce == "max" else choose(out > base, base, out) if reduce == "min" else out
    return reshape(out, (*counts.shape, *rest))
