"""Writing elements by index tensors and masks; in place these touch only what they write."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..autograd.node import Tensor
from ..device import xp
from ..dtypes import int64
from ..errors import DtypeError, RangeError, ShapeError, TypeMismatch, UnsupportedError
from ._arrays import broadcast, same_type, scatter_at
from ._arrays import scatter_add as add_at
from ._op import Array, Fixed, op
from ._refuse import fits, tensors
from ._stored import storing
from .arithmetic import mul
from .gather import OutOfBounds, along, check_bounds, flat_index, gather, grid, index_select, take, vector
from .index import getitem, getitem_grad, slices
from .inplace import inplace
from .views import broadcast_to, reshape

__all__ = ["index_add", "index_copy", "index_fill", "index_reduce", "masked_scatter", "put", "scatter", "scatter_add", "scatter_reduce"]
INPLACE = ("index_add", "index_copy", "index_fill", "index_reduce", "masked_scatter", "put", "scatter", "scatter_add", "scatter_reduce")


def _target(where: str, a: Any, dim: int, index: Any, src: Any) -> tuple[Any, Any, Any]:
    """Check the arguments; the array to write to, the index into it, and the part of `src` that goes there."""
    if src is None:
        raise TypeMismatch(f"{where}()", "missing argument 'src' or 'value'")
    same_type(f"{where}()", "Expected self.dtype to be equal to src.dtype (self {}, src {}); convert src with .to(dtype)", a, src)
    d = along(where, a, dim, index, src if getattr(src, "ndim", 0) or not index.ndim else None)
    if not a.ndim or not index.ndim or not index.size:
        return a.reshape(-1), (index.reshape(-1),), src.reshape(-1)[: index.size] if hasattr(src, "ndim") else src
    if getattr(src, "ndim", 0):
        src = src[tuple(slice(n) for n in index.shape)]
    return a, grid(xp(a), d, index), src


def _padded(found: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The gradient of a `src` that was larger than the index."""
    have = found._a.shape
    return found if have == shape else getitem_grad(found, shape, tuple(slice(n) for n in have))


@storing()
def scatter(input: Array, dim: int, index: Fixed, src: Array = None, value: Any = None, reduce: Any = None) -> Array:
    """A copy with elements of ``src`` (or a number) written along a dimension: ``out[i, index[i, j]] = src[i, j]`` for dim 1.

    ``reduce="add"`` or ``"multiply"`` combines with what was there. Raises a RuntimeError for an index outside or another type.

    >>> import dovetail as dv
    >>> dv.scatter(dv.zeros(2, 2), 1, dv.tensor([[1], [0]]), 5.)
    tensor([[0., 5.],
            [5., 0.]])
    """
    target, at, src = _target("scatter", input, dim, index, value if src is None else src)
    if reduce not in (None, "add", "multiply"):
        raise ShapeError("scatter()", "reduce argument must be either add or multiply.", f"got {reduce!r}")
    if input.dtype.kind in "iu" and not hasattr(src, "dtype"):
        src = fits("scatter", src, input.dtype)  # a number of the tensor's type, before it is combined
    if reduce is None:
        target[at] = src
    else:
        scatter_at(reduce, target, at, src)


@scatter.vjp
def _(g: Any, needs: Any, dim: Any, index: Any, src_shape: Any, reduce: Any) -> Any:
    if reduce == "multiply":
        raise UnsupportedError("scatter", "the derivative for 'scatter with reduce=multiply' is not implemented", "", "use scatter_reduce")
    past = None if not needs[0] else g.clone() if reduce else scatter(g, dim, index, 0)
    return past, (_padded(gather(g, dim, index), src_shape) if needs[1] else None)


@storing()
def scatter_add(input: Array, dim: int, index: Fixed, src: Array) -> Array:
    """A copy with ``src`` added along a dimension: ``out[i, index[i, j]] += src[i, j]`` for dim 1.

    Raises a RuntimeError for an index outside or another type.

    >>> import dovetail as dv
    >>> dv.scatter_add(dv.zeros(1, 2), 1, dv.tensor([[1, 1]]), dv.ones(1, 2))
    tensor([[0., 2.]])
    """
    add_at(*_target("scatter_add", input, dim, index, src))


scatter_add.vjp(lambda g: g, lambda g, dim, index, src_shape: _padded(gather(g, dim, index), src_shape))


@storing()
def scatter_reduce(input: Array, dim: int, index: Fixed, src: Array, reduce: str, include_self: bool = True) -> Array:
    """Reduce all elements of ``src`` that go to one place, with what was there (``include_self``) or without it.

    ``reduce`` is ``"sum"``, ``"prod"``, ``"mean"``, ``"amax"`` or ``"amin"``. Raises a RuntimeError for an index outside.

    >>> import dovetail as dv
    >>> x, index, src = dv.zeros(2), dv.tensor([0, 0, 1]), dv.tensor([1., 3., 2.])
    >>> dv.scatter_reduce(x, 0, index, src, "mean", include_self=False)
    tensor([2., 2.])
    """
    how = {"sum": "add", "mean": "add", "prod": "multiply", "amax": "maximum", "amin": "minimum"}.get(reduce)
    if how is None:
        raise ShapeError("scatter_reduce()", f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}.")
    target, at, src = _target("scatter_reduce", input, dim, index, src)
    if not include_self:
        target[at] = src if reduce in ("amax", "amin") else int(reduce == "prod")
    scatter_at(how, target, at, src)
    if reduce == "mean":
        count = xp(input).full(target.shape, int(include_self), np.int64)
        add_at(count, at, 1)
        divide = xp(input).floor_divide if input.dtype.kind in "iu" else xp(input).divide
        divide(target, xp(input).maximum(count, 1).astype(input.dtype), out=target)


@scatter_reduce.vjp
def _(g: Any, needs: Any, input: Any, dim: Any, index: Any, src: Any, reduce: Any, include_self: Any, out: Any, src_shape: Any) -> Any:
    if src._a.shape != index._a.shape:
        src = src[tuple(slice(n) for n in index._a.shape)]
    own, other = (_prod_grad if reduce == "prod" else _shared_grad)(g, input, dim, index, src, reduce, include_self, out)
    if not include_self:
        own = scatter(own, dim, index, 0)
    return (own if needs[0] else None), (_padded(other, src_shape) if needs[1] else None)


def _shared_grad(g: Any, input: Any, dim: Any, index: Any, src: Any, reduce: Any, include_self: Any, out: Any) -> Any:
    """Of sums and means all elements have a share in the gradient, of extremes those that are equal to the result."""
    if reduce == "sum":
        return g, gather(g, dim, index)
    if reduce == "mean":
        own, other = g.new_ones(g.shape), g.new_ones(index.shape)
    else:
        own, other = (input == out).to(g.dtype), (src == gather(out, dim, index)).to(g.dtype)
    # as in PyTorch, an extreme counts what was there in any case
    count = scatter_add(own if include_self or reduce != "mean" else scatter(own, dim, index, 0), dim, index, other)
    share = g / (count + (count == 0).to(g.dtype))
    return own * share, other * gather(share, dim, index)


def _prod_grad(g: Any, input: Any, dim: Any, index: Any, src: Any, reduce: Any, include_self: Any, out: Any) -> Any:
    start = input if include_self else scatter(input, dim, index, 1)
    others = scatter_reduce(g.new_ones(g.shape), dim, index, src, "prod")  # what multiplies the element that was there
    zero = (src == 0).to(src.dtype)
    count = gather(scatter_add(g.new_zeros(g.shape), dim, index, zero), dim, index)
    filled = src + zero
    rest = gather(scatter_reduce(start, dim, index, filled, "prod"), dim, index) / filled
    alone = (count == zero).to(src.dtype)  # no zero among the others
    return g * others, gather(g, dim, index) * rest * alone


def _slices_of(where: str, a: Any, dim: int, index: Any, source: Any) -> tuple[Any, Any, Any]:
    """Check the arguments; the array to write to, the index of its slices, and what goes there."""
    d = vector(where, a, dim, index)
    same_type(f"{where}()", "self ({}) and source ({}) must have the same scalar type", a, source)
    count = source.shape[d] if source.ndim else 1
    if index.size != count:
        kind = RangeError if where == "index_copy_" else ShapeError
        raise kind(f"{where}()", f"Number of indices ({index.size}) should be equal to source.size(dim): ({count}), for dim: {dim}")
    if a.shape[:d] + a.shape[d + 1 :] != source.shape[:d] + source.shape[d + 1 :]:
        text = f"Source/destination tensor must have same slice shapes. Destination slice shape: {list(a.shape)} at dimension {d}"
        raise ShapeError(f"{where}()", f"{text} and source slice shape: {list(source.shape)} at dimension {d}.")
    if where == "index_add_" and a.ndim != source.ndim:
        raise ShapeError("index_add_()", f"source tensor shape must match self tensor shape, got {list(a.shape)} and {list(source.shape)}")
    check_bounds(where, index, d, a.shape[d] if a.ndim else 1)
    return a if a.ndim else a.reshape(1), slices(d, index.reshape(-1)), source if a.ndim else source.reshape(-1)


@storing()
def index_add(input: Array, dim: int, index: Fixed, source: Array, alpha: Any = 1) -> Array:
    """A copy with the slices of ``source`` times ``alpha`` added at a vector of indices: ``out[:, index] += source`` for dim 1.

    Raises a RangeError (IndexError) for an index outside, a RuntimeError for another type or number of slices.

    >>> import dovetail as dv
    >>> dv.index_add(dv.zeros(3), 0, dv.tensor([0, 0]), dv.ones(2))
    tensor([2., 0., 0.])
    """
    target, at, source = _slices_of("index_add_", input, dim, index, source)
    alpha = fits("index_add_", alpha, input.dtype)
    add_at(target, at, source if alpha == 1 else (source * alpha).astype(input.dtype, copy=False))


index_add.vjp(0)(lambda g: g)


@index_add.vjp(1)
def _(g: Any, dim: Any, index: Any, source_shape: Any, alpha: Any) -> Any:
    return reshape(index_select(g if alpha == 1 else mul(g, alpha), dim, index), source_shape)


_scatter_reduce_ = inplace(scatter_reduce)


def _reduced(change: Any, input: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, include_self: bool) -> Tensor:
    """The same by :func:`scatter_reduce`, whose index has the shape of the source."""
    tensors("index_reduce", input=input, index=index, source=source)
    if reduce not in ("prod", "mean", "amax", "amin"):
        raise ShapeError("index_reduce()", f"Expected reduce to be one of prod, mean, amax or amin but got {reduce}.")
    _slices_of("index_reduce_", input._a, dim, index._a, source._a)
    lengthwise = [-1 if i == dim % source._a.ndim else 1 for i in range(source._a.ndim)]
    everywhere = broadcast_to(reshape(index, lengthwise), source._a.shape).to(int64)
    return change(input, dim, everywhere, source, reduce, include_self)


def index_reduce(input: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, *, include_self: bool = True) -> Tensor:
    """A copy with the slices of ``source`` reduced into those at a vector of indices; ``reduce`` is "prod", "mean", "amax" or "amin".

    Raises a RangeError (IndexError) for an index outside, a RuntimeError for another type or number of slices.

    >>> import dovetail as dv
    >>> dv.index_reduce(dv.ones(3), 0, dv.tensor([0, 0]), dv.tensor([2., 3.]), "prod")
    tensor([6., 1., 1.])
    """
    return _reduced(scatter_reduce, input, dim, index, source, reduce, include_self)


def index_reduce_(input: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, *, include_self: bool = True) -> Tensor:
    """In-place form of :func:`index_reduce`."""
    return _reduced(_scatter_reduce_, input, dim, index, source, reduce, include_self)


@storing()
def index_copy(input: Array, dim: int, index: Fixed, source: Array) -> Array:
    """A copy with the slices of ``source`` written at a vector of indices: ``out[:, index] = source`` for dim 1.

    Raises a RangeError (IndexError) for an index outside, a RuntimeError for another type or number of slices.

    >>> import dovetail as dv
    >>> dv.index_copy(dv.zeros(3), 0, dv.tensor([2]), dv.ones(1))
    tensor([0., 0., 1.])
    """
    target, at, source = _slices_of("index_copy_", input, dim, index, source)
    target[at] = source


index_copy.vjp(0)(lambda g, dim, index: index_fill(g, dim, index, 0))
index_copy.vjp(1)(lambda g, dim, index, source_shape: reshape(index_select(g, dim, index), source_shape))


@storing(preserve=True)
def index_fill(input: Array, dim: int, index: Fixed, value: Array) -> Array:
    """A copy with a number (or 0-d tensor) in the slices at a vector of indices: ``out[:, index] = value`` for dim 1.

    Raises a RangeError (IndexError) for an index outside.

    >>> import dovetail as dv
    >>> dv.index_fill(dv.zeros(3), 0, dv.tensor([2, 0]), 7)
    tensor([7., 0., 7.])
    """
    if getattr(value, "ndim", 0):
        raise ShapeError("index_fill_", f"only supports a 0-dimensional value tensor, but got tensor with {value.ndim} dimension(s).")
    if getattr(value, "dtype", input.dtype).kind == "c" != input.dtype.kind:
        raise DtypeError("index_fill_", "Converting complex Scalar to non-complex type is not supported", f"the tensor is {input.dtype}")
    d = vector("index_fill_", input, dim, index)
    target = input if input.ndim else input.reshape(1)
    n = target.shape[d]
    if index.__class__ is np.ndarray and index.size and not -n <= index.min() <= index.max() < n:
        raise OutOfBounds("index_fill_()", f"index out of range for dimension {d} with size {n}")
    target[slices(d, index.reshape(-1))] = value if hasattr(value, "dtype") else fits("index_fill_", value, input.dtype)


index_fill.vjp(0)(lambda g, dim, index: index_fill(g, dim, index, 0))
index_fill.vjp(1)(
    lambda g, dim, index: getitem(g, slices(dim % g._a.ndim, reshape(index, (-1,)).unique())).sum() if g._a.ndim else g.clone()
)


@storing(preserve=True)
def put(input: Array, index: Fixed, source: Array, accumulate: bool = False) -> Array:
    """A copy with elements written (or added, with ``accumulate``) at their place in the flattened tensor.

    Raises a RangeError (IndexError) for an index outside.

    >>> import dovetail as dv
    >>> dv.put(dv.zeros(2, 2), dv.tensor([0, -1]), dv.tensor([1., 2.]))
    tensor([[1., 0.],
            [0., 2.]])
    """
    text = "self and source expected to have the same dtype, but got self.dtype = {} and source.dtype = {}"
    same_type("put_()", text, input, source)
    if source.size != index.size:
        text = f"Expected source and index to have the same number of elements, but got source.numel() = {source.size}"
        raise RangeError("put_()", f"{text}, index.numel() = {index.size}")
    at = flat_index("put_", input.size, index).reshape(-1)
    target, where = (input.reshape(-1), (at,)) if input.flags.c_contiguous else (input, xp(input).unravel_index(at, input.shape))
    if accumulate:
        add_at(target, where, source.reshape(-1))
    else:
        target[where] = source.reshape(-1)


put.vjp(0)(lambda g, index, accumulate: g if accumulate else put(g, index, g.new_zeros(index.shape)))
put.vjp(1)(lambda g, index, source_shape: reshape(take(g, index), source_shape))


@op(dtypes=None)
def masked_scatter(input: Array, mask: Fixed, source: Array) -> Array:
    """A copy with the elements of ``source``, one after the other, where the mask is true.

    Raises a ShapeError (RuntimeError) for too few elements.

    >>> import dovetail as dv
    >>> dv.masked_scatter(dv.zeros(3), dv.tensor([True, False, True]), dv.tensor([1., 2.]))
    tensor([1., 0., 2.])
    """
    out = broadcast(input, np.broadcast_shapes(input.shape, mask.shape)).copy()
    _fill_masked(out, mask, source)
    return out


def _fill_masked(a: Any, mask: Any, source: Any) -> None:
    if mask.dtype.kind != "b":
        raise DtypeError("masked_scatter_", f"only supports boolean masks, but got mask with dtype {mask.dtype.name}")
    same_type("masked_scatter_", "expected self and source to have same dtypes but got {} and {}", a, source)
    mask = xp(a).broadcast_to(mask, a.shape)
    count = int(xp(a).count_nonzero(mask))
    if source.size < count:
        raise ShapeError("masked_scatter", "Number of elements of source < number of ones in mask", f"{source.size} < {count}")
    a[mask] = source.reshape(-1)[:count]


def _masked_head(g: Tensor, mask: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The masked elements, followed by zeros, in a shape."""
    return reshape(_padded(getitem(g, broadcast_to(mask, g._a.shape)), (prod(shape),)), shape)


masked_scatter.op.store = _fill_masked
masked_scatter.vjp(0)(lambda g, mask: masked_scatter(g, mask, g.new_zeros((g._a.size,))))
masked_scatter.vjp(1)(lambda g, mask, source_shape: _masked_head(g, mask, source_shape))
