"""Limits: clamping to bounds, and the larger or smaller of two."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..autograd.node import CLASSES, Tensor
from ..errors import DtypeError, TypeMismatch
from ._blockwise import masked
from ._op import Array, Fixed, op, xp
from ._refuse import NotForType, fits, no_bools, tensors
from .inplace import write

__all__ = ["clamp", "clamp_", "clamp_max", "clamp_max_", "clamp_min", "clamp_min_", "clip", "clip_", "fmax", "fmin", "maximum", "minimum"]


def _no_complex(where: str, dtype: Any) -> None:
    if dtype.kind == "c":
        raise NotForType(where, f"{where} is not supported for complex types")


@op(name="clamp")
def _clamp(input: Array, min: Any, max: Any) -> Array:
    return input.clip(-math.inf if min is None else min, math.inf if max is None else max)  # two bounds are the fast loop


_clamp.vjp(lambda g, input, min, max: clamp_grad(g, input, min, max))


@op
def clamp_between(input: Array, min: Array | None, max: Array | None) -> Array:
    """clamp where a bound is a tensor or the input is not floating, so that types may need promotion."""
    no_bools("clamp", input)
    m, out = xp(input), input
    if min is not None:
        out = m.maximum(out, min)
    return out if max is None else m.minimum(out, max)


clamp_between.vjp(0)(lambda g, input, min, max: clamp_grad(g, input, min, max))


@clamp_between.vjp(1)
def _(g: Any, input: Any, min: Any, max: Any) -> Any:
    below = input < min
    return g.masked_fill(~(below if max is None else below & (min < max)), 0)


@clamp_between.vjp(2)
def _(g: Any, input: Any, min: Any, max: Any) -> Any:
    above = input > max
    return g.masked_fill(~(above if min is None else above | (max < min)), 0)


@op
def clamp_grad(grad: Array, input: Fixed, min: Fixed, max: Fixed) -> Array:
    """The gradient of clamp: `grad` where the element lies within the bounds (or on one), else 0."""
    if max is None:
        inside = input >= min
    else:
        inside = input <= max if min is None else (input >= min) & (input <= max)
    return masked(grad, ~inside)


clamp_grad.vjp(lambda g, input, min, max: clamp_grad(g, input, min, max))


_NUMBERS = (int, float)


def _chosen(input: Tensor, min: Any, max: Any) -> Any:
    """The op for these bounds, after checks."""
    tensors("clamp", input=input)
    if min is None and max is None:
        raise DtypeError("clamp", "At least one of 'min' or 'max' must not be None")
    dtype = input._a.dtype
    if dtype.kind == "f" and (min is None or min.__class__ in _NUMBERS) and (max is None or max.__class__ in _NUMBERS):
        return _clamp
    _no_complex("clamp", dtype)
    if min is not None and max is not None and (min.__class__ in CLASSES) != (max.__class__ in CLASSES):
        what = f"received an invalid combination of arguments (min {type(min).__name__}, max {type(max).__name__})"
        raise TypeMismatch("clamp()", what, "expected two numbers or two tensors")
    for bound in (min, max):
        if bound.__class__ is int:
            fits("clamp", bound, dtype)
    return clamp_between


def clamp(input: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """Bring each element into [min, max]; the bounds are numbers or tensors, one may be None. NaN stays NaN.

    The gradient passes where the element lies within the bounds or on one.

    >>> import dovetail as dv
    >>> dv.clamp(dv.tensor([-2., 0.5, 3.]), -1, 1)
    tensor([-1.0000,  0.5000,  1.0000])
    """
    return _chosen(input, min, max)(input, min, max)


def clamp_(input: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """In-place form of :func:`clamp`."""
    return write(_chosen(input, min, max).op, [input, min, max])


def _given(where: str, name: str, bound: Any) -> None:
    if bound is None:
        raise TypeMismatch(f"{where}()", f"argument {name!r} must be Tensor or Number, not NoneType")


def clamp_min(input: Tensor, min: Any) -> Tensor:
    """Raise what lies below `min` to it.

    >>> import dovetail as dv
    >>> dv.clamp_min(dv.tensor([-2., 3.]), 0)
    tensor([0., 3.])
    """
    _given("clamp_min", "min", min)
    return clamp(input, min)


def clamp_min_(input: Tensor, min: Any) -> Tensor:
    """In-place form of :func:`clamp_min`."""
    return clamp_(input, min)


def clamp_max(input: Tensor, max: Any) -> Tensor:
    """Lower what lies above `max` to it.

    >>> import dovetail as dv
    >>> dv.clamp_max(dv.tensor([-2., 3.]), 0)
    tensor([-2.,  0.])
    """
    _given("clamp_max", "max", max)
    return clamp(input, None, max)


def clamp_max_(input: Tensor, max: Any) -> Tensor:
    """In-place form of :func:`clamp_max`."""
    return clamp_(input, None, max)


@op
def maximum(input: Array, other: Array) -> Array:
    """The larger of two elements, broadcast; NaN if one is. A tie shares the gradient equally.

    >>> import dovetail as dv
    >>> dv.maximum(dv.tensor([1., 5.]), dv.tensor([3., 2.]))
    tensor([3., 5.])
    """
    out = xp(input if hasattr(input, "dtype") else other).maximum(input, other)
    _no_complex("maximum", out.dtype)
    return out


maximum.vjp(lambda g, input, other: extreme_grad(g, input, other, True), lambda g, input, other: extreme_grad(g, other, input, True))


@op
def minimum(input: Array, other: Array) -> Array:
    """The smaller of two elements, broadcast; NaN if one is. A tie shares the gradient equally.

    >>> import dovetail as dv
    >>> dv.minimum(dv.tensor([1., 5.]), dv.tensor([3., 2.]))
    tensor([1., 2.])
    """
    out = xp(input if hasattr(input, "dtype") else other).minimum(input, other)
    _no_complex("minimum", out.dtype)
    return out


minimum.vjp(lambda g, input, other: extreme_grad(g, input, other, False), lambda g, input, other: extreme_grad(g, other, input, False))


@op
def extreme_grad(grad: Array, mine: Fixed, theirs: Fixed, largest: bool) -> Array:
    """The part of the gradient of maximum or minimum that belongs to `mine`."""
    out = masked(grad, mine < theirs if largest else mine > theirs)
    tie = mine == theirs
    if tie.__class__ is np.ndarray and not tie.any():
        return out
    return xp(grad).where(tie, out * 0.5, out)


extreme_grad.vjp(lambda g, mine, theirs, largest: extreme_grad(g, mine, theirs, largest))


@op
def fmax(input: Array, other: Array) -> Array:
    """The larger of two elements, broadcast; a NaN loses against a number.

    >>> import dovetail as dv
    >>> dv.fmax(dv.tensor([1., float("nan")]), dv.tensor([3., 2.]))
    tensor([3., 2.])
    """
    return xp(input).fmax(input, other)


fmax.vjp(
    lambda g, input, other: g.masked_fill(~((input >= other) | (other != other)), 0),
    lambda g, input, other: g.masked_fill((input >= other) | (other != other), 0),
)


@op
def fmin(input: Array, other: Array) -> Array:
    """The smaller of two elements, broadcast; a NaN loses against a number.

    >>> import dovetail as dv
    >>> dv.fmin(dv.tensor([1., float("nan")]), dv.tensor([3., 2.]))
    tensor([1., 2.])
    """
    return xp(input).fmin(input, other)


fmin.vjp(
    lambda g, input, other: g.masked_fill(~((input <= other) | (other != other)), 0),
    lambda g, input, other: g.masked_fill((input <= other) | (other != other), 0),
)


clip, clip_ = clamp, clamp_
