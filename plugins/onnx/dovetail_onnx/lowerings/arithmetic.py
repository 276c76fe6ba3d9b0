"""Lowerings of arithmetic, rounding, exponentials and trigonometry."""

from __future__ import annotations

import math
from typing import Any

import dovetail as dv

from ._common import plain

__all__: list[str] = []

neg, reciprocal, sqrt, exp, log = (plain(op) for op in ("Neg", "Reciprocal", "Sqrt", "Exp", "Log"))
div, sign, sgn, erf = (plain(op) for op in ("Div", "Sign", "Sign", "Erf"))
sin, cos, tan, asin, acos, atan = (plain(op) for op in ("Sin", "Cos", "Tan", "Asin", "Acos", "Atan"))
sinh, cosh, asinh, acosh, atanh = (plain(op) for op in ("Sinh", "Cosh", "Asinh", "Acosh", "Atanh"))
tanh, sigmoid = plain("Tanh"), plain("Sigmoid")


def _is_int(x: Any) -> bool:
    return not x.dtype.is_floating_point


def add(g: Any, input: Any, other: Any) -> Any:
    return g.Or(input, other) if input.dtype is dv.bool else g.Add(input, other)


def add_scaled(g: Any, input: Any, other: Any, alpha: Any) -> Any:
    return g.Add(input, g.Mul(other, alpha))


def sub(g: Any, input: Any, other: Any) -> Any:
    return g.Sub(input, other)


def mul(g: Any, input: Any, other: Any) -> Any:
    return g.And(input, other) if input.dtype is dv.bool else g.Mul(input, other)


def abs(g: Any, input: Any) -> Any:
    return input if input.dtype in (dv.bool, dv.uint8) else g.Abs(input)


def addcmul(g: Any, input: Any, tensor1: Any, tensor2: Any, value: Any) -> Any:
    both = g.Mul(tensor1, tensor2)
    return g.Add(input, both if value == 1 else g.Mul(both, value))


def addcdiv(g: Any, input: Any, tensor1: Any, tensor2: Any, value: Any) -> Any:
    both = g.Div(tensor1, tensor2)
    return g.Add(input, both if value == 1 else g.Mul(both, value))


def lerp(g: Any, input: Any, end: Any, weight: Any) -> Any:
    return g.Add(input, g.Mul(weight, g.Sub(end, input)))


def square(g: Any, input: Any) -> Any:
    return g.Mul(input, input)


def rsqrt(g: Any, input: Any) -> Any:
    return g.Reciprocal(g.Sqrt(input))


def pow(g: Any, input: Any, exponent: Any) -> Any:
    return g.Pow(input, exponent)


def floor_divide(g: Any, input: Any, other: Any) -> Any:
    if not _is_int(input):
        return g.Floor(g.Div(input, other))
    quotient = g.Div(input, other)  # towards zero
    rest = g.Sub(input, g.Mul(quotient, other))
    low = g.And(g.Not(g.Equal(rest, 0)), g.Xor(g.Less(rest, 0), g.Less(other, 0)))
    return g.Sub(quotient, g.cast(low, input.dtype))


floor_quotient = floor_divide


def truncated_quotient(g: Any, input: Any, other: Any) -> Any:
    quotient = g.Div(input, other)
    return quotient if _is_int(input) else trunc(g, quotient)


def remainder(g: Any, input: Any, other: Any) -> Any:
    if _is_int(input):
        return g.Mod(input, other)
    rest = g.Mod(input, other, fmod=1)
    other_side = g.And(g.Not(g.Equal(rest, 0)), g.Xor(g.Less(rest, 0), g.Less(other, 0)))
    return g.Where(other_side, g.Add(rest, other), rest)


def fmod(g: Any, input: Any, other: Any) -> Any:
    return g.Mod(input, other, fmod=1)


def floor(g: Any, input: Any) -> Any:
    return input if _is_int(input) else g.Floor(input)


def ceil(g: Any, input: Any) -> Any:
    return input if _is_int(input) else g.Ceil(input)


def trunc(g: Any, input: Any) -> Any:
    return input if _is_int(input) else g.Mul(g.Sign(input), g.Floor(g.Abs(input)))


def frac(g: Any, input: Any) -> Any:
    return g.Sub(input, trunc(g, input))


def round(g: Any, input: Any, decimals: int) -> Any:
    if _is_int(input):
        return input
    if not decimals:
        return g.Round(input)
    scale = 10.0**decimals
    return g.Div(g.Round(g.Mul(input, scale)), scale)


def heaviside(g: Any, input: Any, values: Any) -> Any:
    return g.Where(g.Equal(input, 0), values, g.cast(g.Greater(input, 0), values.dtype))


def nan_to_num(g: Any, input: Any, nan: Any, posinf: Any, neginf: Any) -> Any:
    if _is_int(input):
        return input
    limits = dv.finfo(input.dtype)
    out = g.Where(g.IsNaN(input), g.const(nan or 0.0, input.dtype), input)
    out = g.Where(g.IsInf(input, detect_negative=0), g.const(limits.max if posinf is None else posinf, input.dtype), out)
    return g.Where(g.IsInf(input, detect_positive=0), g.const(limits.min if neginf is None else neginf, input.dtype), out)


def clamp(g: Any, input: Any, min: Any, max: Any) -> Any:
    low, high = (None if v is None else g.ref(v, input.dtype) for v in (min, max))
    return g.Clip(input, low, high)


def clamp_between(g: Any, input: Any, min: Any, max: Any) -> Any:
    out = input if min is None else g.Max(input, min)
    return out if max is None else g.Min(out, max)


maximum, minimum = plain("Max"), plain("Min")


def fmax(g: Any, input: Any, other: Any) -> Any:
    return g.Where(g.IsNaN(input), other, g.Where(g.IsNaN(other), input, g.Max(input, other)))


def fmin(g: Any, input: Any, other: Any) -> Any:
    return g.Where(g.IsNaN(input), other, g.Where(g.IsNaN(other), input, g.Min(input, other)))


def exp2(g: Any, input: Any) -> Any:
    return g.Exp(g.Mul(input, math.log(2)))


def expm1(g: Any, input: Any) -> Any:
    return g.Sub(g.Exp(input), 1)


def log2(g: Any, input: Any) -> Any:
    return g.Div(g.Log(input), math.log(2))


def log10(g: Any, input: Any) -> Any:
    return g.Div(g.Log(input), math.log(10))


def log1p(g: Any, input: Any) -> Any:
    return g.Log(g.Add(input, 1))


def logit(g: Any, input: Any, eps: Any) -> Any:
    x = input if eps is None else g.Clip(input, g.const(eps, input.dtype), g.const(1 - eps, input.dtype))
    return g.Log(g.Div(x, g.Sub(1, x)))


def logaddexp(g: Any, input: Any, other: Any) -> Any:
    return g.Add(g.Max(input, other), g.Log(g.Add(g.Exp(g.Neg(g.Abs(g.Sub(input, other)))), 1)))


def logaddexp2(g: Any, input: Any, other: Any) -> Any:
    beside = g.Add(exp2(g, g.Neg(g.Abs(g.Sub(input, other)))), 1)
    return g.Add(g.Max(input, other), log2(g, beside))


def signbit(g: Any, input: Any) -> Any:
    below = g.Less(input, 0)
    return below if _is_int(input) else g.Or(below, g.Less(g.Reciprocal(input), 0))  # −0 has one too


def copysign(g: Any, input: Any, other: Any) -> Any:
    size = g.Abs(input)
    return g.Where(signbit(g, other), g.Neg(size), size)


def xlogy(g: Any, input: Any, other: Any) -> Any:
    safe = g.Where(g.Equal(input, 0), g.const(1, input.dtype), other)
    return g.Mul(input, g.Log(safe))


def erfc(g: Any, input: Any) -> Any:
    return g.Sub(1, g.Erf(input))


def hypot(g: Any, input: Any, other: Any) -> Any:
    return g.Sqrt(g.Add(g.Mul(input, input), g.Mul(other, other)))


def atan2(g: Any, input: Any, other: Any) -> Any:
    """The angle of (other, input): the arc tangent, turned by π on the left side."""
    kind = input.dtype
    line = g.Equal(other, 0)
    angle = g.Atan(g.Div(input, g.Where(line, g.const(1, kind), other)))
    half = g.Where(g.Less(input, 0), g.const(-math.pi, kind), g.const(math.pi, kind))
    angle = g.Where(g.Less(other, 0), g.Add(angle, half), angle)
    upright = g.Mul(g.Sign(input), math.pi / 2)
    return g.Where(line, upright, angle)


def sinc(g: Any, input: Any) -> Any:
    x = g.Mul(input, math.pi)
    zero = g.Equal(x, 0)
    return g.Where(zero, g.const(1, input.dtype), g.Div(g.Sin(x), g.Where(zero, g.const(1, input.dtype), x)))


def deg2rad(g: Any, input: Any) -> Any:
    return g.Mul(input, math.pi / 180)


def rad2deg(g: Any, input: Any) -> Any:
    return g.Mul(input, 180 / math.pi)
