"""Lowerings of special functions, as series that are computed in float64."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import dovetail as dv

__all__: list[str] = []

_FAR = 8  # from here on the asymptotic series are good to 1e-12
#: B₂ₖ / (2k (2k − 1)) and B₂ₖ / 2k, with Bernoulli's numbers (NIST Digital Library of Mathematical Functions, 5.11.1 and 5.11.2).
_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360)
_PSI = (1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760)
#: Giles, Approximating the erfinv function, GPU Computing Gems, 2011: near the middle, and far out; relative errors are below 4e-7.
_MIDDLE = (
    1.50140941, 0.246640727, -0.00417768164, -0.00125372503, 0.00021858087, -4.39150654e-06, -3.5233877e-06, 3.43273939e-07,
    2.81022636e-08,
)  # fmt: skip
_TAIL = (
    2.83297682, 1.00167406, 0.00943887047, -0.0076224613, 0.00573950773, -0.00367342844, 0.00134934322, 0.000100950558, -0.000200214257,
)  # fmt: skip


def _horner(g: Any, coefficients: Sequence[float], x: Any) -> Any:
    """c₀ + c₁ x + c₂ x² + …"""
    out: Any = g.const(coefficients[-1], dv.float64)
    for c in coefficients[-2::-1]:
        out = g.Add(g.Mul(out, x), c)
    return out


def _number(g: Any, value: float) -> Any:
    return g.const(value, dv.float64)


def erfinv(g: Any, input: Any) -> Any:
    x = g.cast(input, dv.float64)
    w = g.Neg(g.Log(g.Mul(g.Sub(1.0, x), g.Add(x, 1.0))))
    far = g.Sub(g.Sqrt(g.Max(w, 0.0)), 3.0)
    out = g.Mul(x, g.Where(g.Less(w, 5.0), _horner(g, _MIDDLE, g.Sub(w, 2.5)), _horner(g, _TAIL, far)))
    out = g.Where(g.Equal(g.Abs(x), 1.0), g.Mul(x, math.inf), out)
    return g.cast(out, input.dtype)


def _shifted(g: Any, x: Any) -> tuple[Any, list[Any], Any]:
    """x + 8 where x is small, the eight numbers on the way, and where that is."""
    small = g.Less(x, float(_FAR))
    return g.Where(small, g.Add(x, float(_FAR)), x), [g.Add(x, float(k)) for k in range(_FAR)], small


def lgamma(g: Any, input: Any) -> Any:
    """Stirling's series, with the recurrence below 8 and the reflection below a half."""
    x = g.cast(input, dv.float64)
    left = g.Less(x, 0.5)
    positive = g.Where(left, g.Sub(1.0, x), x)
    far, steps, small = _shifted(g, positive)
    product = steps[0]
    for step in steps[1:]:
        product = g.Mul(product, step)
    r = g.Reciprocal(far)
    out = g.Add(g.Sub(g.Mul(g.Sub(far, 0.5), g.Log(far)), far), 0.5 * math.log(2 * math.pi))
    out = g.Add(out, g.Mul(r, _horner(g, _STIRLING, g.Mul(r, r))))
    out = g.Sub(out, g.Where(small, g.Log(product), _number(g, 0)))
    sine = g.Abs(g.Sin(g.Mul(g.Sub(x, g.Round(x)), math.pi)))
    out = g.Where(left, g.Sub(g.Sub(math.log(math.pi), g.Log(sine)), out), out)
    return g.cast(g.Where(g.IsInf(x), _number(g, math.inf), out), input.dtype)


def digamma(g: Any, input: Any) -> Any:
    """The asymptotic series, with the recurrence below 8 and the reflection below zero."""
    x = g.cast(input, dv.float64)
    left = g.Less(x, 0.0)
    far, steps, small = _shifted(g, g.Where(left, g.Sub(1.0, x), x))
    total = g.Reciprocal(steps[0])
    for step in steps[1:]:
        total = g.Add(total, g.Reciprocal(step))
    r = g.Reciprocal(g.Mul(far, far))
    out = g.Sub(g.Sub(g.Log(far), g.Div(0.5, far)), g.Mul(r, _horner(g, _PSI, r)))
    out = g.Sub(out, g.Where(small, total, _number(g, 0)))
    turned = g.Sub(x, g.Round(x))
    around = g.Mul(turned, math.pi)
    out = g.Where(left, g.Sub(out, g.Mul(g.Div(g.Cos(around), g.Sin(around)), math.pi)), out)
    nowhere = g.Or(g.And(left, g.Equal(turned, 0.0)), g.Equal(x, -math.inf))
    out = g.Where(nowhere, _number(g, math.nan), out)
    pole = g.Div(-1.0, x)  # −∞ at 0 and ∞ at −0
    return g.cast(g.Where(g.Equal(x, 0.0), pole, out), input.dtype)


def frexp(g: Any, input: Any) -> tuple[Any, Any]:
    x = g.cast(input, dv.float64)
    size = g.Abs(x)
    plain = g.And(g.Greater(size, 0.0), g.Less(size, math.inf))
    safe = g.Where(plain, x, _number(g, 1))
    exponent = g.Add(g.Floor(g.Div(g.Log(g.Abs(safe)), math.log(2))), 1.0)
    high = g.GreaterOrEqual(g.Abs(g.Div(safe, g.Pow(_number(g, 2), exponent))), 1.0)  # the logarithm was rounded over a power of two
    exponent = g.Add(exponent, g.cast(high, dv.float64))
    low = g.Less(g.Abs(g.Div(safe, g.Pow(_number(g, 2), exponent))), 0.5)
    exponent = g.Sub(exponent, g.cast(low, dv.float64))
    mantissa = g.Where(plain, g.Div(safe, g.Pow(_number(g, 2), exponent)), x)
    return g.cast(mantissa, input.dtype), g.cast(g.Where(plain, exponent, _number(g, 0)), dv.int32)


def angle(g: Any, input: Any) -> Any:
    kind = input.dtype
    return g.Where(g.Less(input, 0), g.const(math.pi, kind), g.Where(g.IsNaN(input), input, g.const(0, kind)))
