"""Limits: clamping to bounds, and the larger or smaller of two."""

from __future__ import annotations

import math
from typing import Any

from ..autograd.node import CLASSES, Tensor, titled
from ..errors import DtypeError, TypeMismatch
from ._op import Array, op, xp
from ._refuse import NotForType, fits, no_bools, tensors
from ._ufunc import ufunc
from .arithmetic import mul
from .inplace import write
from .select import masked_out

__all__ = ["clamp", "clamp_max", "clamp_min", "clip", "fmax", "fmin", "maximum", "minimum"]
INPLACE_FUNCTIONS = ("clamp", "clamp_max", "clamp_min", "clip")


def _no_complex(where: str, a: Any) -> None:
    if a.dtype.kind == "c":
        raise NotForType(where, f"{where} is not supported for complex types")


@op(name="clamp")
def _clamp(input: Array, min: Any, max: Any) -> Array:
    return input.clip(-math.inf if min is None else min, math.inf if max is None else max)  # two bounds are the fast loop


_clamp.vjp(lambda g, input, min, max: masked_out(g, _within(input, min, max), False))


def _within(input: Any, min: Any, max: Any) -> Any:
    if max is None:
        return input >= min
    return input <= max if min is None else (input >= min) & (input <= max)


@op
def clamp_between(input: Array, min: Array | None, max: Array | None) -> Array:
    """clamp where a bound is a tensor or the input is not floating, so that types may need promotion."""
    no_bools("clamp", input)
    m, out = xp(input), input
    if min is not None:
        out = m.maximum(out, min)
    return out if max is None else m.minimum(out, max)


clamp_between.vjp(0)(lambda g, input, min, max: masked_out(g, _within(input, min, max), False))
clamp_between.vjp(1)(lambda g, input, min, max: masked_out(g, input < min if max is None else (input < min) & (min < max), False))
clamp_between.vjp(2)(lambda g, input, min, max: masked_out(g, input > max if min is None else (input > max) | (max < min), False))


_NUMBERS = (int, float)


def _chosen(input: Tensor, min: Any, max: Any) -> Any:
    """The op for these bounds, after checks."""
    tensors("clamp", input=input)
    if min is None and max is None:
        raise DtypeError("clamp", "At least one of 'min' or 'max' must not be None")
    dtype = input._a.dtype
    if dtype.kind == "f" and (min is None or min.__class__ in _NUMBERS) and (max is None or max.__class__ in _NUMBERS):
        return _clamp
    _no_complex("clamp", input._a)
    if complex in (min.__class__, max.__class__):
        raise NotForType("clamp", "clamp is not supported for complex types")
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
    return titled("ClampMin0", clamp(input, min))


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
    return titled("ClampMax0", clamp(input, None, max))


def clamp_max_(input: Tensor, max: Any) -> Tensor:
    """In-place form of :func:`clamp_max`."""
    return clamp_(input, None, max)


def _own(g: Any, behind: Any, tie: Any) -> Any:
    """The part of the gradient of maximum or minimum that belongs to one operand: all but where it is behind, half at a tie."""
    return masked_out(mul(g, 0.5).where(tie, g), behind, True)


@ufunc(check=_no_complex)
def maximum(input: Array, other: Array) -> Array:
    """The larger of two elements, broadcast; NaN if one is. A tie shares the gradient equally.

    >>> import dovetail as dv
    >>> dv.maximum(dv.tensor([1., 5.]), dv.tensor([3., 2.]))
    tensor([3., 5.])
    """


maximum.vjp(lambda g, input, other: _own(g, input < other, input == other), lambda g, input, other: _own(g, input > other, input == other))


@ufunc(check=_no_complex)
def minimum(input: Array, other: Array) -> Array:
    """The smaller of two elements, broadcast; NaN if one is. A tie shares the gradient equally.

    >>> import dovetail as dv
    >>> dv.minimum(dv.tensor([1., 5.]), dv.tensor([3., 2.]))
    tensor([1., 2.])
    """


minimum.vjp(lambda g, input, other: _own(g, input > other, input == other), lambda g, input, other: _own(g, input < other, input == other))


@ufunc(check=_no_complex)
def fmax(input: Array, other: Array) -> Array:
    """The larger of two elements, broadcast; a NaN loses against a number.

    >>> import dovetail as dv
    >>> dv.fmax(dv.tensor([1., float("nan")]), dv.tensor([3., 2.]))
    tensor([3., 2.])
    """


fmax.vjp(0)(lambda g, input, other: masked_out(g, (input >= other) | (other != other), False))
fmax.vjp(1)(lambda g, input, other: masked_out(g, (input >= other) | (other != other), True))


@ufunc(check=_no_complex)
def fmin(input: Array, other: Array) -> Array:
    """The smaller of two elements, broadcast; a NaN loses against a number.

    >>> import dovetail as dv
    >>> dv.fmin(dv.tensor([1., float("nan")]), dv.tensor([3., 2.]))
    tensor([1., 2.])
    """


fmin.vjp(0)(lambda g, input, other: masked_out(g, (input <= other) | (other != other), False))
fmin.vjp(1)(lambda g, input, other: masked_out(g, (input <= other) | (other != other), True))


clip, clip_ = clamp, clamp_
