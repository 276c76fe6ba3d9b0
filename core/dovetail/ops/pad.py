"""Padding: constant, reflect, replicate and circular borders."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..errors import ShapeError, UnsupportedError
from ._op import Array, op, xp
from ._windows import listing, refuse_types

__all__: list[str] = []
FUNCTIONAL = ("pad",)

Sides = tuple[tuple[int, int], ...]  # (before, after) for each dimension, negative to cut


@op(dtypes=None)
def constant_pad_nd(input: Array, sides: Sides, value: Any) -> Array:
    """Put `value` around the elements; a negative side cuts instead."""
    shape = tuple(n + a + b for n, (a, b) in zip(input.shape, sides, strict=True))
    inner = tuple(slice(max(-a, 0), n - max(-b, 0)) for n, (a, b) in zip(input.shape, sides, strict=True))
    if all(a <= 0 and b <= 0 for a, b in sides):
        return input[inner].copy()
    out = xp(input).full(shape, value, input.dtype) if value else xp(input).zeros(shape, input.dtype)
    out[tuple(slice(max(a, 0), m - max(b, 0)) for m, (a, b) in zip(shape, sides, strict=True))] = input[inner]
    return out


constant_pad_nd.vjp(lambda g, sides: constant_pad_nd(g, tuple((-a, -b) for a, b in sides), 0))


@op(dtypes=None)
def border_pad(input: Array, sides: Sides, mode: str) -> Array:
    """Pad each dimension by its own elements: "reflect", "replicate" or "circular"; a negative side cuts."""
    for axis, (a, b) in enumerate(sides):
        if not (a or b):
            continue
        n = input.shape[axis]
        shape = (*input.shape[:axis], n + a + b, *input.shape[axis + 1 :])
        out = xp(input).empty(shape, input.dtype)
        for target, source in _pieces(n, a, b, mode):
            out[_along(axis, target)] = input[_along(axis, source)]
        input = out
    return input


border_pad.vjp(lambda g, input_shape, sides, mode: border_pad_grad(g, input_shape, sides, mode))


@op(dtypes=None)
def border_pad_grad(grad: Array, shape: Any, sides: Sides, mode: str) -> Array:
    """The gradient of :func:`border_pad`: borders are added to the elements that they repeat."""
    for axis in range(len(sides) - 1, -1, -1):
        a, b = sides[axis]
        if not (a or b):
            continue
        n = shape[axis]
        out = xp(grad).zeros((*grad.shape[:axis], n, *grad.shape[axis + 1 :]), grad.dtype)
        for target, source in _pieces(n, a, b, mode):
            part = grad[_along(axis, target)]
            if source.stop is not None and source.step is None and source.stop - source.start == 1:
                part = part.sum(axis=axis, keepdims=True, dtype=grad.dtype)
            out[_along(axis, source)] += part
        grad = out
    return grad


border_pad_grad.vjp(lambda g, sides, mode: border_pad(g, sides, mode))


def _along(axis: int, part: slice) -> tuple[slice, ...]:
    return (*(slice(None),) * axis, part)


def _pieces(n: int, a: int, b: int, mode: str) -> Iterator[tuple[slice, slice]]:
    """(place in the result, place in the input) of the middle and of each border along one dimension of n elements."""
    low, high = max(-a, 0), n - max(-b, 0)
    before, after = max(a, 0), max(b, 0)
    if high > low:
        yield slice(before, before + high - low), slice(low, high)
    end = before + high - low
    if mode == "reflect":
        if before:
            yield slice(0, before), _backwards(1, before)
        if after:
            yield slice(end, end + after), _backwards(n - 1 - after, after)
    elif mode == "replicate":
        if before:
            yield slice(0, before), slice(0, 1)
        if after:
            yield slice(end, end + after), slice(n - 1, n)
    else:  # circular: what is left after cutting goes round
        if before:
            yield slice(0, before), slice(high - before, high)
        if after:
            yield slice(end, end + after), slice(low, low + after)


def _backwards(first: int, count: int) -> slice:
    """`count` elements from `first` on, in reverse."""
    return slice(first + count - 1, first - 1 if first else None, -1)


def pad(input: Any, pad: Any, mode: str = "constant", value: float | None = None) -> Any:
    """Pad the last dimensions: `pad` holds (before, after) of the last one, then of the one before it, and so on.

    `mode` "constant" fills with `value` (0); "reflect", "replicate" and "circular" repeat the input's own elements in the
    last one to three dimensions. Negative sides cut. Raises a RuntimeError for a padding that does not fit the input.

    >>> import dovetail as dv
    >>> dv.nn.functional.pad(dv.tensor([[1., 2., 3.]]), (2, 1), mode="circular")
    tensor([[2., 3., 1., 2., 3., 1.]])
    """
    pad, shape = [int(p) for p in pad], input._a.shape
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
    return border_pad(input, sides, mode)


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
        if mode == "circular" and max(a, b) > n:
            text = f"Padding value causes wrapping around more than once (padding ({a}, {b}), dimension {axis} of {listing(shape)})"
            raise ShapeError("pad", text)
        if mode == "replicate" and n == 0 and (a or b):
            raise ShapeError("pad", f"Expected a non-empty dimension {axis} to replicate, got input {listing(shape)}")
