"""Copies and casts, moves between devices, memory formats, and what the engine needs of the ops."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from dovetail_numerics.sums import total, widened

from ..autograd import engine
from ..autograd.modes import GRAD, STATE
from ..autograd.node import CLASSES, Leaf, Tensor, changed, wrap
from ..device import device_of, module_for, xp
from ..device import move as to_device
from ..errors import DtypeError, GradError, ShapeError, TypeMismatch
from ..size import Spoken
from . import _layout
from ._arrays import broadcast
from ._arrays import strided as strided_array
from ._dims import sizes_of
from ._op import Array, op
from ._override import of_plugin
from ._prepare import NUMBERS
from ._stored import storing
from ._viewing import viewing
from .arithmetic import add
from .inplace import write

__all__ = [
    "channels_last", "channels_last_3d", "clone", "contiguous_format", "layout", "memory_format", "preserve_format", "resize_as_",
    "sparse_bsc", "sparse_bsr", "sparse_coo", "sparse_csc", "sparse_csr", "strided",
]  # fmt: skip
METHODS = ("clone", "contiguous", "copy_", "is_contiguous", "resize_", "resize_as_", "set_", "storage_offset")


class memory_format:
    """How the elements of a tensor lie in memory: ``contiguous_format``, ``channels_last`` (NHWC strides under NCHW
    shapes), ``channels_last_3d``, ``preserve_format``.

    >>> import dovetail as dv
    >>> dv.ones(2, 3, 4, 5).contiguous(memory_format=dv.channels_last).stride()
    (60, 1, 15, 3)
    """

    __slots__ = ("back", "name", "order")

    def __init__(self, name: str, order: tuple[int, ...] = ()) -> None:
        self.name, self.order = name, order
        self.back = tuple(sorted(range(len(order)), key=order.__getitem__))

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether the format has an order of its own; a ShapeError (RuntimeError) where that is for another rank."""
        if self.order and len(shape) != len(self.order):
            text = f"required rank {len(self.order)} tensor to use {self.name} format"
            raise ShapeError("memory_format", text, f"got shape {tuple(shape)}")
        return bool(self.order)

    def __repr__(self) -> str:
        return f"{Spoken.package}.{self.name}"

    def __reduce__(self) -> str:
        return self.name


contiguous_format = memory_format("contiguous_format")
preserve_format = memory_format("preserve_format")
channels_last = memory_format("channels_last", (0, 2, 3, 1))
channels_last_3d = memory_format("channels_last_3d", (0, 2, 3, 4, 1))


class layout(str):
    """How a tensor stores its elements: ``strided``, or one of the ways of `dovetail.sparse`.

    >>> import dovetail as dv
    >>> dv.ones(2).layout
    dovetail.strided
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"{Spoken.package}.{str.__str__(self)}"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)


strided = layout("strided")
sparse_coo, sparse_csr, sparse_csc, sparse_bsr, sparse_bsc = (layout(f"sparse_{k}") for k in ("coo", "csr", "csc", "bsr", "bsc"))


def copied(a: Any, layout: memory_format | None = None) -> Any:
    """A copy of the array in a memory format; as the original lies if none is named."""
    if layout is None or layout is preserve_format:
        return _layout.copied(a)
    return a.transpose(layout.order).copy(order="C").transpose(layout.back) if layout.fits(a.shape) else a.copy(order="C")


@viewing
@op(dtypes=None, alias="always")
def alias(input: Array) -> Array:
    """The same memory under a node of its own."""
    return input.view()


alias.vjp(lambda g: g)


def as_images(out: Any, input: Any) -> Any:
    """The result in channels-last order where the images or volumes that it was made of are."""
    return contiguous(out, channels_last if out._a.ndim == 4 else channels_last_3d) if _layout.is_channels_last(input._a) else out


@op(dtypes=None)
def clone(input: Array, memory_format: Any = None) -> Array:
    """Copy, with gradient; laid out in memory as the original unless a format is named.

    >>> import dovetail as dv
    >>> dv.clone(dv.tensor([1., 2.]))
    tensor([1., 2.])
    """
    return copied(input, memory_format)


clone.vjp(lambda g: g)


def is_contiguous(input: Tensor, memory_format: memory_format = contiguous_format) -> bool:
    """Whether the elements lie in memory in the order of the dimensions, or in that of another format.

    >>> import dovetail as dv
    >>> dv.ones(2, 3).t().is_contiguous()
    False
    """
    a, order = input._a, memory_format.order
    if order:
        return a.ndim == len(order) and bool(a.transpose(order).flags.c_contiguous)
    return bool(a.flags.c_contiguous)


def contiguous(input: Tensor, memory_format: memory_format = contiguous_format) -> Tensor:
    """The tensor itself where it is contiguous in this format, else a copy that is.

    Raises a ShapeError (RuntimeError) for a rank that the format is not for.

    >>> import dovetail as dv
    >>> dv.ones(2, 3).t().contiguous().stride()
    (2, 1)
    """
    if memory_format is preserve_format:
        raise ShapeError("contiguous", "preserve memory format is unsupported by the contiguous operator")
    memory_format.fits(input._a.shape)
    return input if is_contiguous(input, memory_format) else clone(input, memory_format)


@viewing
@op(dtypes=None, alias="always")
def expand_to(input: Array, shape: Any) -> Array:
    """Broadcast to a shape, as a view."""
    return broadcast(input, shape)


expand_to.vjp(lambda g: g)  # the engine sums what was broadcast


@op(dtypes=None)
def sum_to(input: Array, shape: Any) -> Array:
    """Sum over what broadcasting from `shape` had repeated."""
    k = input.ndim - len(shape)
    axes = tuple(range(k)) + tuple(i + k for i, n in enumerate(shape) if n == 1 and input.shape[i + k] != 1)

    return total(widened(input), axes, True).reshape(shape).astype(input.dtype, copy=False)


sum_to.vjp(lambda g, input_shape: expand_to(g, input_shape))


@op(dtypes=None, alias="sometimes")
def cast(input: Array, dtype: Any) -> Array:
    """Convert to a NumPy element type; the same array where it already has it. A complex number leaves its real part."""
    if input.dtype.kind == "c" and np.dtype(dtype).kind not in "bc":
        return input.real.astype(dtype)
    return input if input.dtype == dtype else _layout.converted(input, dtype)


cast.vjp(lambda g: g)  # the engine casts back


@op(dtypes=None)
def move(input: Array, device: Any, copy: bool = False) -> Array:
    """The same values on another device."""
    return to_device(input, device, copy)


move.vjp(lambda g, input: move(g, device_of(input._a)))


@storing()
def copy(input: Array, src: Array) -> None:
    """The values of `src` in the shape and type of `input`."""
    if src.ndim > input.ndim:
        raise ShapeError("copy_", f"output with shape {list(input.shape)} doesn't match the broadcast shape {list(src.shape)}")
    input[...] = src.real if src.dtype.kind == "c" and input.dtype.kind != "c" else src


copy.vjp(lambda g: g.new_zeros(g.shape), lambda g: clone(g))


def copy_(input: Tensor, src: Tensor, non_blocking: bool = False) -> Tensor:
    """Write the values of another tensor into this one: broadcast, cast and moved from its device as needed.

    A number fills. Raises a ShapeError (RuntimeError) where `src` does not broadcast to this shape.

    >>> import dovetail as dv
    >>> dv.zeros(2, 2).copy_(dv.tensor([1, 2]))
    tensor([[1., 2.],
            [1., 2.]])
    """
    if src.__class__ in NUMBERS:
        src = wrap(xp(input._a).asarray(src))
    if src.__class__ not in CLASSES:
        raise TypeMismatch("copy_()", f"argument 'other' (position 1) must be Tensor, not {type(src).__name__}")
    where = device_of(input._a)
    if device_of(src._a) != where:
        src = move(src, where)
    if input._a.dtype.kind in "iub":
        src = src.detach()
    return write(copy.op, [input, src])


def set_(input: Tensor, source: Any = None, storage_offset: int = 0, size: Any = None, stride: Any = None) -> Tensor:
    """Make this tensor look at the memory of another one, or at none; at a storage, or at a place in one, with ``dovetail-torch``.

    Raises a GradError (RuntimeError) for a tensor that requires a gradient.

    >>> import dovetail as dv
    >>> dv.zeros(1).set_(dv.ones(2))
    tensor([1., 1.])
    """
    if input._n is not None and STATE.word & GRAD:
        raise GradError("set_", "cannot change the memory of a tensor that requires grad", "", "use it inside no_grad()")
    if size is not None or (source is not None and source.__class__ not in CLASSES):
        return of_plugin("METHODS", "storage")["set_"](input, source, storage_offset, size, stride)  # type: ignore[no-any-return]
    if source is not None and source._a.dtype != input._a.dtype:
        raise DtypeError("set_", f"Could not set tensor of type {source.dtype} to a tensor of type {input.dtype}")
    input._a, input._v = (xp(input._a).empty((0,), input._a.dtype), [0, 0, None, None]) if source is None else (source._a, source._v)
    if input._n.__class__ is Leaf:
        input._n.shape, input._n.dtype = input._a.shape, input._a.dtype
    return input


def resize_(input: Tensor, *sizes: Any, memory_format: Any = None) -> Tensor:
    """Change the shape in place: the elements are those that follow in memory, new ones are not initialised.

    A view goes on looking at the memory of its base while that is long enough; else, and where it is empty, the tensor takes
    memory of its own. Raises a GradError (RuntimeError) for a tensor that requires a gradient.

    >>> import dovetail as dv
    >>> dv.tensor([[1, 2], [3, 4]]).resize_(3)
    tensor([1, 2, 3])
    """
    shape = sizes_of("resize_", sizes)
    if min(shape, default=0) < 0:
        raise ShapeError("resize_", f"sizes must be non-negative, got {list(shape)}")
    if input._n is not None:
        raise GradError("resize_", "cannot resize variables that require grad", "", "resize a detached tensor")
    a, count = input._a, prod(shape)
    turned = memory_format is not None and memory_format.fits(shape)
    if shape == a.shape and not turned:
        return input
    first, flat = storage_offset(input), memory(a)
    if first + count > flat.size or not a.size:  # where an empty view lies in its base, NumPy does not keep
        old, flat = flat, module_for(device_of(a)).empty(first + count, a.dtype)
        flat[: old.size] = old[: flat.size]
        input._v = [0, 0, None, None]
    a = flat[first : first + count].reshape([shape[d] for d in memory_format.order] if turned else shape)
    input._a = a.transpose(memory_format.back) if turned else a
    changed(input._v, "resize_")
    return input


def resize_as_(input: Tensor, the_template: Tensor, memory_format: Any = None) -> Tensor:
    """Change the shape in place to that of another tensor; see :func:`resize_`.

    >>> import dovetail as dv
    >>> dv.resize_as_(dv.tensor([1, 2, 3, 4]), dv.zeros(2, 2))
    tensor([[1, 2],
            [3, 4]])
    """
    return resize_(input, the_template._a.shape, memory_format=memory_format)


def storage_offset(input: Tensor) -> int:
    """The place of the first element in the memory that the tensor looks at, in elements.

    >>> import dovetail as dv
    >>> dv.arange(6)[2:].storage_offset()
    2
    """
    a = input._a
    return int(address(a) - address(storage(a))) // int(a.itemsize)


def storage(a: Any) -> Any:
    """The array that owns the memory of this one."""
    owner = a
    while True:
        base = getattr(owner, "base", None)
        base = getattr(base, "base", base) if not hasattr(base, "strides") else base  # what `strided` puts between
        if not hasattr(base, "strides"):
            return owner
        owner = base


def memory(a: Any) -> Any:
    """All the memory that the array looks into, as one dimension of its elements."""
    owner = storage(a)
    if owner.dtype != a.dtype:
        return owner.view(a.dtype).reshape(-1)
    return strided_array(owner, (owner.nbytes // a.itemsize,), (a.itemsize,))


def address(a: Any) -> int:
    """Where the first element lies."""
    return int(a.ctypes.data if hasattr(a, "ctypes") else a.data.ptr)


def _fit(g: Tensor, shape: tuple[int, ...]) -> Tensor:
    if g._a.ndim < len(shape) or any(n != 1 and n != m for n, m in zip(shape[::-1], g._a.shape[::-1], strict=False)):
        return expand_to(g, shape)
    return sum_to(g, shape)


def _iadd(total: Tensor, g: Tensor) -> None:
    total._a += g._a
    changed(total._v, "backward")


engine.late.add = add
engine.late.fit = _fit
engine.late.cast = cast
engine.late.clone = clone
engine.late.iadd = _iadd
