"""Padding: constant, reflect, replicate and circular borders."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..autograd.node import titled
from ..errors import ShapeError, TypeMismatch, UnsupportedError
from ._dims import sizes_of
from ._layout import copied
from ._op import Array, op, xp
from ._refuse import fits, listing, refuse_types
from .index import getitem_grad, slices

__all__: list[str] = []
FUNCTIONAL = ("pad",)

Sides = tuple[tuple[int, int], ...]  # (before, after) for each dimension, negative to cut


@op(dtypes=None, contiguous="volumes")
def constant_pad_nd(input: Array, sides: Sides, value: Any) -> Array:
    """Put `value` around the elements; a negative side cuts instead."""
    shape = tuple(n + a + b for n, (a, b) in zip(input.shape, sides, strict=True))
    inner = tuple(slice(max(-a, 0), n - max(-b, 0)) for n, (a, b) in zip(input.shape, sides, strict=True))
    if all(a <= 0 and b <= 0 for a, b in sides):
        return copied(input[inner])
    out = xp(input).full(shape, fits("pad", value, input.dtype), input.dtype) if value else xp(input).zeros(shape, input.dtype)
    out[tuple(slice(max(a, 0), m - max(b, 0)) for m, (a, b) in zip(shape, sides, strict=True))] = input[inner]
    return out


constant_pad_nd.vjp(lambda g, sides: constant_pad_nd(g, tuple((-a, -b) for a, b in sides), 0))


def _places(module: Any, shape: Any, sides: Sides, mode: str) -> Iterator[tuple[int, Any]]:
    """Each dimension that is padded, and which of its elements stand in the result."""
    for axis, (n, (before, after)) in enumerate(zip(shape, sides, strict=True)):
        if before or after:
            at, low, end = module.arange(-before, n + after), max(-before, 0), n - max(-after, 0)
            around = low + (at - low) % max(end - low, 1) if mode == "circular" else n - 1 - abs(n - 1 - abs(at))
            yield axis, at.clip(0, n - 1) if mode == "replicate" else around  # of a cut dimension, what is left goes round


@op(dtypes=None, contiguous="volumes")
def border_pad(input: Array, sides: Sides, mode: str) -> Array:
    """Put the input's own elements around it; a negative side cuts."""
    for axis, at in _places(xp(input), input.shape, sides, mode):
        input = input.take(at, axis)
    return input


border_pad.vjp(lambda g, input_shape, sides, mode: border_pad_grad(g, input_shape, sides, mode))


@op(dtypes=None)
def border_pad_grad(grad: Array, shape: Any, sides: Sides, mode: str) -> Array:
    """The elements of `grad` added where `border_pad` took them from."""
    for axis, at in _places(xp(grad), shape, sides, mode):
        grad = getitem_grad.op.forward(grad, (*grad.shape[:axis], shape[axis], *grad.shape[axis + 1 :]), None, slices(axis, at))
    return grad


border_pad_grad.vjp(lambda g, sides, mode: border_pad(g, sides, mode))


def pad(input: Any, pad: Any, mode: str = "constant", value: float | None = None) -> Any:
    """Pad the last dimensions: `pad` holds (before, after) of the last one, then of the one before it, and so on.

    `mode` "constant" fills with `value` (0); "reflect", "replicate" and "circular" repeat the input's own elements in the
    last one to three dimensions. Negative sides cut. Raises a RuntimeError for a padding that does not fit the input.

    >>> import dovetail as dv
    >>> dv.nn.functional.pad(dv.tensor([[1., 2., 3.]]), (2, 1), mode="circular")
    tensor([[2., 3., 1., 2., 3., 1.]])
    """
    if not isinstance(pad, tuple | list):
        raise TypeMismatch("pad()", f"argument 'pad' (position 2) must be tuple of ints, not {type(pad).__name__}")
    pad, shape = list(sizes_of("pad", (pad,), "pad")), input._a.shape
    if len(pad) % 2:
        raise ShapeError("pad", f"Padding length must be divisible by 2 (got {pad})")
    if len(pad) > 2 * len(shape):
        text = f"Padding length should be less than or equal to two times the input dimension but got padding length {len(pad)}"
        raise ShapeError("pad", f"{text} and input of dimension {len(shape)}")
    k = len(pad) // 2
    sides = (*((0, 0),) * (len(shape) - k), *((pad[2 * i], pad[2 * i + 1]) for i in range(k - 1, -1, -1)))
    for axis, (n, (a, b)) in enumerate(zip(shape, sides, strict=True)):
        if n + a + b < 0 or n + min(a, 0) + min(b, 0) < 0:
            text = f"narrow(): length must be non-negative. Padding ({a}, {b}) cuts more than the {n} elements of dimension {axis}"
            raise ShapeError("pad", text)
    if mode == "constant":
        return constant_pad_nd(input, sides, value or 0)
    _check_border(shape, sides, k, mode, value)
    refuse_types("pad", input._a, "" if mode == "circular" else "b")
    names = {"reflect": f"ReflectionPad{k}D0", "replicate": f"ReplicationPad{k}D0", "circular": "CopySlices"}
    given = input.contiguous() if mode == "circular" else input  # whose result PyTorch lays out afresh
    return titled(names[mode], border_pad(given, sides, mode) if any(map(any, sides)) else input.clone())


def _check_border(shape: Any, sides: Sides, k: int, mode: str, value: float | None) -> None:
    if mode not in ("reflect", "replicate", "circular"):
        raise UnsupportedError("pad", f"Unrecognised padding mode {mode}", "expected constant, reflect, replicate or circular")
    if value:
        raise ShapeError("pad", f'Padding mode "{mode}" doesn\'t take in value argument (value={value})')
    if not 1 <= k <= 3 or len(shape) not in (k + 1, k + 2):
        text = f"Padding size {2 * k} is not supported for {len(shape)}D input tensor"
        raise UnsupportedError("pad", text, "expected to pad the last 1 to 3 dimensions, with 1 or 2 before them")
    for axis, (n, (a, b)) in enumerate(zip(shape, sides, strict=True)):
        if mode == "reflect" and max(a, b) >= n and (a or b):
            text = "Padding size should be less than the corresponding input dimension, but got: padding "
            raise ShapeError("pad", f"{text}({a}, {b}) at dimension {axis} of input {listing(shape)}")
        if mode == "circular" and max(a, b) > n + min(a, 0) + min(b, 0):
            text = f"Padding value causes wrapping around more than once (padding ({a}, {b}), dimension {axis} of {listing(shape)})"
            raise ShapeError("pad", text)
        if mode == "replicate" and n == 0 and (a or b):
            raise ShapeError("pad", f"Expected a non-empty dimension {axis} to replicate, got input {listing(shape)}")
