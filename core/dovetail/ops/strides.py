"""Views made by strides: windows, diagonals, and any others."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd.node import Tensor, wrap
from ..device import xp
from ..errors import RangeError, ShapeError
from ._arrays import strided
from ._dims import dim_of, sizes_of
from ._op import Array, op
from ._reseat import reseating
from ._viewing import viewing
from .arithmetic import div
from .index import getitem_grad, index
from .memory import address, storage, storage_offset
from .memory import memory as everything

__all__ = ["as_strided", "as_strided_", "diagonal"]
METHODS = ("as_strided", "as_strided_", "diagonal", "unfold")


@viewing
@op(dtypes=None, alias="always", name="unfold_dim")
def _unfold(input: Array, dim: Any, size: Any, step: Any) -> Array:
    """Windows along a dimension, in a new last dimension."""
    if not input.ndim:
        return input.reshape(1)[:size]
    count = (input.shape[dim] - size) // step + 1
    shape, strides = list(input.shape), list(input.strides)
    shape[dim], strides[dim] = count, strides[dim] * step
    return strided(input, (*shape, size), (*strides, input.strides[dim]))


_unfold.vjp(lambda g, input_shape, dim, size, step: unfold_grad(g, input_shape, dim, size, step))


@op(dtypes=None)
def unfold_grad(grad: Array, shape: Any, dim: Any, size: Any, step: Any) -> Array:
    """The windows added up where they overlap."""
    out = xp(grad).zeros(shape, grad.dtype)
    windows = _unfold.op.forward(out, dim, size, step)
    for k in range(size):  # one step for each place in a window, not for each window
        windows[..., k] += grad[..., k]
    return out


unfold_grad.vjp(lambda g, dim, size, step: _unfold(g, dim, size, step))


def unfold(input: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """All windows of ``size`` along a dimension, ``step`` apart, in a new last dimension; a view.

    Raises a ShapeError (RuntimeError) for a window longer than the dimension.

    >>> import dovetail as dv
    >>> dv.arange(5).unfold(0, 3, 2)
    tensor([[0, 1, 2],
            [2, 3, 4]])
    """
    shape = input._a.shape
    d = dim_of("unfold", dimension, len(shape))
    length = shape[d] if shape else 1
    if size < 0 or size > length:
        raise ShapeError("unfold", f"maximum size for tensor at dimension {d} is {length} but size is {size}")
    if step < 1:
        raise ShapeError("unfold", f"step is {step} but must be > 0")
    return _unfold(input, d, size, step)


@viewing
@op(dtypes=None, alias="always", name="diagonal")
def _diagonal(input: Array, offset: Any, dim1: Any, dim2: Any) -> Array:
    """A diagonal of two dimensions, in a new last one."""
    return diagonal_of(input, offset, dim1, dim2)


def diagonal_of(input: Any, offset: int, dim1: int, dim2: int) -> Any:
    """The diagonal of a raw array, as a writable view."""
    rows, columns = input.shape[dim1], input.shape[dim2]
    length = max(min(rows, columns - offset) if offset >= 0 else min(rows + offset, columns), 0)
    skip = [slice(None)] * input.ndim
    if length:
        skip[dim2 if offset >= 0 else dim1] = slice(abs(offset), None)
    keep = [d for d in range(input.ndim) if d not in (dim1, dim2)]
    shape, strides = (tuple(sizes[d] for d in keep) for sizes in (input.shape, input.strides))
    return strided(input[tuple(skip)], (*shape, length), (*strides, input.strides[dim1] + input.strides[dim2]))


_diagonal.vjp(lambda g, input_shape, offset, dim1, dim2: diagonal_grad(g, input_shape, offset, dim1, dim2))


@op(dtypes=None, name="diag_embed")
def diagonal_grad(grad: Array, shape: Any, offset: Any, dim1: Any, dim2: Any) -> Array:
    """Zeros with `grad` on a diagonal."""
    out = xp(grad).zeros(shape, grad.dtype)
    diagonal_of(out, offset, dim1, dim2)[...] = grad
    return out


diagonal_grad.vjp(lambda g, offset, dim1, dim2: _diagonal(g, offset, dim1, dim2))


def two_dims(where: str, dim1: int, dim2: int, ndim: int) -> tuple[int, int]:
    """Two dimensions that differ."""
    first, second = dim_of(where, dim1, ndim), dim_of(where, dim2, ndim)
    if first == second:
        raise ShapeError(where, f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    return first, second


def diagonal(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """A diagonal of two dimensions, in a new last dimension; a view.

    Raises a ShapeError (RuntimeError) where both dimensions are the same.

    >>> import dovetail as dv
    >>> dv.arange(9).reshape(3, 3).diagonal(1)
    tensor([1, 5])
    """
    return _diagonal(input, offset, *two_dims("diagonal", dim1, dim2, input._a.ndim))


def _reach(size: Any, stride: Any) -> int:
    """The number of elements of memory that these sizes and strides span."""
    return 0 if 0 in size else 1 + sum((n - 1) * s for n, s in zip(size, stride, strict=True))


@viewing
@op(dtypes=None, alias="always", name="as_strided")
def _as_strided(input: Array, size: Any, stride: Any, offset: Any, steps: Any) -> Array:
    """Any sizes and strides on the memory of a tensor of strides `steps`; `offset` counts from its first element."""
    flat = everything(input)
    first = (address(input) - address(storage(input))) // input.itemsize + offset
    room = flat.size - first
    if first < 0 or _reach(size, stride) > room:
        text = f"setStorage: sizes {list(size)}, strides {list(stride)}, storage offset {first} are out of bounds for storage of size"
        raise ShapeError("as_strided", f"{text} {flat.nbytes}")
    return strided(flat[first:] if room else flat[:0], tuple(size), tuple(s * input.itemsize for s in stride))


@_as_strided.vjp
def _(g: Any, input_shape: Any, size: Any, stride: Any, offset: Any, steps: Any) -> Any:
    """Added up in memory, then shared by those elements of the tensor that lay in one place."""
    low, module = min(offset, 0), xp(g._a)
    memory = max(_reach(input_shape, steps), offset + _reach(size, stride)) - low
    found = getitem_grad(g, (memory,), None, (_places(module, size, stride, offset - low),))
    own = _places(module, input_shape, steps, -low)
    sharing = module.bincount(own.reshape(-1), minlength=memory)[own]
    return div(index(found, None, (own,)), wrap(sharing.astype(g._a.dtype)))


def _places(module: Any, size: Any, stride: Any, first: int) -> Any:
    """Where each element of a strided view lies."""
    out = module.full((1,) * len(size), first, np.int64)
    for d, (n, s) in enumerate(zip(size, stride, strict=True)):
        out = out + (module.arange(n) * s).reshape((-1,) + (1,) * (len(size) - d - 1))
    return out


def as_strided(input: Tensor, size: Any, stride: Any, storage_offset: int | None = None) -> Tensor:
    """A view of a tensor's memory with any sizes and strides (in elements), from any place in it.

    Raises a ShapeError (RuntimeError) where it would leave the memory.

    >>> import dovetail as dv
    >>> dv.arange(6).as_strided((2, 2), (1, 2), 1)
    tensor([[1, 3],
            [2, 4]])
    """
    sizes, steps = sizes_of("as_strided", (size,)), sizes_of("as_strided", (stride,), "stride")
    if len(sizes) != len(steps):
        raise ShapeError("as_strided", f"mismatch in length of strides and shape (size {sizes}, stride {steps})")
    if min(steps, default=0) < 0:
        raise ShapeError("as_strided", f"Negative strides are not supported at the moment, got strides: {list(steps)}")
    if min(sizes, default=0) < 0:
        raise RangeError("as_strided", f"negative dimension in size {sizes}")
    offset = 0 if storage_offset is None else storage_offset - _offset(input)
    a = input._a
    return _as_strided(input, sizes, steps, offset, tuple(s // a.itemsize for s in a.strides))


_offset = storage_offset
as_strided_ = reseating(as_strided)
