"""Gamma's logarithm and its derivatives, and Bessel's I0 and I1, on raw float64 arrays, for NumPy and CuPy alike."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from .blockwise import blockwise
from .erf import horner
from .modules import xp

__all__ = ["digamma", "i0", "i1", "lgamma", "polygamma"]

# B(2k), k = 1 ... 8: Bernoulli's numbers (Abramowitz and Stegun 23.2)
_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510)
_STIRLING = tuple(b / (2 * k * (2 * k - 1)) for k, b in enumerate(_BERNOULLI, 1))  # A&S 6.1.40
_PSI = tuple(b / (2 * k) for k, b in enumerate(_BERNOULLI, 1))  # A&S 6.3.18
_FAR, _FAR_ZETA = 10, 16  # from here on the asymptotic series give full precision


def _sin_pi(x: Any) -> Any:
    """sin(pi x), exact at integers."""
    m = xp(x)
    r = x - 2 * m.rint(x / 2)  # in [-1, 1]
    r = m.where(r > 0.5, 1 - r, m.where(r < -0.5, -1 - r, r))
    return m.sin(math.pi * r)


def _shifted(x: Any, far: int, total: float, add: Callable[[Any, Any], Any]) -> tuple[Any, Any]:
    """x + n with the least n that brings a positive x to `far`, and `total` after adding to it x, x + 1, ... x + n - 1."""
    m = xp(x)
    totals = m.full_like(x, total)
    for _ in range(far):
        near = x < far
        totals = m.where(near, add(totals, x), totals)
        x = m.where(near, x + 1, x)
    return x, totals


def _zeta(q: Any, s: Any) -> Any:
    """Hurwitz's zeta(s, q) for q >= 0 by the Euler-Maclaurin formula."""
    q, total = _shifted(q, _FAR_ZETA, 0.0, lambda total, q: total + q ** (-1.0 * s))
    total = total + q ** (1.0 - s) / (s - 1) + 0.5 * q ** (-1.0 * s)
    term = s * q ** (-1.0 - s)
    for k, b in enumerate(_BERNOULLI, 1):
        total = total + term * (b / math.factorial(2 * k))
        term = term * ((s + 2 * k - 1) * (s + 2 * k)) / (q * q)
    return total


# log gamma near its zeros 1 and 2 is small: there Taylor's series with zeta(k) - 1 (A&S 6.1.33) keeps its digits
_EULER = 0.57721566490153286061
_ZETA1 = _zeta(np.full(38, 2.0), np.arange(2, 40)).tolist()  # zeta(k) - 1
_NEAR_TWO = (0.0, 1 - _EULER, *((-1) ** k * z / k for k, z in enumerate(_ZETA1, 2)))  # log gamma(2 + d) by powers of d, |d| <= 0.5


@blockwise
def lgamma(x: Any) -> Any:
    """log |gamma(x)|; infinite at 0 and the negative integers."""
    m = xp(x)
    positive = m.where(x < 0.5, 1 - x, x)
    far, product = _shifted(positive, _FAR, 1.0, operator.mul)
    r = 1 / far
    stirling = (far - 0.5) * m.log(far) - far + 0.5 * math.log(2 * math.pi) + r * horner(_STIRLING, r * r) - m.log(product)
    one, two = positive - 1, positive - 2
    near = m.where(m.abs(two) <= 0.5, horner(_NEAR_TWO, m.clip(two, -0.5, 0.5)), stirling)
    near = m.where(m.abs(one) < 0.5, horner(_NEAR_TWO, m.clip(one, -0.5, 0.5)) - m.log1p(m.clip(one, -0.5, 0.5)), near)
    out = m.where(x < 0.5, math.log(math.pi) - m.log(m.abs(_sin_pi(x))) - near, near)
    return m.where(m.isinf(x), math.inf, out)


@blockwise
def digamma(x: Any) -> Any:
    """The derivative of log gamma; NaN at the negative integers, -+inf at +-0."""
    m = xp(x)
    positive = m.where(x < 0, 1 - x, x)
    far, total = _shifted(positive, _FAR, 0.0, lambda total, x: total + 1 / x)
    r = 1 / (far * far)
    psi = m.log(far) - 0.5 / far - r * horner(_PSI, r) - total
    r = x - m.rint(x)
    out = m.where(x < 0, psi - math.pi / m.tan(math.pi * r), psi)
    out = m.where((x < 0) & (r == 0), math.nan, out)
    return m.where(x == 0, m.copysign(math.inf, -x), m.where(x == -math.inf, math.nan, out))


def _cot_derivative(n: int) -> tuple[float, ...]:
    """The n-th derivative of cot, as the coefficients of a polynomial in cot: P' -> -(1 + c²) P'(c)."""
    p = [0.0, 1.0]
    for _ in range(n):
        d = [k * c for k, c in enumerate(p)][1:]
        p = [-(a + b) for a, b in zip([*d, 0.0, 0.0], [0.0, 0.0, *d], strict=True)]
    return tuple(p)


@blockwise
def polygamma(x: Any, n: int) -> Any:
    """The derivative of order n >= 1 of digamma; below 0 by the reflection formula (A&S 6.4.7)."""
    m = xp(x)
    out = (-1.0) ** (n + 1) * math.factorial(n) * _zeta(m.where(x < 0, 1 - x, x), n + 1)
    c = 1 / m.tan(math.pi * (x - m.rint(x)))
    return m.where(x < 0, (-1.0) ** n * out - math.pi ** (n + 1) * horner(_cot_derivative(n), c), out)


# the power series of I0 and I1 (A&S 9.6.10): all terms positive, so that nothing cancels
_I0 = tuple(1 / math.factorial(k) ** 2 for k in range(60))
_I1 = tuple(1 / (math.factorial(k) * math.factorial(k + 1)) for k in range(60))


def _far_series(order: int) -> tuple[float, ...]:
    """Coefficients of 1/x in the asymptotic series of Bessel's I (A&S 9.7.1)."""
    out, c = [], 1.0
    for k in range(16):
        out.append(c)
        c *= -(4 * order**2 - (2 * k + 1) ** 2) / (8 * (k + 1))
    return tuple(out)


def _bessel(x: Any, near: Any, far: Any) -> Any:
    m = xp(x)
    y = m.abs(x)
    series = horner(near, m.minimum(y, 24.0) ** 2 / 4)
    z = m.maximum(y, 24.0)
    half = m.exp(z / 2)
    return y, m.where(y <= 24, series, half * (horner(far, 1 / z) / m.sqrt(2 * math.pi * z)) * half)


_FAR0, _FAR1 = _far_series(0), _far_series(1)


@blockwise
def i0(x: Any) -> Any:
    """Bessel's modified function of order 0."""
    return _bessel(x, _I0, _FAR0)[1]


@blockwise
def i1(x: Any) -> Any:
    """Bessel's modified function of order 1."""
    y, out = _bessel(x, _I1, _FAR1)
    m = xp(x)
    return m.copysign(m.where(y <= 24, out * y / 2, out), x)
