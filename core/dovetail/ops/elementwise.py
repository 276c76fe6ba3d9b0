"""Exponentials and logarithms of each element, with tanh and sigmoid."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ._blocks import in_blocks
from ._op import Array, op, xp
from ._ufunc import ufunc
from .arithmetic import _add, _div, _sub, held, mul
from .limits import maximum, minimum  # noqa: F401 - where reductions look for them

__all__ = ["exp", "exp2", "expm1", "log", "log10", "log1p", "log2", "logaddexp", "logaddexp2", "logit", "sigmoid", "tanh", "xlogy"]
INPLACE_FUNCTIONS = tuple(n for n in __all__ if not n.startswith("logaddexp"))
FUNCTIONAL = ("sigmoid", "tanh")
LN2, LN10 = math.log(2), math.log(10)
_ONES = {np.dtype(t): np.ones((), t) for t in ("f4", "f8")}  # as an array: NumPy takes 0.4 µs to convert a Python number


@ufunc(dtypes="float", autocast="float32")
def exp(input: Array) -> Array:
    """The exponential of each element: ``eˣ``.

    >>> import dovetail as dv
    >>> dv.exp(dv.tensor([0., 1.]))
    tensor([1.0000, 2.7183])
    """


exp.vjp(lambda g, out: mul(g, held(out)))


@ufunc(dtypes="float")
def exp2(input: Array) -> Array:
    """Two to the power of each element: ``2ˣ``.

    >>> import dovetail as dv
    >>> dv.exp2(dv.tensor([0., 3.]))
    tensor([1., 8.])
    """


exp2.vjp(lambda g, out: mul(mul(g, held(out)), LN2))


@ufunc(dtypes="float", autocast="float32")
def expm1(input: Array) -> Array:
    """``eˣ − 1``, exact also near 0.

    >>> import dovetail as dv
    >>> dv.expm1(dv.tensor([0., 1.]))
    tensor([0.0000, 1.7183])
    """


expm1.vjp(lambda g, out: mul(g, held(_add(out, 1))))


@ufunc(dtypes="float", autocast="float32")
def log(input: Array) -> Array:
    """The natural logarithm of each element; −∞ at 0 and NaN below.

    >>> import dovetail as dv
    >>> dv.log(dv.tensor([1., 10.]))
    tensor([0.0000, 2.3026])
    """


log.vjp(lambda g, input: _div(g, held(input)))


@ufunc(dtypes="float", autocast="float32")
def log2(input: Array) -> Array:
    """The logarithm to base 2 of each element.

    >>> import dovetail as dv
    >>> dv.log2(dv.tensor([1., 8.]))
    tensor([0., 3.])
    """


log2.vjp(lambda g, input: _div(g, held(mul(input, LN2))))


@ufunc(dtypes="float", autocast="float32")
def log10(input: Array) -> Array:
    """The logarithm to base 10 of each element.

    >>> import dovetail as dv
    >>> dv.log10(dv.tensor([1., 2.]))
    tensor([0.0000, 0.3010])
    """


log10.vjp(lambda g, input: _div(g, held(mul(input, LN10))))


@ufunc(dtypes="float", autocast="float32")
def log1p(input: Array) -> Array:
    """``log(1 + x)``, exact also near 0.

    >>> import dovetail as dv
    >>> dv.log1p(dv.tensor([0., 1.]))
    tensor([0.0000, 0.6931])
    """


log1p.vjp(lambda g, input: _div(g, held(_add(input, 1))))


@ufunc(dtypes="float")
def tanh(input: Array) -> Array:
    """The hyperbolic tangent of each element.

    >>> import dovetail as dv
    >>> dv.tanh(dv.tensor([0., 1.]))
    tensor([0.0000, 0.7616])
    """


tanh.vjp(lambda g, out: tanh_grad(g, out))


@op
def tanh_grad(grad: Array, y: Array) -> Array:
    """The gradient of tanh by its result y: ``grad (1 - y²)``."""
    one = _ONES.get(y.dtype)
    if one is None or y.__class__ is not np.ndarray or y.ndim == 0 or grad.shape != y.shape:
        return grad * (1 - (y * y).conj())
    d = np.multiply(y, y)
    np.subtract(one, d, d)
    return np.multiply(d, grad, d)


tanh_grad.vjp(lambda g, y: tanh_grad(g, held(y)), lambda g, grad, y: mul(mul(mul(held(g), grad), held(y)), -2))


@in_blocks
@op(dtypes="float")
def sigmoid(input: Array) -> Array:
    """The logistic function of each element: ``1 / (1 + e⁻ˣ)``.

    >>> import dovetail as dv
    >>> dv.sigmoid(dv.tensor([0., 2.]))
    tensor([0.5000, 0.8808])
    """
    m = xp(input)
    one = _ONES.get(input.dtype, 1) if m is np else 1
    t = -input
    m.exp(t, out=t)
    t += one
    return m.divide(one, t, out=t)


sigmoid.vjp(lambda g, out: sigmoid_grad(g, out))


@op
def sigmoid_grad(grad: Array, y: Array) -> Array:
    """The gradient of sigmoid by its result y: ``grad y (1 - y)``."""
    d = 1 - y
    d = d * y if d.dtype.kind != "c" else (d * y).conj()
    d *= grad
    return d


sigmoid_grad.vjp(lambda g, y: sigmoid_grad(g, held(y)), lambda g, grad, y: mul(mul(held(g), grad), _sub(1, mul(held(y), 2))))


@op(dtypes="float")
def logit(input: Array, eps: float | None = None) -> Array:
    """The inverse of sigmoid: ``log(x / (1 − x))``; with eps, x is first brought into [eps, 1 − eps].

    >>> import dovetail as dv
    >>> dv.logit(dv.tensor([0.5, 1.0]), eps=0.1)
    tensor([0.0000, 2.1972])
    """
    x = input if eps is None else input.clip(eps, 1 - eps)
    return xp(input).log(x / (1 - x))


@logit.vjp
def _(g: Any, input: Any, eps: float | None) -> Any:
    low, high, outside = (0, 1, math.nan) if eps is None else (eps, 1 - eps, 0)
    return _div(g, mul(input, _sub(1, input))).masked_fill((input < low) | (input > high), outside)


def _share(g: Any, power: Any, mine: Any, theirs: Any) -> Any:
    """The part of the gradient of a logarithm of a sum of two powers that belongs to `mine`."""
    return _div(g, _add(power(_sub(theirs, mine)), 1))


@ufunc(dtypes="floating")
def logaddexp(input: Array, other: Array) -> Array:
    """``log(eˣ + eʸ)`` without overflow, broadcast.

    >>> import dovetail as dv
    >>> dv.logaddexp(dv.tensor([0.]), dv.tensor([0.]))
    tensor([0.6931])
    """


logaddexp.vjp(lambda g, input, other: _share(g, exp, input, other), lambda g, input, other: _share(g, exp, other, input))


@ufunc(dtypes="floating")
def logaddexp2(input: Array, other: Array) -> Array:
    """``log₂(2ˣ + 2ʸ)`` without overflow, broadcast.

    >>> import dovetail as dv
    >>> dv.logaddexp2(dv.tensor([3.]), dv.tensor([3.]))
    tensor([4.])
    """


logaddexp2.vjp(lambda g, input, other: _share(g, exp2, input, other), lambda g, input, other: _share(g, exp2, other, input))


@op(dtypes="float", halves=True)  # in half precision the logarithm is rounded too
def xlogy(input: Array, other: Array) -> Array:
    """``x log y``, and 0 where x is 0, unless y is NaN; broadcast.

    >>> import dovetail as dv
    >>> dv.xlogy(dv.tensor([0., 2.]), dv.tensor([0., 1.]))
    tensor([0., 0.])
    """
    array = input if hasattr(input, "dtype") else other
    m = xp(array)
    x, y = m.asarray(input, dtype=array.dtype), m.asarray(other, dtype=array.dtype)
    return m.where((x == 0) & (y == y), x.dtype.type(0), x * m.log(y))


xlogy.vjp(0)(lambda g, input, other: xlogy(g, other).masked_fill((input == 0) & (other <= 0), 0))
xlogy.vjp(1)(lambda g, input, other: mul(g, _div(input, other)))
