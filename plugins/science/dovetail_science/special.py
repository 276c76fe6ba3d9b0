"""Special functions: PyTorch's `torch.special`, from the core where it has them and from SciPy where it has not.

Gradients are given where PyTorch gives them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
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
)  # fmt: skip
from dovetail.extend import Array, op

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


def _scipy(name: str) -> Callable[..., Any]:
    """A function of SciPy on NumPy arrays, in float64 for float16 and bfloat16 alike, result in the type of the first array."""

    def call(first: Any, *rest: Any) -> Any:
        from scipy import special

        wide = [np.asarray(a, np.float64) for a in (first, *rest)]
        return np.asarray(getattr(special, name)(*wide)).astype(np.result_type(first, *rest))

    return call


def _unary(name: str, scipy_name: str, summary: str, formula: str) -> Callable[[Tensor], Tensor]:
    """An op of one argument that SciPy computes."""
    compute = _scipy(scipy_name)

    def forward(input: Array) -> Array:
        return compute(input)

    forward.__name__ = forward.__qualname__ = name
    forward.__doc__ = f"{summary}, ``{formula}``."
    return op(dtypes="float", name=f"science/{name}")(forward)


ndtr = _unary("ndtr", "ndtr", "The normal distribution function", "½ erfc(-x / √2)")
ndtri = _unary("ndtri", "ndtri", "The normal quantile function", "ndtr⁻¹(p)")
log_ndtr = _unary("log_ndtr", "log_ndtr", "The logarithm of the normal distribution function", "log ndtr(x)")
erfcx = _unary("erfcx", "erfcx", "The scaled complementary error function", "exp(x²) erfc(x)")
i0e = _unary("i0e", "i0e", "The scaled modified Bessel function of order 0", "exp(-|x|) I₀(x)")
i1 = _unary("i1", "i1", "The modified Bessel function of order 1", "I₁(x)")
i1e = _unary("i1e", "i1e", "The scaled modified Bessel function of order 1", "exp(-|x|) I₁(x)")
bessel_j0 = _unary("bessel_j0", "j0", "The Bessel function of the first kind of order 0", "J₀(x)")
bessel_j1 = _unary("bessel_j1", "j1", "The Bessel function of the first kind of order 1", "J₁(x)")
bessel_y0 = _unary("bessel_y0", "y0", "The Bessel function of the second kind of order 0", "Y₀(x)")
bessel_y1 = _unary("bessel_y1", "y1", "The Bessel function of the second kind of order 1", "Y₁(x)")
modified_bessel_i0 = _unary("modified_bessel_i0", "i0", "The modified Bessel function of the first kind of order 0", "I₀(x)")
modified_bessel_i1 = _unary("modified_bessel_i1", "i1", "The modified Bessel function of the first kind of order 1", "I₁(x)")
modified_bessel_k0 = _unary("modified_bessel_k0", "k0", "The modified Bessel function of the second kind of order 0", "K₀(x)")
modified_bessel_k1 = _unary("modified_bessel_k1", "k1", "The modified Bessel function of the second kind of order 1", "K₁(x)")
scaled_modified_bessel_k0 = _unary("scaled_modified_bessel_k0", "k0e", "The scaled modified Bessel function of order 0", "exp(x) K₀(x)")
scaled_modified_bessel_k1 = _unary("scaled_modified_bessel_k1", "k1e", "The scaled modified Bessel function of order 1", "exp(x) K₁(x)")


@op(dtypes="float", name="science/airy_ai")
def airy_ai(input: Array) -> Array:
    """The Airy function Ai(x)."""
    from scipy.special import airy

    return np.asarray(airy(np.asarray(input, np.float64))[0]).astype(input.dtype)


@op(dtypes="float", name="science/spherical_bessel_j0")
def spherical_bessel_j0(input: Array) -> Array:
    """The spherical Bessel function of order 0, ``sin(x) / x``."""
    with np.errstate(invalid="ignore"):
        found = np.sinc(np.asarray(input, np.float64) / math.pi)
    return np.where(np.isinf(input), 0, found).astype(input.dtype)


@op(dtypes="float", name="science/gammainc")
def gammainc(input: Array, other: Array) -> Array:
    """The regularized lower incomplete gamma function ``P(input, other)``; the gradient is that of ``other`` alone, as PyTorch's."""
    return _scipy("gammainc")(input, other)


@op(dtypes="float", name="science/gammaincc")
def gammaincc(input: Array, other: Array) -> Array:
    """The regularized upper incomplete gamma function ``1 - P(input, other)``; the gradient is that of ``other`` alone."""
    return _scipy("gammaincc")(input, other)


@op(dtypes="float", name="science/zeta")
def _zeta(input: Array, other: Array) -> Array:
    """The Hurwitz zeta function ``Σ 1 / (k + other)^input``."""
    return _scipy("zeta")(input, other)


def zeta(input: Any, other: Any) -> Tensor:
    """The Hurwitz zeta function ``Σ_{k≥0} 1 / (k + other)^input``; one of the two may be a number.

    >>> zeta(dv.tensor(2.0), 1)  # π² / 6
    tensor(1.6449)
    """
    model = input if isinstance(input, Tensor) else other
    return _zeta(*(v if isinstance(v, Tensor) else dv.tensor(v, dtype=model.dtype, device=model.device) for v in (input, other)))


def entr(input: Tensor) -> Tensor:
    """The entropy of each element, ``-x log x``; 0 at 0, -∞ below.

    >>> entr(dv.tensor([0.0, 0.5, -1.0]))
    tensor([0.0000, 0.3466,   -inf])
    """
    return dv.where(input < 0, -math.inf, 0.0 - dv.xlogy(input, input))


def xlog1py(input: Any, other: Any) -> Tensor:
    """``input · log(1 + other)``, and 0 where ``input`` is 0.

    >>> xlog1py(dv.tensor([0.0, 2.0]), dv.tensor([-1.0, 1.0]))
    tensor([0.0000, 1.3863])
    """
    model = input if isinstance(input, Tensor) else other
    x, y = (v if isinstance(v, Tensor) else dv.tensor(v, dtype=model.dtype, device=model.device) for v in (input, other))
    return dv.where(dv.isnan(y), y, dv.where(x == 0, 0.0, x * dv.log1p(y)))


def _polynomial(
    name: str, summary: str, next_one: Callable[..., Any], first: Callable[[Any], Any], shifted: bool = False
) -> Callable[..., Tensor]:
    """An op of (input, n): polynomials by their recurrence, ``p₀ = 1``, ``p₁ = first(x)``, ``pₖ₊₁ = next_one(k, x, pₖ, pₖ₋₁)``."""

    def forward(input: Array, n: Array) -> Array:
        x, order = np.broadcast_arrays(np.asarray(input, np.float64), np.asarray(n))
        x = 2 * x - 1 if shifted else x
        before, now = np.ones_like(x), first(x)
        out = np.where(order < 0, 0.0, np.where(order == 0, before, now))
        for k in range(1, int(order.max(initial=0))):
            before, now = now, next_one(k, x, now, before)
            out = np.where(order == k + 1, now, out)
        return out.astype(input.dtype)

    forward.__name__ = forward.__qualname__ = f"_{name}"
    compute = op(dtypes="float", name=f"science/{name}")(forward)

    def polynomial(input: Any, n: Any) -> Tensor:
        model = input if isinstance(input, Tensor) else n
        kind = model.dtype if model.is_floating_point() else dv.get_default_dtype()
        return compute(*(v.to(kind) if isinstance(v, Tensor) else dv.tensor(v, dtype=kind, device=model.device) for v in (input, n)))

    polynomial.__name__ = polynomial.__qualname__ = name
    polynomial.__doc__ = f"{summary} of degree ``n`` at ``input``; 0 for a negative degree."
    return polynomial


def _double(k: int, x: Any, now: Any, before: Any) -> Any:
    return 2 * x * now - before


chebyshev_polynomial_t = _polynomial("chebyshev_polynomial_t", "The Chebyshev polynomial of the first kind", _double, lambda x: x)
chebyshev_polynomial_u = _polynomial("chebyshev_polynomial_u", "The Chebyshev polynomial of the second kind", _double, lambda x: 2 * x)
chebyshev_polynomial_v = _polynomial("chebyshev_polynomial_v", "The Chebyshev polynomial of the third kind", _double, lambda x: 2 * x - 1)
chebyshev_polynomial_w = _polynomial("chebyshev_polynomial_w", "The Chebyshev polynomial of the fourth kind", _double, lambda x: 2 * x + 1)
shifted_chebyshev_polynomial_t = _polynomial("shifted_chebyshev_polynomial_t", "T on [0, 1]", _double, lambda x: x, True)
shifted_chebyshev_polynomial_u = _polynomial("shifted_chebyshev_polynomial_u", "U on [0, 1]", _double, lambda x: 2 * x, True)
shifted_chebyshev_polynomial_v = _polynomial("shifted_chebyshev_polynomial_v", "V on [0, 1]", _double, lambda x: 2 * x - 1, True)
shifted_chebyshev_polynomial_w = _polynomial("shifted_chebyshev_polynomial_w", "W on [0, 1]", _double, lambda x: 2 * x + 1, True)
hermite_polynomial_h = _polynomial(
    "hermite_polynomial_h", "The physicists' Hermite polynomial", lambda k, x, now, before: 2 * x * now - 2 * k * before, lambda x: 2 * x
)
hermite_polynomial_he = _polynomial(
    "hermite_polynomial_he", "The probabilists' Hermite polynomial", lambda k, x, now, before: x * now - k * before, lambda x: x
)
laguerre_polynomial_l = _polynomial(
    "laguerre_polynomial_l",
    "The Laguerre polynomial",
    lambda k, x, now, before: ((2 * k + 1 - x) * now - k * before) / (k + 1),
    lambda x: 1 - x,
)
legendre_polynomial_p = _polynomial(
    "legendre_polynomial_p",
    "The Legendre polynomial",
    lambda k, x, now, before: ((2 * k + 1) * x * now - k * before) / (k + 1),
    lambda x: x,
)


# ------------------------------------------------------------------------------------------------ gradients

_ROOT = math.sqrt(2 * math.pi)

ndtr.vjp(lambda g, input: g * dv.exp(-0.5 * input * input) / _ROOT)
ndtri.vjp(lambda g, out: g * _ROOT * dv.exp(0.5 * out * out))
log_ndtr.vjp(lambda g, input: g / erfcx(input * -math.sqrt(0.5)) * math.sqrt(2 / math.pi))
erfcx.vjp(lambda g, input, out: g * (2 * input * out - 2 / math.sqrt(math.pi)))
i0e.vjp(lambda g, input, out: g * (i1e(input) - dv.sign(input) * out))
i1.vjp(lambda g, input, out: g * (i0(input) - _over(out, input)))
i1e.vjp(lambda g, input, out: g * (i0e(input) - dv.sign(input) * out - _over(out, input)))
gammainc.vjp(1)(lambda g, input, other: g * _gamma_density(input, other))
gammaincc.vjp(1)(lambda g, input, other: -g * _gamma_density(input, other))
_zeta.vjp(1)(lambda g, input, other: g * -input * _zeta(input + 1.0, other))


def _over(out: Tensor, input: Tensor) -> Tensor:
    """``out / input``, and its limit ½ at 0."""
    return dv.where(input == 0, 0.5, out / dv.where(input == 0, 1.0, input))


def _gamma_density(a: Tensor, x: Tensor) -> Tensor:
    return dv.exp((a - 1.0) * dv.log(x) - x - dv.lgamma(a))
