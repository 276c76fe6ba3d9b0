"""Views of another shape: nothing here computes, and gradients go back through the opposite view."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..autograd.node import Tensor, titled
from ..dtypes import dtype as Dtype
from ..errors import ShapeError, TypeMismatch, ValueRangeError
from . import _prepare
from ._dims import dim_of, dims_of, misfit, sizes_of, tuple_of
from ._op import Array, op
from ._refuse import type_name
from ._reseat import reseating
from ._viewing import viewing
from .memory import contiguous, expand_to

__all__ = ["broadcast_shapes", "broadcast_tensors", "broadcast_to", "flatten", "ravel", "reshape", "squeeze", "unflatten", "unsqueeze"]
METHODS = (
    "broadcast_to", "expand", "expand_as", "flatten", "ravel", "reshape", "reshape_as", "squeeze", "squeeze_", "unflatten", "unsqueeze",
    "unsqueeze_", "view", "view_as",
)  # fmt: skip


def _reshaped(input: Any, shape: Any) -> Any:
    if not shape or min(shape) >= -1:
        try:
            return input.reshape(shape)
        except (ValueError, TypeError):
            pass  # what is wrong is said below
    shape = list(shape)
    if shape.count(-1) > 1:
        raise ShapeError("reshape", "only one dimension can be inferred", f"got {shape}")
    if min(shape, default=0) < -1:
        raise ShapeError("reshape", f"invalid shape dimension {min(shape)}", f"got {shape}")
    if -1 in shape and 0 in shape and input.size == 0:
        text = f"cannot reshape tensor of 0 elements into shape {shape} because the unspecified dimension size -1 can be any value"
        raise ShapeError("reshape", f"{text} and is ambiguous")
    what = f"shape '{shape}' is invalid for input of size {input.size}"
    raise ShapeError("reshape", what, f"input {tuple(input.shape)}", "put -1 for the size to be worked out")


@viewing
@op(dtypes=None, alias="sometimes", name="reshape")
def _reshape(input: Array, shape: Any) -> Array:
    """The same elements in another shape; a view where that is possible."""
    return _reshaped(input, shape)


_reshape.vjp(lambda g, input_shape: _reshape(g, input_shape))


def reshape(input: Tensor, *args: Any, shape: Any = None) -> Tensor:
    """The same elements in another shape, a view where that is possible; -1 stands for what is left.

    Raises a ShapeError (RuntimeError) for another number of elements.

    >>> import dovetail as dv
    >>> dv.arange(4).reshape(2, -1)
    tensor([[0, 1],
            [2, 3]])
    """
    return _reshape(input, sizes_of("reshape", args if shape is None else (shape,), "shape"))


@viewing
@op(dtypes=None, alias="always", name="view")
def _view(input: Array, shape: Any) -> Array:
    """The same memory in another shape, or an error."""
    out = _reshaped(input, shape)
    if input.size and not input.flags.c_contiguous and not _prepare.aliases(out, input):
        steps = tuple(s // input.itemsize for s in input.strides)
        text = (
            "view size is not compatible with input tensor's size and stride (at least one dimension spans across two contiguous subspaces)"
        )
        sizes = f"input {tuple(input.shape)} with strides {steps}, view {tuple(shape)}"
        raise ShapeError("view", text, sizes, "Use .reshape(...) instead.")
    return out


_view.vjp(lambda g, input_shape: _reshape(g, input_shape))


@viewing
@op(dtypes=None, alias="always", name="view_dtype")
def _view_dtype(input: Array, dtype: Any) -> Array:
    """The same bytes as another type."""
    if input.dtype.itemsize == dtype.itemsize:
        return input.view(dtype)
    change = f"to view {type_name(input.dtype)} as {type_name(dtype)} (different element sizes)"
    if input.ndim == 0:
        raise ShapeError("view", f"self.dim() cannot be 0 {change}")
    if input.shape[-1] != 1 and input.strides[-1] != input.itemsize:
        raise ShapeError("view", f"self.stride(-1) must be 1 {change}", "", "use contiguous() first")
    ratio = dtype.itemsize // input.itemsize
    if ratio > 1 and input.shape[-1] % ratio:
        raise ShapeError("view", f"self.size(-1) must be divisible by {ratio} {change}, but got {input.shape[-1]}")
    return input.view(dtype)


def view(input: Tensor, *args: Any, size: Any = None, dtype: Any = None) -> Tensor:
    """The same memory in another shape, or as another type: ``view(2, 3)``, ``view(dovetail.int32)``.

    Raises a ShapeError (RuntimeError) where the layout in memory does not allow it; :meth:`reshape` copies there.

    >>> import dovetail as dv
    >>> dv.arange(4).view(2, 2)
    tensor([[0, 1],
            [2, 3]])
    """
    if not args and size is None and dtype is None:
        raise TypeMismatch("view()", "received an invalid combination of arguments - got ()")
    kind = dtype if dtype is not None else args[0] if args else None
    if kind.__class__ is Dtype:
        return _view_dtype(input, kind.np)
    return _view(input, sizes_of("view", args if size is None else (size,)))


def view_as(input: Tensor, other: Tensor) -> Tensor:
    """:meth:`view` in the shape of another tensor."""
    return _view(input, other._a.shape)


def reshape_as(input: Tensor, other: Tensor) -> Tensor:
    """:func:`reshape` to the shape of another tensor."""
    return _reshape(input, other._a.shape)


def expand(input: Tensor, *args: Any, size: Any = None) -> Tensor:
    """Repeat dimensions of size 1 without copying; -1 leaves a dimension as it is, new ones come in front.

    Raises a ShapeError (RuntimeError) for a dimension that is not 1 and not the wanted size.

    >>> import dovetail as dv
    >>> dv.tensor([[1], [2]]).expand(2, 3)
    tensor([[1, 1, 1],
            [2, 2, 2]])
    """
    want = sizes_of("expand", args if size is None else (size,))
    have = input._a.shape
    ahead = len(want) - len(have)
    if ahead < 0:
        raise ShapeError(f"expand(torch.{type_name(input._a.dtype)}Tensor{{{list(have)}}}, size={list(want)})", misfit(have, want)[0])
    out = list(want)
    for d, n in enumerate(have, ahead):
        if want[d] == -1:
            out[d] = n
        elif n != 1 and n != want[d]:
            raise ShapeError("expand", *misfit(have, want))
    if min(out, default=0) < 0:
        text = f"The expanded size of the tensor ({min(out)}) isn't allowed in a leading, non-existing dimension {out.index(min(out))}"
        raise ShapeError("expand", text)
    return expand_to(input, tuple(out))


def expand_as(input: Tensor, other: Tensor) -> Tensor:
    """:meth:`expand` to the shape of another tensor."""
    return expand(input, other._a.shape)


def broadcast_to(input: Tensor, *args: Any, size: Any = None) -> Tensor:
    """Broadcast to a shape, as a view.

    >>> import dovetail as dv
    >>> dv.broadcast_to(dv.tensor([1, 2]), (2, 2))
    tensor([[1, 2],
            [1, 2]])
    """
    return expand(input, *args, size=size)


def broadcast_shapes(*shapes: Any) -> Any:
    """The shape that these shapes broadcast to.

    Raises a ShapeError (RuntimeError) where they do not fit.

    >>> import dovetail as dv
    >>> dv.broadcast_shapes((2, 1), (3,))
    dovetail.Size([2, 3])
    """
    from ..size import Size

    sizes = [(s,) if isinstance(s, int) else tuple(s) for s in shapes]
    if any(n < 0 for s in sizes for n in s):
        raise ValueRangeError("broadcast_shapes", "Attempting to broadcast a dimension with negative length!", f"got {sizes}")
    try:
        return Size(np.broadcast_shapes(*sizes))
    except ValueError:
        text = "Shape mismatch: objects cannot be broadcast to a single shape"
        raise ShapeError("broadcast_shapes", text, f"got {sizes}") from None


def broadcast_tensors(*tensors: Any) -> tuple[Tensor, ...]:
    """Expand tensors to their common shape, as views; one that has it already is given back itself.

    >>> import dovetail as dv
    >>> [t.shape for t in dv.broadcast_tensors(dv.ones(2, 1), dv.ones(3))]
    [dovetail.Size([2, 3]), dovetail.Size([2, 3])]
    """
    shape: tuple[int, ...] = ()
    for k, one in enumerate(tensors):
        for d, (a, b) in enumerate(zip(shape[::-1], one._a.shape[::-1], strict=False), 1):
            if a != b and 1 not in (a, b):
                text = f"The size of tensor a ({a}) must match the size of tensor b ({b}) at non-singleton dimension"
                raise ShapeError("broadcast_tensors", f"{text} {max(len(shape), one._a.ndim) - d}", f"tensor number {k}")
        shape = tuple(broadcast_shapes(shape, one._a.shape))
    return tuple(one if one._a.shape == shape else expand_to(one, shape) for one in tensors)


def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Merge the dimensions from ``start_dim`` to ``end_dim`` into one; a view where that is possible.

    Raises a ShapeError (RuntimeError) for a start after the end.

    >>> import dovetail as dv
    >>> dv.ones(2, 3, 4).flatten(1).shape
    dovetail.Size([2, 12])
    """
    shape = input._a.shape
    first, last = dim_of("flatten", start_dim, len(shape)), dim_of("flatten", end_dim, len(shape))
    if first > last:
        raise ShapeError("flatten()", "has invalid args: start_dim cannot come after end_dim", f"got {start_dim} and {end_dim}")
    if not shape:
        return _reshape(input, (1,))
    if first == last:
        return input
    return _reshape(input, (*shape[:first], prod(shape[first : last + 1]), *shape[last + 1 :]))


def unflatten(input: Tensor, dim: int, sizes: Any) -> Tensor:
    """Split a dimension into several, as a view; one of the sizes may be -1.

    Raises a ShapeError (RuntimeError) where the sizes do not multiply up to the dimension.

    >>> import dovetail as dv
    >>> dv.ones(2, 12).unflatten(1, (3, -1)).shape
    dovetail.Size([2, 3, 4])
    """
    shape = input._a.shape
    tuple_of("unflatten", "sizes", sizes)
    d, new = dim_of("unflatten", dim, len(shape)), list(sizes_of("unflatten", (sizes,), "sizes"))
    if not new:
        raise ShapeError("unflatten", "sizes must be non-empty")
    rest, length = prod(n for n in new if n != -1), sum(shape[d : d + 1])  # 0 where there are no dimensions
    if new.count(-1) == 1 and rest and length % rest == 0:
        new[new.index(-1)] = length // rest
    if prod(new) != length or min(new) < 0:
        text = f"Provided sizes {list(sizes)} don't multiply up to the size of dim {d} ({length}) in the input tensor"
        raise ShapeError("unflatten", text)
    return _view(input, (*shape[:d], *new, *shape[d + 1 :]))


def ravel(input: Tensor) -> Tensor:
    """All elements in one dimension; a view where they lie in this order, else a copy.

    >>> import dovetail as dv
    >>> dv.ones(2, 3).ravel().shape
    dovetail.Size([6])
    """
    return _reshape(contiguous(input), (-1 if input._a.size else 0,))


@viewing
@op(dtypes=None, alias="always", name="squeeze")
def _squeeze(input: Array, dims: Any) -> Array:
    """Without these dimensions of size 1."""
    return input[tuple(0 if d in dims else slice(None) for d in range(input.ndim)) + (...,)]


_squeeze.vjp(lambda g, input_shape: _reshape(g, input_shape))


def squeeze(input: Tensor, dim: Any = None) -> Tensor:
    """Without the dimensions of size 1, or without those named that have size 1; a view.

    >>> import dovetail as dv
    >>> dv.ones(1, 2, 1).squeeze().shape, dv.ones(1, 2, 1).squeeze(0).shape
    (dovetail.Size([2]), dovetail.Size([2, 1]))
    """
    shape = input._a.shape
    dims = range(len(shape)) if dim is None else dims_of("squeeze", dim, len(shape))
    name = "Squeeze0" if dim is None else "Squeeze1" if isinstance(dim, int) else "Squeeze2"
    return titled(name, _squeeze(input, tuple(d for d in dims if d < len(shape) and shape[d] == 1)))


@viewing
@op(dtypes=None, alias="always", name="unsqueeze")
def _unsqueeze(input: Array, dim: Any) -> Array:
    """With a dimension of size 1 before `dim`."""
    shape = input.shape
    return input.reshape((*shape[:dim], 1, *shape[dim:]))


_unsqueeze.vjp(lambda g, dim: _squeeze(g, (dim,)))


def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """With a new dimension of size 1 at ``dim``; a view.

    Raises a RangeError (IndexError) outside ``[-ndim - 1, ndim]``.

    >>> import dovetail as dv
    >>> dv.ones(2, 3).unsqueeze(-1).shape
    dovetail.Size([2, 3, 1])
    """
    return _unsqueeze(input, dim_of("unsqueeze", dim, input._a.ndim + 1))


squeeze_, unsqueeze_ = reseating(squeeze), reseating(unsqueeze)
