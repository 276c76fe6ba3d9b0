"""What the random ops share: whose stream serves a device, sizes, results, and filling a tensor in the order of its memory."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from dovetail_numerics import streams
from dovetail_numerics.memoryless import Memoryless, mapped, without
from dovetail_numerics.streams.draws import demand

from ..autograd.modes import GRAD, STATE
from ..autograd.node import Tensor, changed
from ..device import Device, device_of, to_device
from ..dtypes import from_numpy_dtype, get_default_dtype, to_numpy_dtype
from ..errors import DeviceError, DtypeError, ShapeError, TypeMismatch, ValueRangeError
from ..generator import Generator, current
from ._live import exhausted
from ._op import Array, Fixed, op
from ._prepare import attend, told
from ._refuse import not_for, tensors, type_name
from .convert import finished
from .inplace import check_writable, write
from .memory import resize_

__all__ = [
    "Draw", "bounds", "deliver", "demand", "demand_floating", "drawn", "fill", "made", "normals", "plain", "shape_of", "source",
    "tensor_argument", "whole",
]  # fmt: skip

Draw: TypeAlias = Callable[[Any, Any, tuple[int, ...], Any, tuple[int, ...]], Any]  # (streams, generator, shape, dtype, order) -> values


def plain(stream: str, *parameters: Any) -> Draw:
    """Draws from the stream of this name, which takes its parameters last."""
    return lambda streams, gen, shape, kind, order: getattr(streams, stream)(gen, shape, kind, *parameters)


def normals(mean: float = 0.0, std: float = 1.0) -> Draw:
    """Draws of normal numbers, which come in blocks where the memory is contiguous."""
    return lambda streams, gen, shape, kind, order: streams.normal(gen, shape, kind, mean, std, not order)


def source(where: Device, generator: Any = None) -> tuple[Any, Any]:
    """The module of streams for a device, and the generator to give its functions first.

    On a GPU the numbers are CuPy's own: seeded by ``manual_seed``, but not PyTorch's.
    """
    if generator is not None and not isinstance(generator, Generator):
        raise TypeMismatch("random", f"generator is {generator!r} ({type(generator).__name__})", "expected a Generator or None")
    if where.type == "cpu":
        attend(STATE.word)  # a first draw often comes before the first op: parameters
        return streams, current(generator)
    if where.type == "meta":
        return _Undrawn(), current(Generator())
    if generator is not None:
        what = "Expected a 'cuda' device type for generator but found 'cpu'"
        raise DeviceError("random", what, "tensors on a GPU draw from CuPy's generator", "leave generator out; manual_seed seeds both")
    from dovetail_numerics.streams import gpu

    from . import _random_gpu

    return gpu, _random_gpu.stream(where.index)


class _Undrawn:
    """The streams of the device ``meta``: numbers nobody sees, from a generator that is thrown away."""

    def __getattr__(self, name: str) -> Any:
        stream = getattr(streams, name)
        return lambda *args: without(stream(*(np.ones(a.shape, a.dtype) if a.__class__ is Memoryless else a for a in args)))


def demand_floating(where: str, dtype: np.dtype[Any], complex_too: bool = False) -> None:
    """Refuse a type of which the distribution has no numbers, in PyTorch's words."""
    kind = from_numpy_dtype(dtype)
    if not (kind.is_floating_point or (complex_too and kind.is_complex)):
        raise not_for(where, kind.np, "a floating-point type")


def shape_of(where: str, sizes: tuple[Any, ...], **more: Any) -> tuple[int, ...]:
    """The shape that ``f(2, 3)``, ``f((2, 3))`` or ``f(size=(2, 3))`` asks for.

    Raises a TypeError for what is no tuple of integers or another keyword, a RuntimeError for a negative length.
    """
    given: Any = (*sizes, more.pop("size")) if more.get("size") is not None else sizes
    more.pop("size", None)
    if more or not given:
        what = f"unexpected keyword {next(iter(more))!r}" if more else "no size"
        remedy = "" if more else f"{where}(2, 3) or {where}((2, 3))"
        raise TypeMismatch(f"{where}()", f"received an invalid combination of arguments: {what}", "", remedy)
    if len(given) == 1 and isinstance(given[0], tuple | list):
        given = given[0]
    shape = tuple(whole(where, "size", n) for n in given)
    for n in shape:
        if n < 0:
            raise ShapeError(where, f"Trying to create tensor with negative dimension {n}: {list(shape)}")
    return shape


def whole(where: str, name: str, value: Any) -> int:
    """An integer argument; a TypeError for anything else (a float, a bool)."""
    if value.__class__ is int:
        return value
    try:
        if isinstance(value, bool | np.bool_):
            raise TypeError
        return operator.index(value)
    except TypeError:
        kind = "tuple of ints" if name == "size" else "int"
        raise TypeMismatch(f"{where}()", f"argument {name!r} must be {kind}, not {type(value).__name__}") from None


def bounds(where: str, low: Any, high: Any) -> tuple[int, int]:
    """The bounds of random integers, low < high."""
    first, end = whole(where, "low", low), whole(where, "high", high)
    demand(first < end, where, f"random_ expects 'from' to be less than 'to', but got from={first} >= to={end}")
    return first, end


def tensor_argument(where: str, name: str, value: Any) -> Any:
    """The raw array of an argument that must be a tensor."""
    tensors(where, **{name: value})
    return value._a


def made(
    where: str, draw: Draw, shape: Any, generator: Any, out: Tensor | None, dtype: Any, device: Any, requires_grad: bool,
    default: Any = None,
) -> Tensor:  # fmt: skip
    """A new tensor of what is drawn, or the same in ``out``; without a default type it must be one of floats."""
    kind = to_numpy_dtype(dtype if dtype is not None else default or get_default_dtype()) if out is None else out._a.dtype
    if dtype is not None and to_numpy_dtype(dtype) != kind:
        asked, have = (type_name(k) for k in (to_numpy_dtype(dtype), kind))
        raise DtypeError("out", f"dtype {asked} does not match dtype of out parameter ({have})")
    if default is None:
        demand_floating(where, kind, complex_too=True)
    if out is not None:
        return fill(where, out if out._a.shape == shape else resize_(out, shape), generator, draw)
    place = to_device(device)
    try:
        t = finished(mapped(shape, kind) if place.type == "meta" else draw(*source(place, generator), shape, kind, ()), requires_grad)
    except MemoryError as error:
        raise exhausted(where, error) from None
    if generator is None:
        told("drawn", t, lambda: draw(*source(place), shape, kind, ()))
    return t


def deliver(values: Any, out: Tensor | None = None, requires_grad: bool = False) -> Tensor:
    """A tensor around new values, or ``out`` with them."""
    if out is None:
        return finished(values, requires_grad)
    check_writable("out", out, 0, STATE.word)
    (out if out._a.shape == values.shape else resize_(out, values.shape))._a[...] = values
    changed(out._v, "out=")
    return out


@op(dtypes=None)
def drawn(input: Array, values: Fixed, other: Array | None = None) -> Array:
    """Random values that stand in the place of a tensor, or depend on it as a parameter: the gradient is zero, as PyTorch's.

    >>> import dovetail as dv
    >>> (dv.ones(2, requires_grad=True) * 2).normal_().requires_grad
    True
    """
    return values


drawn.vjp(lambda g: g * 0, lambda g: g * 0)


def fill(name: str, target: Tensor, generator: Any, draw: Draw) -> Tensor:
    """Overwrite a tensor with what is drawn and return it.

    The draws go in the order of the memory, as PyTorch's loops do: ``order`` lists the dimensions from the widest stride
    to the narrowest, and ``shape`` is the tensor's in that order.
    """
    word, a = STATE.word, tensor_argument(f"{name}_", "self", target)
    check_writable(name, target, 0, word)
    if a.__class__ is Memoryless:
        changed(target._v, f"{name}_")
        return target
    streams, gen = source(device_of(a), generator)
    try:
        if a.flags.c_contiguous:
            values = draw(streams, gen, a.shape, a.dtype, ())
        else:
            order = tuple(sorted(range(a.ndim), key=lambda d: -abs(a.strides[d])))
            values = draw(streams, gen, tuple(a.shape[d] for d in order), a.dtype, order).transpose(*map(order.index, range(a.ndim)))
    except MemoryError as error:
        raise exhausted(f"{name}_", error, (target,)) from None
    if word & GRAD and (target._n is not None or getattr(target, "_b", None) is not None):
        write(drawn.op, [target, values, None])  # the graph hears of it
    else:
        a[...] = values
        changed(target._v, f"{name}_")
    return target


def unpack_seed(seed: Any) -> int:
    """A seed in 64 bits, from anything that ``int`` takes."""
    value = int(seed)
    if not -(2**63) <= value < 2**64:
        what = f"Overflow when unpacking long long: seed is {value}, which does not fit into 64 bits"
        raise ValueRangeError("manual_seed", what, "expected -2**63 <= seed < 2**64", "use seed % 2**64")
    return value
