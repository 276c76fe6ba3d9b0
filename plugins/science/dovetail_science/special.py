"""Special functions: PyTorch's `torch.special`, from the core where it has them and from SciPy where it has not.

Gradients are given where PyTorch gives them.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

import dovetail as dv
from dovetail import (
    Tensor,
    digamma,
    erf,
    erfc,
    erfinv,
    exp2,
    expm1,
    i0,
    log1p,
    log_softmax,
    logit,
    logsumexp,
    polygamma,
    sinc,
    softmax,
    xlogy,
)
from dovetail.errors import TypeMismatch, UnsupportedError
from dovetail.extend import Array, op

from ._polynomials import (
    chebyshev_polynomial_t,
    chebyshev_polynomial_u,
    chebyshev_polynomial_v,
    chebyshev_polynomial_w,
    hermite_polynomial_h,
    hermite_polynomial_he,
    laguerre_polynomial_l,
    legendre_polynomial_p,
    shifted_chebyshev_polynomial_t,
    shifted_chebyshev_polynomial_u,
    shifted_chebyshev_polynomial_v,
    shifted_chebyshev_polynomial_w,
)
from ._scipy import pair, scipy_function, single, unary

__all__ = [
    "airy_ai", "bessel_j0", "bessel_j1", "bessel_y0", "bessel_y1", "chebyshev_polynomial_t", "chebyshev_polynomial_u",
    "chebyshev_polynomial_v", "chebyshev_polynomial_w", "digamma", "entr", "erf", "erfc", "erfcx", "erfinv", "exp2", "expit", "expm1",
    "gammainc", "gammaincc", "gammaln", "hermite_polynomial_h", "hermite_polynomial_he", "i0", "i0e", "i1", "i1e",
    "laguerre_polynomial_l", "legendre_polynomial_p", "log1p", "log_ndtr", "log_softmax", "logit", "logsumexp", "modified_bessel_i0",
    "modified_bessel_i1", "modified_bessel_k0", "modified_bessel_k1", "multigammaln", "ndtr", "ndtri", "polygamma", "psi", "round",
    "scaled_modified_bessel_k0", "scaled_modified_bessel_k1", "shifted_chebyshev_polynomial_t", "shifted_chebyshev_polynomial_u",
    "shifted_chebyshev_polynomial_v", "shifted_chebyshev_polynomial_w", "sinc", "softmax", "spherical_bessel_j0", "xlog1py", "xlogy",
    "zeta",
]  # fmt: skip

psi = digamma
expit = dv.sigmoid
gammaln = dv.lgamma
multigammaln = dv.mvlgamma
round = dv.round

ndtr = unary("ndtr", "ndtr", "The normal distribution function", "½ erfc(-x / √2)", half=True)
ndtri = unary("ndtri", "ndtri", "The normal quantile function", "ndtr⁻¹(p)")
log_ndtr = unary("log_ndtr", "log_ndtr", "The logarithm of the normal distribution function", "log ndtr(x)")
erfcx = unary("erfcx", "erfcx", "The scaled complementary error function", "exp(x²) erfc(x)")
i0e = unary("i0e", "i0e", "The scaled modified Bessel function of order 0", "exp(-|x|) I₀(x)", half=True)
i1 = unary("i1", "i1", "The modified Bessel function of order 1", "I₁(x)", half=True)
i1e = unary("i1e", "i1e", "The scaled modified Bessel function of order 1", "exp(-|x|) I₁(x)", half=True)
bessel_j0 = unary("bessel_j0", "j0", "The Bessel function of the first kind of order 0", "J₀(x)")
bessel_j1 = unary("bessel_j1", "j1", "The Bessel function of the first kind of order 1", "J₁(x)")
bessel_y0 = unary("bessel_y0", "y0", "The Bessel function of the second kind of order 0", "Y₀(x)")
bessel_y1 = unary("bessel_y1", "y1", "The Bessel function of the second kind of order 1", "Y₁(x)")
modified_bessel_i0 = unary("modified_bessel_i0", "i0", "The modified Bessel function of the first kind of order 0", "I₀(x)")
modified_bessel_i1 = unary("modified_bessel_i1", "i1", "The modified Bessel function of the first kind of order 1", "I₁(x)")
modified_bessel_k0 = unary("modified_bessel_k0", "k0", "The modified Bessel function of the second kind of order 0", "K₀(x)")
modified_bessel_k1 = unary("modified_bessel_k1", "k1", "The modified Bessel function of the second kind of order 1", "K₁(x)")
scaled_modified_bessel_k0 = unary("scaled_modified_bessel_k0", "k0e", "The scaled modified Bessel function of order 0", "exp(x) K₀(x)")
scaled_modified_bessel_k1 = unary("scaled_modified_bessel_k1", "k1e", "The scaled modified Bessel function of order 1", "exp(x) K₁(x)")


@partial(single, "airy_ai")
@op(dtypes="float", name="science/airy_ai")
def airy_ai(input: Array) -> Array:
    """The Airy function Ai(x)."""
    from scipy.special import airy

    x = np.asarray(input, np.float64)
    return np.where((x > 104) & np.isfinite(x), 0.0, airy(x)[0]).astype(input.dtype)  # SciPy gives NaN far out


@partial(single, "spherical_bessel_j0")
@op(dtypes="float", name="science/spherical_bessel_j0")
def spherical_bessel_j0(input: Array) -> Array:
    """The spherical Bessel function of order 0, ``sin(x) / x``."""
    x = np.asarray(input, np.float64)
    return np.where(np.isinf(x), 0.0, np.sinc(np.where(np.isinf(x), 0.0, x) / math.pi)).astype(input.dtype)


@op(dtypes="float", name="science/entr")
def entr(input: Array) -> Array:
    """The entropy of each element, ``-x log x``; 0 at 0, -∞ below.

    >>> entr(dv.tensor([0.0, 0.5, -1.0]))
    tensor([0.0000, 0.3466,   -inf])
    """
    return scipy_function("entr")(input)


def _incomplete(name: str, at_zero: float) -> Any:
    compute = scipy_function(name)

    def forward(input: Array, other: Array) -> Array:
        a, x = np.broadcast_arrays(input, other)
        out = compute(input, other)
        beside = np.where((x == 0) | (np.isinf(a) & ~np.isinf(x)), at_zero, np.where(np.isposinf(x), 1 - at_zero, np.nan))
        lost = (np.isnan(a) & ((x == 0) | np.isposinf(x))) | (np.isnan(x) & np.isposinf(a))  # limits that hold whatever the NaN stands for
        return np.where(lost, beside, out).astype(out.dtype)

    forward.__name__ = forward.__qualname__ = f"_{name}"
    return op(dtypes="float", name=f"science/{name}")(forward)


_gammainc, _gammaincc = _incomplete("gammainc", 0.0), _incomplete("gammaincc", 1.0)


def _of_gamma(where: str, compute: Any, input: Any, other: Any, out: Tensor | None) -> Tensor:
    for name, value in (("input", input), ("other", other)):
        if not isinstance(value, Tensor):
            raise TypeMismatch(f"{where}()", f"argument {name!r} must be Tensor, not {type(value).__name__}")
    if not (input.is_floating_point() or other.is_floating_point()):
        raise UnsupportedError(f"{where}()", f"not implemented for {input.dtype} and {other.dtype}", "expected a floating-point type")
    return compute(input, other) if out is None else compute(input, other, out=out)


def gammainc(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The regularized lower incomplete gamma function ``P(input, other)``; the gradient is that of ``other`` alone, as PyTorch's.

    >>> gammainc(dv.tensor(1.0), dv.tensor(1.0))  # 1 - 1/e
    tensor(0.6321)
    """
    return _of_gamma("gammainc", _gammainc, input, other, out)


def gammaincc(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The regularized upper incomplete gamma function ``1 - P(input, other)``; the gradient is that of ``other`` alone."""
    return _of_gamma("gammaincc", _gammaincc, input, other, out)


@op(dtypes="float", name="science/zeta")
def _zeta(input: Array, other: Array) -> Array:
    """The Hurwitz zeta function ``Σ 1 / (k + other)^input``."""
    out = scipy_function("zeta")(input, other)
    return np.where(np.isposinf(other) & (np.asarray(input) > 1), np.nan, out).astype(out.dtype)


def zeta(input: Any, other: Any, *, out: Tensor | None = None) -> Tensor:
    """The Hurwitz zeta function ``Σ_{k≥0} 1 / (k + other)^input``; one of the two may be a number.

    >>> zeta(dv.tensor(2.0), 1)  # π² / 6
    tensor(1.6449)
    """
    return pair("zeta", _zeta, input, other, out)


@op(dtypes="float", name="science/xlog1py", halves=True)  # in half precision the logarithm is rounded too, as PyTorch's is
def _xlog1py(input: Array, other: Array) -> Array:
    """``input · log(1 + other)``."""
    out = input * np.log1p(other)
    return np.where((input == 0) & (other == other), out.dtype.type(0), out)


def xlog1py(input: Any, other: Any, *, out: Tensor | None = None) -> Tensor:
    """``input · log(1 + other)``, and 0 where ``input`` is 0.

    >>> xlog1py(dv.tensor([0.0, 2.0]), dv.tensor([-1.0, 1.0]))
    tensor([0.0000, 1.3863])
    """
    return pair("xlog1py", _xlog1py, input, other, out, half=True)


# ------------------------------------------------------------------------------------------------ gradients

_ROOT = math.sqrt(2 * math.pi)


def _over(out: Tensor, input: Tensor, rest: Tensor) -> Tensor:
    """``rest - out / input``, and its limit ½ around 0."""
    far = input.abs() > dv.finfo(input.dtype).eps
    return dv.where(far, rest - out / dv.where(far, input, 1.0), 0.5)


def _gamma_density(a: Tensor, x: Tensor) -> Tensor:
    return dv.exp((a - 1.0) * dv.log(x) - x - dv.lgamma(a))


def _no_gradient(name: str) -> Any:
    def rule(g: Tensor) -> Tensor:
        raise UnsupportedError(f"{name}()", f"the derivative for '{name}: input' is not implemented", "", "detach the argument")

    return rule


ndtr.vjp(lambda g, input: g * dv.exp(-0.5 * input * input) / _ROOT)
ndtri.vjp(lambda g, out: g * _ROOT * dv.exp(0.5 * out * out))
log_ndtr.vjp(lambda g, input: g / erfcx(input * -math.sqrt(0.5)) * math.sqrt(2 / math.pi))
erfcx.vjp(lambda g, input, out: g * (2 * input * out - 2 / math.sqrt(math.pi)))
i0e.vjp(lambda g, input, out: g * (i1e(input) - dv.sign(input) * out))
i1.vjp(lambda g, input, out: g * _over(out, input, i0(input)))
i1e.vjp(lambda g, input, out: g * _over(out, input, i0e(input) - dv.sign(input) * out))
entr.vjp(lambda g, input: g * -(1 + dv.log(input)))
_gammainc.vjp(0)(_no_gradient("gammainc"))
_gammainc.vjp(1)(lambda g, input, other: g * _gamma_density(input, other))
_gammaincc.vjp(0)(_no_gradient("gammaincc"))
_gammaincc.vjp(1)(lambda g, input, other: -g * _gamma_density(input, other))
_zeta.vjp(0)(_no_gradient("zeta"))
_zeta.vjp(1)(lambda g, input, other: g * -input * _zeta(input + 1.0, other))
_xlog1py.vjp(0)(lambda g, input, other: dv.where((input == 0) & (other <= -1), 0.0, g * dv.log1p(other)))
_xlog1py.vjp(1)(lambda g, input, other: g * input / (other + 1))
