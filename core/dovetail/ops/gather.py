"""Picking elements by index tensors and masks, along a dimension or in all of them."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..autograd.node import CLASSES, Tensor, titled
from ..device import xp
from ..errors import DtypeError, RangeError, ShapeError, TypeMismatch, ValueRangeError
from ._arrays import check_index, scatter_add
from ._dims import dim_of, sizes_of
from ._op import Array, Fixed, op
from ._refuse import type_name
from .index import getitem, getitem_grad, slices
from .join import unbind
from .pad import constant_pad_nd
from .views import broadcast_shapes, broadcast_tensors, expand, reshape

__all__ = ["argwhere", "gather", "index_select", "masked_select", "nonzero", "nonzero_static", "take", "take_along_dim", "unravel_index"]
FUNCTIONAL = ("one_hot",)


class OutOfBounds(RangeError, RuntimeError):
    """An index outside, where PyTorch raises a RuntimeError."""


def grid(module: Any, dim: int, index: Any) -> tuple[Any, ...]:
    """Index arrays that pair each element of `index` along a dimension with its own place in the others."""
    n = index.ndim
    return tuple(index if d == dim else module.arange(index.shape[d]).reshape((-1,) + (1,) * (n - d - 1)) for d in range(n))


def check_bounds(where: str, index: Any, d: int, size: int) -> None:
    """Refuse an index that is negative or too large for dimension `d`."""
    if not check_index(index, size):
        bad = index[(index < 0) | (index >= size)].flat[0]
        raise OutOfBounds(f"{where}()", f"index {bad} is out of bounds for dimension {d} with size {size}")


def along(where: str, a: Any, dim: int, index: Any, source: Any = None) -> int:
    """Check an index tensor for gather and scatter, and return the dimension counted from the front."""
    d = dim_of(where, dim, a.ndim)
    if not index.size:
        return d
    if index.dtype.name not in ("int64", "int32"):
        raise DtypeError(f"{where}()", f"Expected dtype int32/int64 for index, got {index.dtype.name}")
    if max(index.ndim, 1) != max(a.ndim, 1):
        text = f"Index tensor must have the same number of dimensions as {'input' if where == 'gather' else 'self'} tensor"
        raise ShapeError(f"{where}()", text, f"index {tuple(index.shape)}, tensor {tuple(a.shape)}")
    for what, other in (("self", a), ("src", source)):
        shape = getattr(other, "shape", ())
        if index.shape != shape and any(
            n > m and (k != d or what == "src") for k, (n, m) in enumerate(zip(index.shape, shape, strict=False))
        ):
            text = f"Expected index {list(index.shape)} to be no larger than {what} {list(shape)} apart from dimension {d}"
            raise ShapeError(f"{where}()", text)
    check_bounds(where, index, d, a.shape[d] if a.ndim else 1)
    return d


@op(dtypes=None, contiguous=True)
def gather(input: Array, dim: int, index: Fixed, sparse_grad: bool = False) -> Array:
    """Pick along a dimension: ``out[i, j] = input[i, index[i, j]]`` for dim 1.

    ``index`` is nowhere larger than ``input``, except along ``dim``. Raises a RuntimeError for an index outside.

    >>> import dovetail as dv
    >>> dv.gather(dv.tensor([[1, 2], [3, 4]]), 1, dv.tensor([[1], [0]]))
    tensor([[2],
            [3]])
    """
    d = along("gather", input, dim, index)
    if not index.size or not input.ndim or not index.ndim:
        return input.reshape(-1)[index.reshape(-1)].reshape(index.shape)
    if input.flags.c_contiguous and d == input.ndim - 1 and index.shape[:-1] == input.shape[:-1]:
        rows = xp(input).arange(0, input.size, input.shape[-1]).reshape((*index.shape[:-1], 1))
        return input.reshape(-1).take(index + rows)
    return input[grid(xp(input), d, index)]


gather.vjp(lambda g, input_shape, dim, index: gather_grad(g, input_shape, dim, index))


@op(dtypes=None)
def gather_grad(grad: Array, shape: Any, dim: Any, index: Fixed, once: bool = False) -> Array:
    """Zeros with `grad` added where it was picked, or written there if no place was picked more than `once`."""
    out = xp(grad).zeros(shape, grad.dtype)
    if not index.ndim or not out.ndim:
        scatter_add(out.reshape(-1), index.reshape(-1), grad.reshape(-1))
    elif once:
        out[grid(xp(grad), dim % out.ndim, index)] = grad
    elif index.size:
        scatter_add(out, grid(xp(grad), dim % out.ndim, index), grad)
    return out


gather_grad.vjp(lambda g, dim, index: gather(g, dim, index))


@op(dtypes=None)
def index_select(input: Array, dim: int, index: Fixed) -> Array:
    """Slices of a dimension by a vector of indices, which may repeat: ``input[:, index]`` for dim 1, as a copy.

    Raises a RangeError (IndexError) for an index outside, negative ones included.

    >>> import dovetail as dv
    >>> dv.index_select(dv.tensor([[1, 2], [3, 4]]), 1, dv.tensor([1, 1]))
    tensor([[2, 2],
            [4, 4]])
    """
    d = vector("index_select", input, dim, index)
    if not check_index(index, input.shape[d] if input.ndim else 1):
        raise OutOfBounds("index_select()", "index out of range in self", f"size {input.shape[d]} at dimension {d}")
    if not input.ndim:
        if index.size != 1:
            raise ShapeError("index_select()", f"Index to scalar can have only 1 value, got {index.size} value(s)")
        return input.copy()
    return input.take(index.reshape(-1), axis=d)


def vector(where: str, a: Any, dim: int, index: Any) -> int:
    """Check a vector of indices, and return the dimension counted from the front."""
    if index.ndim > 1:
        error: Any = ShapeError if where == "index_fill_" else RangeError
        raise error(f"{where}()", "Index is supposed to be a vector", f"got shape {tuple(index.shape)}")
    if index.dtype.name not in (("int64",) if where == "index_copy_" else ("int64", "int32")):
        error = RangeError if where == "index_fill_" else DtypeError
        raise error(f"{where}()", "Expected dtype int32 or int64 for index", f"got {index.dtype.name}")
    return dim_of(where, dim, a.ndim)


@index_select.vjp
def _(g: Any, input_shape: Any, dim: Any, index: Any) -> Any:
    return getitem_grad(g, input_shape, None, slices(dim % len(input_shape), reshape(index, (-1,)))) if input_shape else g


def flat_index(where: str, size: int, index: Any) -> Any:
    """Indices into all elements, negative ones counted from the end."""
    if index.dtype.kind != "i":
        raise DtypeError(f"{where}()", f"Expected a long tensor for index, but got {index.dtype.name}")
    if index.__class__ is np.ndarray and index.size and not -size <= index.min() <= index.max() < size:
        bad = index[(index < -size) | (index >= size)].flat[0]
        raise RangeError(where, f"out of range: tried to access index {bad} on a tensor of {size} elements.")
    return xp(index).where(index < 0, index + size, index)


@op(dtypes=None)
def take(input: Array, index: Fixed) -> Array:
    """Elements by their place in the flattened tensor, in the shape of ``index``.

    Raises a RangeError (IndexError) for an index outside.

    >>> import dovetail as dv
    >>> dv.take(dv.tensor([[1, 2], [3, 4]]), dv.tensor([0, -1]))
    tensor([1, 4])
    """
    if index.dtype != np.int64:
        raise DtypeError("take()", f"Expected a long tensor for index, but got {type_name(index.dtype)}")
    return input.reshape(-1)[flat_index("take", input.size, index)]


take.vjp(lambda g, input_shape, index: reshape(getitem_grad(g, (prod(input_shape),), None, (index,)), input_shape))


def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None) -> Tensor:
    """:func:`gather` with the other dimensions broadcast, indices outside counted in circles; without ``dim`` from the flattened tensor.

    >>> import dovetail as dv
    >>> x = dv.tensor([[3, 1], [2, 4]])
    >>> dv.take_along_dim(x, dv.tensor([[1], [0]]), dim=1)
    tensor([[1],
            [2]])
    """
    if dim is None:
        return gather(reshape(input, (-1,)), 0, reshape(indices, (-1,)))
    n = input._a.ndim
    if indices._a.ndim != n:
        text = f"input and indices should have the same number of dimensions, but got {n} and {indices._a.ndim}"
        raise ShapeError("take_along_dim()", text)
    if indices._a.dtype != np.int64:
        raise DtypeError("take_along_dim()", f"dtype of indices should be Long but got {type_name(indices._a.dtype)}")
    d = dim_of("take_along_dim", dim, n)
    shapes = [t._a.shape[:d] + (1,) + t._a.shape[d + 1 :] for t in (input, indices)]
    common = broadcast_shapes(*shapes)
    input, indices = (expand(t, (*common[:d], t._a.shape[d], *common[d + 1 :])) for t in (input, indices))
    return gather(input, d, indices % max(input._a.shape[d], 1))  # PyTorch counts on in circles, where a dimension is named


def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """The elements where the mask is true, in one dimension; both are broadcast.

    Raises a DtypeError (RuntimeError) for a mask that is not bool.

    >>> import dovetail as dv
    >>> x = dv.tensor([1, 2, 3])
    >>> dv.masked_select(x, x > 1)
    tensor([2, 3])
    """
    if mask.__class__ not in CLASSES:
        raise TypeMismatch("masked_select()", f"argument 'mask' must be Tensor, not {type(mask).__name__}")
    if mask._a.dtype.kind != "b":
        raise DtypeError("masked_select", "expected BoolTensor for mask", f"got {mask.dtype}")
    if mask._a.shape != input._a.shape:
        input, mask = broadcast_tensors(input, mask)
    return titled("MaskedSelect0", getitem(input, mask))


@op(dtypes=None)
def argwhere(input: Fixed) -> Array:
    """The indices of the elements that are not zero, one in a row: ``(count, input.ndim)``.

    >>> import dovetail as dv
    >>> dv.argwhere(dv.tensor([[0, 1], [1, 0]]))
    tensor([[0, 1],
            [1, 0]])
    """
    if not input.ndim:
        return xp(input).zeros((int((input != 0).item()), 0), np.int64)
    return xp(input).stack(input.nonzero()).T.astype(np.int64, copy=False)  # PyTorch lays it out by columns


def nonzero(input: Tensor, *, as_tuple: bool = False) -> Any:
    """The indices of the elements that are not zero: one in a row, or one tensor for each dimension ``as_tuple``.

    >>> import dovetail as dv
    >>> dv.nonzero(dv.tensor([0, 5, 7]), as_tuple=True)
    (tensor([1, 2]),)
    """
    if not as_tuple:
        return argwhere(input)
    return unbind(argwhere(input if input._a.ndim else reshape(input, (1,))), 1)


@op(dtypes=None, outputs="many", name="unravel_index")
def _unravel(indices: Fixed, steps: Any) -> Array:
    """Places in the flattened tensor as one index for each dimension."""
    return list(xp(indices).stack([indices // step % n for step, n in steps], axis=-1).transpose(-1, *range(indices.ndim)))


def unravel_index(indices: Tensor, shape: Any) -> tuple[Tensor, ...]:
    """Places in a flattened tensor of this shape, as one index tensor for each dimension.

    >>> import dovetail as dv
    >>> dv.unravel_index(dv.tensor([3, 5]), (2, 3))
    (tensor([1, 1]), tensor([0, 2]))
    """
    if indices._a.dtype.kind not in "iu":
        raise TypeMismatch("unravel_index()", f"expected 'indices' to be integer dtype, but got {indices.dtype}")
    sizes = sizes_of("unravel_index", (shape if isinstance(shape, tuple | list) else (shape,),), "shape")
    if min(sizes, default=0) < 0:
        raise ValueRangeError("unravel_index()", f"'shape' cannot have negative values, but got {sizes}")
    return _unravel(indices.long(), tuple((prod(sizes[k + 1 :]), n) for k, n in enumerate(sizes))) if sizes else ()


@op(dtypes=None, contiguous=True)
def one_hot(input: Fixed, num_classes: int = -1) -> Array:
    """Class labels as rows of zeros with a one: ``(..., num_classes)``, int64; without a number, the largest label + 1.

    Raises a RuntimeError for labels that are negative, too large or not int64.

    >>> import dovetail as dv
    >>> dv.nn.functional.one_hot(dv.tensor([0, 2]), 3)
    tensor([[1, 0, 0],
            [0, 0, 1]])
    """
    module = xp(input)
    if input.dtype.name != "int64":
        raise DtypeError("one_hot", "is only applicable to index tensor of type LongTensor.", f"got {input.dtype.name}")
    if not input.size and num_classes < 1:
        raise ShapeError("one_hot", "Can not infer total number of classes from empty tensor.")
    if input.size and (module is np or num_classes == -1):  # a GPU is not waited for
        top = int(input.max())
        if int(input.min()) < 0:
            raise ShapeError("one_hot", "Class values must be non-negative.")
        if top >= num_classes != -1:
            raise ShapeError("one_hot", "Class values must be smaller than num_classes.", f"got {top} of {num_classes}")
        num_classes = max(num_classes, top + 1)
    return (input[..., None] == module.arange(num_classes)).astype(np.int64)


def nonzero_static(input: Tensor, *, size: int, fill_value: int = -1) -> Tensor:
    """The first `size` rows of :func:`nonzero`, filled up with `fill_value`. Raises a RuntimeError for a negative `size`.

    >>> import dovetail as dv
    >>> dv.nonzero_static(dv.tensor([0, 5]), size=2)
    tensor([[ 1],
            [-1]])
    """
    if size < 0:
        raise ShapeError("nonzero_static", f"'size' must be an non-negative integer (got {size})")
    found = argwhere(input)
    return constant_pad_nd(found, ((0, size - found._a.shape[0]), (0, 0)), fill_value).contiguous()
