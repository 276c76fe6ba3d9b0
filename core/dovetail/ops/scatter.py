"""Writing elements by index tensors and masks; in place these touch only what they write."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..autograd.node import Tensor
from ..device import xp
from ..errors import DtypeError, RangeError, ShapeError, UnsupportedError
from ._arrays import broadcast, check_index, places
from ._arrays import scatter_add as add_at
from ._dims import dim_of
from ._op import Array, Fixed, op
from ._refuse import type_name
from ._stored import stored, stores
from .gather import OutOfBounds, along, flat_index, gather, grid, index_select, take, vector
from .index import getitem, getitem_grad

__all__ = ["index_add", "index_copy", "index_fill", "masked_scatter", "put", "scatter", "scatter_add"]
INPLACE = ("index_add", "index_copy", "index_fill", "masked_scatter", "put", "scatter", "scatter_add")


@op(dtypes=None)
def scatter(input: Array, dim: int, index: Fixed, src: Array = None, value: Any = None, reduce: Any = None) -> Array:
    """A copy with elements of ``src`` (or a number) written along a dimension: ``out[i, index[i, j]] = src[i, j]`` for dim 1.

    ``reduce="add"`` or ``"multiply"`` combines with what was there. Raises a RuntimeError for an index outside or another type.

    >>> import dovetail as dv
    >>> dv.scatter(dv.zeros(2, 2), 1, dv.tensor([[1], [0]]), 5.)
    tensor([[0., 5.],
            [5., 0.]])
    """
    return stored(scatter, input, dim, index, src, value, reduce)


@stores(scatter)
def _(a: Any, dim: int, index: Any, src: Any, value: Any, reduce: Any) -> None:
    src = value if src is None else src
    d = _checked("scatter", a, dim, index, src)
    if reduce not in (None, "add", "multiply"):
        raise ShapeError("scatter()", "reduce argument must be either add or multiply.", f"got {reduce!r}")
    if not index.size:
        return
    if a.dtype.kind in "iu" and not hasattr(src, "dtype"):
        src = int(src)  # a number of the tensor's type, before it is combined
    flat, at, src = _paired(a, d, index, src)
    if reduce is None:
        flat[at] = src
    elif reduce == "add":
        add_at(flat, at, src)
    else:
        _multiply_at(flat, at, src)


def _checked(where: str, a: Any, dim: int, index: Any, src: Any) -> int:
    if src is None:
        raise ShapeError(f"{where}()", "missing argument 'src' or 'value'")
    if hasattr(src, "dtype") and src.dtype != a.dtype:
        text = f"Expected self.dtype to be equal to src.dtype (self {type_name(a.dtype)}, src {type_name(src.dtype)})"
        raise DtypeError(f"{where}()", text, "", "convert src with .to(dtype)")
    return along(where, a, dim, index, src if getattr(src, "ndim", 0) or not index.ndim else None)


def _paired(a: Any, d: int, index: Any, src: Any) -> tuple[Any, Any, Any]:
    """The array, the index into it, and the part of `src` that goes there."""
    if not a.ndim or not index.ndim:
        return a.reshape(-1), (index.reshape(-1),), src.reshape(-1)[: index.size] if hasattr(src, "ndim") else src
    if getattr(src, "ndim", 0):
        src = src[tuple(slice(n) for n in index.shape)]
    return a, grid(xp(a), d, index), src


def _multiply_at(a: Any, at: Any, values: Any) -> None:
    if a.__class__ is np.ndarray:
        np.multiply.at(a, at, values)
        return
    module = xp(a)  # CUDA has no atomic product: the first element of each place, then the second, and so on
    flat = places(a.shape, at).reshape(-1)
    order = flat.argsort()
    flat = flat[order]
    turn = module.arange(flat.size) - module.searchsorted(flat, flat)
    values = module.broadcast_to(module.asarray(values, a.dtype), at[-1].shape).reshape(-1)[order]
    for k in range(int(turn.max().item()) + 1):
        now = turn == k
        place = module.unravel_index(flat[now], a.shape)
        a[place] = a[place] * values[now]


def _padded(found: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The gradient of a `src` that was larger than the index."""
    have = found._a.shape
    return found if have == shape else getitem_grad(found, shape, tuple(slice(n) for n in have))


@scatter.vjp
def _(g: Any, needs: Any, dim: Any, index: Any, src_shape: Any, reduce: Any) -> Any:
    if reduce == "multiply":
        text = "the derivative for 'scatter with reduce=multiply' is not implemented"
        raise UnsupportedError("scatter", text, "", "use scatter_reduce")
    past = None if not needs[0] else g.clone() if reduce else scatter(g, dim, index, 0)
    return past, (_padded(gather(g, dim, index), src_shape) if needs[1] else None)


@op(dtypes=None)
def scatter_add(input: Array, dim: int, index: Fixed, src: Array) -> Array:
    """A copy with ``src`` added along a dimension: ``out[i, index[i, j]] += src[i, j]`` for dim 1.

    Raises a RuntimeError for an index outside or another type.

    >>> import dovetail as dv
    >>> dv.scatter_add(dv.zeros(1, 2), 1, dv.tensor([[1, 1]]), dv.ones(1, 2))
    tensor([[0., 2.]])
    """
    return stored(scatter_add, input, dim, index, src)


@stores(scatter_add)
def _(a: Any, dim: int, index: Any, src: Any) -> None:
    d = _checked("scatter_add", a, dim, index, src)
    if index.size:
        flat, at, src = _paired(a, d, index, src)
        add_at(flat, at, src)


@scatter_add.vjp
def _(g: Any, needs: Any, dim: Any, index: Any, src_shape: Any) -> Any:
    return (g if needs[0] else None), (_padded(gather(g, dim, index), src_shape) if needs[1] else None)


def slices(dim: int, index: Any) -> tuple[Any, ...]:
    """The index of one dimension."""
    return (slice(None),) * dim + (index,)


@op(dtypes=None)
def index_add(input: Array, dim: int, index: Fixed, source: Array, alpha: Any = 1) -> Array:
    """A copy with the slices of ``source`` times ``alpha`` added at a vector of indices: ``out[:, index] += source`` for dim 1.

    Raises a RangeError (IndexError) for an index outside, a RuntimeError for another type or number of slices.

    >>> import dovetail as dv
    >>> dv.index_add(dv.zeros(3), 0, dv.tensor([0, 0]), dv.ones(2))
    tensor([2., 0., 0.])
    """
    return stored(index_add, input, dim, index, source, alpha)


@stores(index_add)
def _(a: Any, dim: int, index: Any, source: Any, alpha: Any) -> None:
    d = _vectored("index_add_", a, dim, index, source)
    if alpha != 1:
        source = (source * alpha).astype(a.dtype, copy=False)
    add_at(a.reshape(-1) if not a.ndim else a, slices(d, index.reshape(-1)), source if a.ndim else source.reshape(-1))


def _vectored(where: str, a: Any, dim: int, index: Any, source: Any) -> int:
    d = vector(where, a, dim, index)
    if source.dtype != a.dtype:
        text = f"self ({type_name(a.dtype)}) and source ({type_name(source.dtype)}) must have the same scalar type"
        raise DtypeError(f"{where}()", text)
    count = source.shape[d] if source.ndim else 1
    if index.size != count:
        text = f"Number of indices ({index.size}) should be equal to source.size(dim): ({count}), for dim: {dim}"
        raise ShapeError(f"{where}()", text)
    if a.shape[:d] + a.shape[d + 1 :] != source.shape[:d] + source.shape[d + 1 :]:
        text = f"Source/destination tensor must have same slice shapes. Destination slice shape: {list(a.shape)} at dimension {d}"
        raise ShapeError(f"{where}()", f"{text} and source slice shape: {list(source.shape)} at dimension {d}.")
    if not check_index(index, a.shape[d] if a.ndim else 1):
        bad = index[(index < 0) | (index >= (a.shape[d] if a.ndim else 1))].flat[0]
        raise OutOfBounds(f"{where}()", f"index {bad} is out of bounds for dimension {d} with size {a.shape[d] if a.ndim else 1}")
    return d


@index_add.vjp
def _(g: Any, needs: Any, dim: Any, index: Any, source_shape: Any, alpha: Any) -> Any:
    if not needs[1]:
        return g, None
    found = index_select(g, dim, index)
    found = found if found._a.shape == source_shape else found.reshape(source_shape)
    return (g if needs[0] else None), (found if alpha == 1 else found * alpha)


@op(dtypes=None)
def index_copy(input: Array, dim: int, index: Fixed, source: Array) -> Array:
    """A copy with the slices of ``source`` written at a vector of indices: ``out[:, index] = source`` for dim 1.

    Raises a RangeError (IndexError) for an index outside, a RuntimeError for another type or number of slices.

    >>> import dovetail as dv
    >>> dv.index_copy(dv.zeros(3), 0, dv.tensor([2]), dv.ones(1))
    tensor([0., 0., 1.])
    """
    return stored(index_copy, input, dim, index, source)


@stores(index_copy)
def _(a: Any, dim: int, index: Any, source: Any) -> None:
    d = _vectored("index_copy_", a, dim, index, source)
    if a.ndim:
        a[slices(d, index.reshape(-1))] = source if source.ndim else source.reshape(1)
    else:
        a[...] = source.reshape(-1)[-1]


@index_copy.vjp
def _(g: Any, needs: Any, dim: Any, index: Any, source_shape: Any) -> Any:
    found = index_select(g, dim, index) if needs[1] else None
    if found is not None and found._a.shape != source_shape:
        found = found.reshape(source_shape)
    return (index_fill(g, dim, index, 0) if needs[0] else None), found


@op(dtypes=None)
def index_fill(input: Array, dim: int, index: Fixed, value: Array) -> Array:
    """A copy with a number (or 0-d tensor) in the slices at a vector of indices: ``out[:, index] = value`` for dim 1.

    Raises a RangeError (IndexError) for an index outside.

    >>> import dovetail as dv
    >>> dv.index_fill(dv.zeros(3), 0, dv.tensor([2, 0]), 7)
    tensor([7., 0., 7.])
    """
    return stored(index_fill, input, dim, index, value)


@stores(index_fill)
def _(a: Any, dim: int, index: Any, value: Any) -> None:
    if getattr(value, "ndim", 0):
        text = f"only supports a 0-dimensional value tensor, but got tensor with {value.ndim} dimension(s)."
        raise ShapeError("index_fill_", text)
    d = vector("index_fill_", a, dim, index)
    if not a.ndim:
        if index.size:
            a[...] = value
        return
    n = a.shape[d]
    if index.__class__ is np.ndarray and index.size and not -n <= index.min() <= index.max() < n:
        raise OutOfBounds("index_fill_()", f"index out of range for dimension {d} with size {n}")
    a[slices(d, index.reshape(-1))] = value


@index_fill.vjp
def _(g: Any, needs: Any, dim: Any, index: Any) -> Any:
    picked = None
    if needs[1]:
        n = g._a.ndim
        d = dim_of("index_fill", dim, n)
        picked = getitem(g, slices(d, index.reshape(-1))).sum() if n else g.clone()
    return (index_fill(g, dim, index, 0) if needs[0] else None), picked


@op(dtypes=None)
def put(input: Array, index: Fixed, source: Array, accumulate: bool = False) -> Array:
    """A copy with elements written (or added, with ``accumulate``) at their place in the flattened tensor.

    Raises a RangeError (IndexError) for an index outside.

    >>> import dovetail as dv
    >>> dv.put(dv.zeros(2, 2), dv.tensor([0, -1]), dv.tensor([1., 2.]))
    tensor([[1., 0.],
            [0., 2.]])
    """
    return stored(put, input, index, source, accumulate)


@stores(put)
def _(a: Any, index: Any, source: Any, accumulate: bool) -> None:
    if source.dtype != a.dtype:
        text = f"self and source expected to have the same dtype, but got self.dtype = {type_name(a.dtype)}"
        raise DtypeError("put_()", f"{text} and source.dtype = {type_name(source.dtype)}")
    if source.size != index.size:
        text = f"Expected source and index to have the same number of elements, but got source.numel() = {source.size}"
        raise RangeError("put_()", f"{text}, index.numel() = {index.size}")
    at = flat_index("put_", a.size, index).reshape(-1)
    if a.flags.c_contiguous:
        target, where = a.reshape(-1), (at,)
    else:
        target, where = a, xp(a).unravel_index(at, a.shape)
    if accumulate:
        add_at(target, where, source.reshape(-1))
    else:
        target[where] = source.reshape(-1)


@put.vjp
def _(g: Any, needs: Any, index: Any, source_shape: Any, accumulate: Any) -> Any:
    past = None
    if needs[0]:
        past = g if accumulate else put(g, index, g.new_zeros(index.shape))
    return past, (take(g, index).reshape(source_shape) if needs[1] else None)


@op(dtypes=None)
def masked_scatter(input: Array, mask: Fixed, source: Array) -> Array:
    """A copy with the elements of ``source``, one after the other, where the mask is true.

    Raises a ShapeError (RuntimeError) for too few elements.

    >>> import dovetail as dv
    >>> dv.masked_scatter(dv.zeros(3), dv.tensor([True, False, True]), dv.tensor([1., 2.]))
    tensor([1., 0., 2.])
    """
    shape = np.broadcast_shapes(input.shape, mask.shape)
    return stored(masked_scatter, input if input.shape == shape else broadcast(input, shape), mask, source)


@stores(masked_scatter)
def _(a: Any, mask: Any, source: Any) -> None:
    if mask.dtype.kind != "b":
        raise DtypeError("masked_scatter_", f"only supports boolean masks, but got mask with dtype {mask.dtype.name}")
    if source.dtype != a.dtype:
        text = f"expected self and source to have same dtypes but got {type_name(a.dtype)} and {type_name(source.dtype)}"
        raise DtypeError("masked_scatter_", text)
    mask = xp(a).broadcast_to(mask, a.shape)
    count = int(xp(a).count_nonzero(mask))
    if source.size < count:
        raise ShapeError("masked_scatter", "Number of elements of source < number of ones in mask", f"{source.size} < {count}")
    a[mask] = source.reshape(-1)[:count]


@masked_scatter.vjp
def _(g: Any, needs: Any, mask: Any, source_shape: Any) -> Any:
    past = masked_scatter(g, mask, g.new_zeros((g._a.size,))) if needs[0] else None
    return past, (_masked_head(g, mask, source_shape) if needs[1] else None)


@op(dtypes=None)
def _masked_head(input: Array, mask: Fixed, shape: Any) -> Array:
    """The masked elements, followed by zeros, in a shape."""
    module = xp(input)
    out = module.zeros(prod(shape), input.dtype)
    found = input[module.broadcast_to(mask, input.shape)]
    out[: found.size] = found
    return out.reshape(shape)


_masked_head.vjp(lambda g, input_shape, mask: masked_scatter(g.new_zeros(input_shape), mask, g))
