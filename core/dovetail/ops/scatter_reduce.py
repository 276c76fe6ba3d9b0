"""scatter_reduce: sums, products, means and extremes of what index tensors send to the same place."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..device import xp
from ..errors import ShapeError, UnsupportedError
from ._arrays import scatter_add as add_at
from ._op import Array, Fixed, op
from ._stored import stored, stores
from .gather import gather
from .scatter import _checked, _multiply_at, _padded, _paired, scatter, scatter_add

__all__ = ["scatter_reduce"]
INPLACE = ("scatter_reduce",)

_KINDS = ("sum", "prod", "mean", "amax", "amin")


@op(dtypes=None)
def scatter_reduce(input: Array, dim: int, index: Fixed, src: Array, reduce: str, include_self: bool = True) -> Array:
    """Reduce all elements of ``src`` that go to one place, with what was there (``include_self``) or without it.

    ``reduce`` is ``"sum"``, ``"prod"``, ``"mean"``, ``"amax"`` or ``"amin"``. Raises a RuntimeError for an index outside.

    >>> import dovetail as dv
    >>> x, index, src = dv.zeros(2), dv.tensor([0, 0, 1]), dv.tensor([1., 3., 2.])
    >>> dv.scatter_reduce(x, 0, index, src, "mean", include_self=False)
    tensor([2., 2.])
    """
    return stored(scatter_reduce, input, dim, index, src, reduce, include_self)


@stores(scatter_reduce)
def _(a: Any, dim: int, index: Any, src: Any, reduce: str, include_self: bool) -> None:
    if reduce not in _KINDS:
        raise ShapeError("scatter_reduce()", f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}.")
    d = _checked("scatter_reduce", a, dim, index, src)
    if not index.size:
        return
    flat, at, src = _paired(a, d, index, src)
    if not include_self:
        flat[at] = {"prod": 1, "amax": _limit(a.dtype, 0), "amin": _limit(a.dtype, 1)}.get(reduce, 0)
    if reduce in ("sum", "mean"):
        add_at(flat, at, src)
        if reduce == "mean":
            _divide(flat, at, index, include_self)
    elif reduce == "prod":
        _multiply_at(flat, at, src)
    else:
        _extreme_at(flat, at, src, reduce)


def _limit(kind: Any, high: int) -> Any:
    if kind.kind == "b":
        return bool(high)
    if kind.kind in "iu":
        return int((np.iinfo(kind).min, np.iinfo(kind).max)[high])
    return (-np.inf, np.inf)[high]


def _divide(flat: Any, at: Any, index: Any, include_self: bool) -> None:
    module = xp(flat)
    count = module.full(flat.shape, int(include_self), np.int64)
    add_at(count, at, module.ones(index.reshape(-1).shape if flat.ndim == 1 else index.shape, np.int64))
    count = module.maximum(count, 1)
    if flat.dtype.kind in "iu":
        flat //= count.astype(flat.dtype)
    else:
        flat /= count.astype(flat.dtype)


def _extreme_at(a: Any, at: Any, src: Any, reduce: str) -> None:
    if a.__class__ is np.ndarray:
        (np.maximum if reduce == "amax" else np.minimum).at(a, at, src)
        return
    import cupyx

    if a.dtype.itemsize < 4:
        raise UnsupportedError("scatter_reduce", f"{reduce} of {a.dtype.name} is not there on a GPU", "", "convert with .float()")
    (cupyx.scatter_max if reduce == "amax" else cupyx.scatter_min)(a, at, src)


@scatter_reduce.vjp
def _(g: Any, needs: Any, input: Any, dim: Any, index: Any, src: Any, reduce: Any, include_self: Any, out: Any, src_shape: Any) -> Any:
    if src._a.shape != index._a.shape:
        src = src[tuple(slice(n) for n in index._a.shape)]
    own, other = _RULES[reduce](g, input, dim, index, src, include_self, out)
    if not include_self:
        own = scatter(own, dim, index, 0)
    return (own if needs[0] else None), (_padded(other, src_shape) if needs[1] else None)


def _sum(g: Any, input: Any, dim: Any, index: Any, src: Any, include_self: Any, out: Any) -> Any:
    return g, gather(g, dim, index)


def _mean(g: Any, input: Any, dim: Any, index: Any, src: Any, include_self: Any, out: Any) -> Any:
    start = g.new_ones(g.shape) if include_self else g.new_zeros(g.shape)
    count = scatter_add(start, dim, index, g.new_ones(index.shape))
    share = g / (count + (count == 0).to(count.dtype))
    return share, gather(share, dim, index)


def _prod(g: Any, input: Any, dim: Any, index: Any, src: Any, include_self: Any, out: Any) -> Any:
    start = input if include_self else scatter(input, dim, index, 1)
    others = scatter_reduce(g.new_ones(g.shape), dim, index, src, "prod", True)  # what multiplies the element that was there
    zero = (src == 0).to(src.dtype)
    count = gather(scatter_add(g.new_zeros(g.shape), dim, index, zero), dim, index)
    filled = src + zero
    rest = gather(scatter_reduce(start, dim, index, filled, "prod", True), dim, index) / filled
    alone = (count == zero).to(src.dtype)  # no zero among the others
    return g * others, gather(g, dim, index) * rest * alone


def _extreme(g: Any, input: Any, dim: Any, index: Any, src: Any, include_self: Any, out: Any) -> Any:
    own = (input == out).to(g.dtype)
    if not include_self:
        own = scatter(own, dim, index, 0)
    other = (src == gather(out, dim, index)).to(g.dtype)
    count = scatter_add(own, dim, index, other)
    share = g / (count + (count == 0).to(g.dtype))
    return (own * share if include_self else g), other * gather(share, dim, index)


_RULES = {"sum": _sum, "mean": _mean, "prod": _prod, "amax": _extreme, "amin": _extreme}
