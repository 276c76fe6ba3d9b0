"""Circular and hyperbolic functions of each element, and their inverses; angles are in radians."""

from __future__ import annotations

import math
from typing import Any

from ._op import Array, op, xp
from ._ufunc import ufunc
from .arithmetic import _add, _div, _sub, held, mul, neg, reciprocal
from .powers import rsqrt, square

__all__ = [
    "acos", "acosh", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "asin", "asinh", "atan", "atan2", "atanh",
    "cos", "cosh", "deg2rad", "hypot", "rad2deg", "sin", "sinc", "sinh", "tan",
]  # fmt: skip
INPLACE = ("arctan2", "atan2", "hypot")
INPLACE_FUNCTIONS = tuple(n for n in __all__ if n not in INPLACE)


@ufunc(dtypes="float")
def sin(input: Array) -> Array:
    """The sine of each element.

    >>> import dovetail as dv
    >>> dv.sin(dv.tensor([0., 1.]))
    tensor([0.0000, 0.8415])
    """


sin.vjp(lambda g, input: mul(g, held(cos(input))))


@ufunc(dtypes="float")
def cos(input: Array) -> Array:
    """The cosine of each element.

    >>> import dovetail as dv
    >>> dv.cos(dv.tensor([0., 1.]))
    tensor([1.0000, 0.5403])
    """


cos.vjp(lambda g, input: neg(mul(g, held(sin(input)))))


@ufunc(dtypes="float")
def tan(input: Array) -> Array:
    """The tangent of each element.

    >>> import dovetail as dv
    >>> dv.tan(dv.tensor([0., 1.]))
    tensor([0.0000, 1.5574])
    """


tan.vjp(lambda g, out: mul(g, held(_add(square(out), 1))))


@ufunc("arcsin", dtypes="float")
def asin(input: Array) -> Array:
    """The inverse sine of each element, in [−π/2, π/2].

    >>> import dovetail as dv
    >>> dv.asin(dv.tensor([0., 1.]))
    tensor([0.0000, 1.5708])
    """


asin.vjp(lambda g, input: mul(g, held(rsqrt(_sub(1, square(input))))))


@ufunc("arccos", dtypes="float")
def acos(input: Array) -> Array:
    """The inverse cosine of each element, in [0, π].

    >>> import dovetail as dv
    >>> dv.acos(dv.tensor([0., 1.]))
    tensor([1.5708, 0.0000])
    """


acos.vjp(lambda g, input: neg(mul(g, held(rsqrt(_sub(1, square(input)))))))


@ufunc("arctan", dtypes="float")
def atan(input: Array) -> Array:
    """The inverse tangent of each element, in (−π/2, π/2).

    >>> import dovetail as dv
    >>> dv.atan(dv.tensor([0., 1.]))
    tensor([0.0000, 0.7854])
    """


atan.vjp(lambda g, input: _div(g, held(_add(square(input), 1))))


@ufunc("arctan2", dtypes="float")
def atan2(input: Array, other: Array) -> Array:
    """The angle of the point (other, input), in [−π, π]; broadcast.

    >>> import dovetail as dv
    >>> dv.atan2(dv.tensor([1., -1.]), dv.tensor([1., -1.]))
    tensor([ 0.7854, -2.3562])
    """


@atan2.vjp
def _(g: Any, input: Any, other: Any, needs: Any) -> Any:
    length = _add(square(input), square(other))
    g = mul(g, reciprocal(length).masked_fill(length == 0, 0))  # at the origin PyTorch's gradient is 0
    return mul(g, other) if needs[0] else None, neg(mul(g, input)) if needs[1] else None


@ufunc(dtypes="floating")
def hypot(input: Array, other: Array) -> Array:
    """The length of the vector (input, other): ``√(x² + y²)`` without overflow, broadcast.

    >>> import dovetail as dv
    >>> dv.hypot(dv.tensor([3.]), dv.tensor([4.]))
    tensor([5.])
    """


hypot.vjp(lambda g, input, out: mul(g, _div(input, out)), lambda g, other, out: mul(g, _div(other, out)))


@ufunc(dtypes="float")
def sinh(input: Array) -> Array:
    """The hyperbolic sine of each element.

    >>> import dovetail as dv
    >>> dv.sinh(dv.tensor([0., 1.]))
    tensor([0.0000, 1.1752])
    """


sinh.vjp(lambda g, input: mul(g, held(cosh(input))))


@ufunc(dtypes="float")
def cosh(input: Array) -> Array:
    """The hyperbolic cosine of each element.

    >>> import dovetail as dv
    >>> dv.cosh(dv.tensor([0., 1.]))
    tensor([1.0000, 1.5431])
    """


cosh.vjp(lambda g, input: mul(g, held(sinh(input))))


@ufunc("arcsinh", dtypes="float")
def asinh(input: Array) -> Array:
    """The inverse hyperbolic sine of each element.

    >>> import dovetail as dv
    >>> dv.asinh(dv.tensor([0., 1.]))
    tensor([0.0000, 0.8814])
    """


asinh.vjp(lambda g, input: mul(g, held(rsqrt(_add(square(input), 1)))))


@ufunc("arccosh", dtypes="float")
def acosh(input: Array) -> Array:
    """The inverse hyperbolic cosine of each element; NaN below 1.

    >>> import dovetail as dv
    >>> dv.acosh(dv.tensor([1., 2.]))
    tensor([0.0000, 1.3170])
    """


@acosh.vjp
def _(g: Any, input: Any) -> Any:
    if input._a.dtype.kind == "c":
        return mul(g, held(mul(rsqrt(_sub(input, 1)), rsqrt(_add(input, 1)))))
    return mul(g, rsqrt(_sub(square(input), 1)))


@ufunc("arctanh", dtypes="float")
def atanh(input: Array) -> Array:
    """The inverse hyperbolic tangent of each element; ±∞ at ±1 and NaN beyond.

    >>> import dovetail as dv
    >>> dv.atanh(dv.tensor([0., 0.5]))
    tensor([0.0000, 0.5493])
    """


atanh.vjp(lambda g, input: _div(g, held(_sub(1, square(input)))))


@op(dtypes="float")
def sinc(input: Array) -> Array:
    """``sin(πx) / (πx)``, and 1 at 0.

    >>> import dovetail as dv
    >>> dv.sinc(dv.tensor([0., 0.5]))
    tensor([1.0000, 0.6366])
    """
    m = xp(input)
    p = input * math.pi
    return m.where(p == 0, p.dtype.type(1), m.sin(p) / p)


@sinc.vjp
def _(g: Any, input: Any) -> Any:
    p = mul(input, math.pi)
    area = mul(p, input)
    slope = _div(_sub(mul(p, cos(p)), sin(p)), area)
    return mul(g, held(slope)).masked_fill(area == 0, 0)


@op(dtypes="float")
def deg2rad(input: Array) -> Array:
    """Degrees to radians: ``π x / 180``.

    >>> import dovetail as dv
    >>> dv.deg2rad(dv.tensor([180.]))
    tensor([3.1416])
    """
    return input * (math.pi / 180)


deg2rad.vjp(lambda g: mul(g, math.pi / 180))


@op(dtypes="float")
def rad2deg(input: Array) -> Array:
    """Radians to degrees: ``180 x / π``.

    >>> import dovetail as dv
    >>> dv.rad2deg(dv.tensor([3.]))
    tensor([171.8873])
    """
    return input * (180 / math.pi)


rad2deg.vjp(lambda g: mul(g, 180 / math.pi))


arcsin, arccos, arctan, arctan2, arcsinh, arccosh, arctanh = asin, acos, atan, atan2, asinh, acosh, atanh
