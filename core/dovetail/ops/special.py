"""Special functions: the error function, gamma's logarithm and its derivatives, Bessel's I0."""

from __future__ import annotations

import importlib
import math
from typing import Any

from dovetail_numerics import erf as _erf
from dovetail_numerics import gamma as _gamma

from ..autograd.node import CLASSES, Tensor
from ..dtypes import can_cast
from ..errors import DtypeError
from ._dims import whole
from ._layout import converted
from ._op import Array, op
from ._refuse import tensors
from .arithmetic import _div, add, mul, neg
from .inplace import write

__all__ = ["digamma", "erf", "erfc", "erfinv", "i0", "igamma", "igammac", "lgamma", "mvlgamma", "polygamma"]
METHODS = tuple(__all__)
INPLACE = ("digamma", "erfinv", "igamma", "igammac", "lgamma", "mvlgamma", "polygamma")
INPLACE_FUNCTIONS = ("erf", "erfc", "i0")
_SLOPE = 2 / math.sqrt(math.pi)


def _in_double(function: Any, a: Any, *rest: Any) -> Any:
    """Compute in float64 and round once to the type of the array."""
    return function(a if a.dtype.char == "d" else converted(a, "float64"), *rest).astype(a.dtype, copy=False)


@op(dtypes="float")
def erf(input: Array) -> Array:
    """The error function: ``2/√π ∫₀ˣ e^(−t²) dt``.

    >>> import dovetail as dv
    >>> dv.erf(dv.tensor([0., 1.]))
    tensor([0.0000, 0.8427])
    """
    return _erf.erf(input)


erf.vjp(lambda g, input: mul(g, mul(neg(mul(input, input)).exp(), _SLOPE)))


@op(dtypes="float")
def erfc(input: Array) -> Array:
    """``1 − erf(x)``, exact also where it is tiny.

    >>> import dovetail as dv
    >>> dv.erfc(dv.tensor([0., 1.]))
    tensor([1.0000, 0.1573])
    """
    return _in_double(_erf.erfc, input)


erfc.vjp(lambda g, input: mul(g, mul(neg(mul(input, input)).exp(), -_SLOPE)))


@op(dtypes="float")
def erfinv(input: Array) -> Array:
    """The inverse of erf: ±∞ at ±1 and NaN beyond.

    >>> import dovetail as dv
    >>> dv.erfinv(dv.tensor([0., 0.5]))
    tensor([0.0000, 0.4769])
    """
    return _in_double(_erf.erfinv, input)


erfinv.vjp(lambda g, out: mul(g, mul(mul(out, out).exp(), 1 / _SLOPE)))


@op(dtypes="float")
def lgamma(input: Array) -> Array:
    """The logarithm of |Γ(x)|; infinite at 0 and the negative integers.

    >>> import dovetail as dv
    >>> dv.lgamma(dv.tensor([1., 5.]))
    tensor([0.0000, 3.1781])
    """
    return _in_double(_gamma.lgamma, input)


lgamma.vjp(lambda g, input: mul(g, digamma(input)))


@op(dtypes="float")
def digamma(input: Array) -> Array:
    """The derivative of lgamma: ``Γ′(x) / Γ(x)``.

    >>> import dovetail as dv
    >>> dv.digamma(dv.tensor([1., 2.]))
    tensor([-0.5772,  0.4228])
    """
    return _in_double(_gamma.digamma, input)


digamma.vjp(lambda g, input: mul(g, _polygamma(input, 1)))


@op(name="polygamma", dtypes="float")
def _polygamma(input: Array, n: int) -> Array:
    return _in_double(_gamma.polygamma, input, n)


_polygamma.vjp(lambda g, input, n: mul(g, _polygamma(input, n + 1)))


def _order(n: int) -> None:
    if n < 0:
        raise DtypeError("polygamma", f"polygamma(n, x) does not support negative n (got {n})")


def polygamma(n: int, input: Tensor) -> Tensor:
    """The n-th derivative of digamma.

    >>> import dovetail as dv
    >>> dv.polygamma(1, dv.tensor([1.]))
    tensor([1.6449])
    """
    if input.__class__ not in CLASSES:
        n, input = input, n  # type: ignore[assignment]  # as a method, the tensor comes first
    _order(n)
    return _polygamma(input, whole(n)) if n else digamma(input)


def polygamma_(input: Tensor, n: int) -> Tensor:
    """In-place form of :func:`polygamma`."""
    _order(n)
    return write(_polygamma.op, [input, n]) if n else write(digamma.op, [input])


def mvlgamma(input: Tensor, p: int) -> Tensor:
    """The logarithm of the multivariate gamma function of dimension p.

    >>> import dovetail as dv
    >>> dv.mvlgamma(dv.tensor([3.]), 2)
    tensor([1.5502])
    """
    if p < 1:
        raise DtypeError("mvlgamma", f"p has to be greater than or equal to 1 (got {p})")
    tensors("mvlgamma", input=input)
    if input._a.dtype.kind == "b":
        raise DtypeError("mvlgamma", "The input tensor may not be a boolean tensor")
    out = lgamma(input)
    for k in range(1, p):
        out = add(out, lgamma(add(input, -k / 2)))
    return add(out, p * (p - 1) / 4 * math.log(math.pi))


def mvlgamma_(input: Tensor, p: int) -> Tensor:
    """In-place form of :func:`mvlgamma`."""
    return input.copy_(mvlgamma(input.clone(), p)) if input.is_floating_point() else input.lgamma_()  # which refuses integers


@op(dtypes="float")
def i0(input: Array) -> Array:
    """Bessel's modified function of the first kind, of order 0.

    >>> import dovetail as dv
    >>> dv.i0(dv.tensor([0., 1.]))
    tensor([1.0000, 1.2661])
    """
    return _in_double(_gamma.i0, input)


i0.vjp(lambda g, input: mul(g, i1(input)))


@op(dtypes="float")
def i1(input: Array) -> Array:
    """Bessel's modified function of the first kind, of order 1."""
    return _in_double(_gamma.i1, input)


@i1.vjp
def _(g: Any, input: Any, out: Any) -> Any:
    return mul(g, (i0(input) - _div(out, input)).masked_fill(input == 0, 0.5))


def igamma(input: Tensor, other: Tensor) -> Tensor:
    """``special.gammainc`` of the plugin dovetail-science: ``∫₀ˣ tᵃ⁻¹ e⁻ᵗ dt / Γ(a)`` for a = input, x = other.

    >>> import dovetail as dv
    >>> dv.igamma(dv.tensor([1., 2.]), dv.tensor([1., 3.]))
    tensor([0.6321, 0.8009])
    """
    return importlib.import_module("dovetail.special").gammainc(input, other)


def igammac(input: Tensor, other: Tensor) -> Tensor:
    """``special.gammaincc`` of the plugin dovetail-science: ``1 − igamma(input, other)``.

    >>> import dovetail as dv
    >>> dv.igammac(dv.tensor([1., 2.]), dv.tensor([1., 3.]))
    tensor([0.3679, 0.1991])
    """
    return importlib.import_module("dovetail.special").gammaincc(input, other)


def _kept(input: Tensor, new: Tensor) -> Tensor:
    if not can_cast(new.dtype, input.dtype):
        raise DtypeError("igamma_", f"result type {new.dtype} can't be cast to the desired output type {input.dtype}")
    return input.copy_(new)


def igamma_(input: Tensor, other: Tensor) -> Tensor:
    """In-place form of :func:`igamma`."""
    return _kept(input, igamma(input.clone(), other))


def igammac_(input: Tensor, other: Tensor) -> Tensor:
    """In-place form of :func:`igammac`."""
    return _kept(input, igammac(input.clone(), other))
