"""Smooth activations: exponential units, softplus and its kin."""

from __future__ import annotations

from typing import Any

from ..autograd.node import Tensor
from ._blockwise import blockwise, choose
from ._op import Array, op, xp
from ._refuse import DivisionByZero
from .activation import apply
from .arithmetic import _add, _div, _sub, abs, mul, sub
from .elementwise import exp, sigmoid, tanh
from .select import masked_out

__all__ = ["celu", "celu_", "selu", "selu_"]
METHODS = ()
FUNCTIONAL = ("celu", "celu_", "elu", "elu_", "logsigmoid", "mish", "selu", "selu_", "softplus", "softsign", "tanhshrink")
SELU_ALPHA, SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946


# --- exponential units ----------------------------------------------------------------------------------------------


@blockwise
def _raw_elu(input: Any, alpha: float, scale: float, input_scale: float) -> Any:
    m = xp(input)
    low = m.expm1(input * input_scale if input_scale != 1 else input)
    low *= alpha * scale
    return choose(input <= 0, low, input * scale if scale != 1 else input)


@op(name="elu", dtypes="floating")
def _elu(input: Array, alpha: float, scale: float, input_scale: float) -> Array:
    return _raw_elu(input, alpha, scale, input_scale)


_elu.vjp(lambda g, input, alpha, scale, input_scale: elu_grad(g, input, alpha, scale, input_scale))


@blockwise
def _raw_elu_grad(grad: Any, input: Any, alpha: float, scale: float, input_scale: float) -> Any:
    m = xp(input)
    low = m.exp(input * input_scale if input_scale != 1 else input)
    low *= alpha * scale * input_scale
    low *= grad
    return choose(input <= 0, low, grad * scale)


@op
def elu_grad(grad: Array, input: Array, alpha: float, scale: float, input_scale: float) -> Array:
    """The gradient of elu, selu and celu."""
    return _raw_elu_grad(grad, input, alpha, scale, input_scale)


elu_grad.vjp(0)(lambda g, input, alpha, scale, input_scale: elu_grad(g, input, alpha, scale, input_scale))


@elu_grad.vjp(1)
def _(g: Any, grad: Any, input: Any, alpha: float, scale: float, input_scale: float) -> Any:
    bend = mul(exp(mul(input, input_scale)), alpha * scale * input_scale**2)
    return masked_out(mul(mul(g, grad), bend), input < 0, False)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """The exponential linear unit: ``x`` if x > 0, else ``α (eˣ − 1)`` (Clevert et al. 2015).

    >>> import dovetail.nn.functional as F, dovetail as dv
    >>> F.elu(dv.tensor([-1., 2.]))
    tensor([-0.6321,  2.0000])
    """
    return apply(_elu, inplace, input, alpha, 1.0, 1.0)


def elu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """In-place form of :func:`elu`."""
    return elu(input, alpha, True)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """The scaled exponential linear unit, whose constants keep mean 0 and variance 1 (Klambauer et al. 2017).

    >>> import dovetail as dv
    >>> dv.selu(dv.tensor([-1., 2.]))
    tensor([-1.1113,  2.1014])
    """
    return apply(_elu, inplace, input, SELU_ALPHA, SELU_SCALE, 1.0)


def selu_(input: Tensor) -> Tensor:
    """In-place form of :func:`selu`."""
    return selu(input, True)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """The continuously differentiable exponential linear unit: ``x`` if x > 0, else ``α (e^(x/α) − 1)`` (Barron 2017).

    Raises a DivisionByZero (RuntimeError) for alpha 0.

    >>> import dovetail as dv
    >>> dv.celu(dv.tensor([-1., 2.]), 2.)
    tensor([-0.7869,  2.0000])
    """
    if alpha == 0:
        raise DivisionByZero("celu", "ZeroDivisionError: alpha cannot be 0 for CELU")
    return apply(_elu, inplace, input, alpha, 1.0, 1.0 / alpha)


def celu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """In-place form of :func:`celu`."""
    return celu(input, alpha, True)


# --- softplus and its kin -------------------------------------------------------------------------------------------


@blockwise
def _raw_softplus(input: Any, beta: float, threshold: float) -> Any:
    m = xp(input)
    x = input * beta
    soft = m.log1p(m.exp(x))
    if beta != 1:
        soft /= beta
    return choose(x > threshold, input, soft)


@op(name="softplus", dtypes="floating")
def _softplus(input: Array, beta: float, threshold: float) -> Array:
    return _raw_softplus(input, beta, threshold)


_softplus.vjp(lambda g, input, beta, threshold: softplus_grad(g, input, beta, threshold))


@blockwise
def _raw_softplus_grad(grad: Any, input: Any, beta: float, threshold: float) -> Any:
    m = xp(input)
    x = input * beta
    z = m.exp(x)
    slope = z / (z + 1)
    slope *= grad
    return choose(x > threshold, grad, slope)


@op
def softplus_grad(grad: Array, input: Array, beta: float, threshold: float) -> Array:
    """The gradient of softplus: ``grad · sigmoid(beta x)``, and `grad` in its linear part."""
    return _raw_softplus_grad(grad, input, beta, threshold)


softplus_grad.vjp(0)(lambda g, input, beta, threshold: softplus_grad(g, input, beta, threshold))


@softplus_grad.vjp(1)
def _(g: Any, grad: Any, input: Any, beta: float, threshold: float) -> Any:
    x = mul(input, beta)
    s = sigmoid(x)
    return masked_out(mul(mul(g, grad), mul(mul(s, _sub(1, s)), beta)), x >= threshold, True)


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """A smooth rectifier: ``log(1 + exp(beta x)) / beta``, and x where ``beta x > threshold``.

    >>> import dovetail.nn.functional as F, dovetail as dv
    >>> F.softplus(dv.tensor([0., 30.]))
    tensor([ 0.6931, 30.0000])
    """
    return _softplus(input, beta, threshold)


@blockwise
def _raw_logsigmoid(input: Any) -> Any:
    m = xp(input)
    t = m.abs(input)
    m.negative(t, out=t)
    m.exp(t, out=t)
    m.log1p(t, out=t)
    return m.minimum(input, 0) - t


@op(dtypes="floating", contiguous=True)
def logsigmoid(input: Array) -> Array:
    """The logarithm of sigmoid, without overflow: ``min(x, 0) − log(1 + e^(−|x|))``.

    >>> import dovetail.nn.functional as F, dovetail as dv
    >>> F.logsigmoid(dv.tensor([0., -100.]))
    tensor([  -0.6931, -100.0000])
    """
    return _raw_logsigmoid(input)


logsigmoid.vjp(lambda g, input: mul(g, sigmoid(mul(input, -1))))


@blockwise
def _raw_mish(input: Any) -> Any:
    m = xp(input)
    e = m.exp(m.minimum(input, 40))  # tanh(log(1 + e)) = n / (n + 2) with n = e (e + 2)
    n = e * (e + 2)
    return input * (n / (n + 2))


@op(name="mish", dtypes="floating")
def _mish(input: Array) -> Array:
    return _raw_mish(input)


@_mish.vjp
def _(g: Any, input: Any) -> Any:
    t = tanh(_softplus(input, 1, 20))
    return mul(g, _add(t, mul(mul(input, sigmoid(input)), _sub(1, mul(t, t)))))


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """``x · tanh(softplus(x))`` (Misra 2019).

    >>> import dovetail.nn.functional as F, dovetail as dv
    >>> F.mish(dv.tensor([-1., 2.]))
    tensor([-0.3034,  1.9440])
    """
    return apply(_mish, inplace, input)


def softsign(input: Tensor) -> Tensor:
    """``x / (1 + |x|)``.

    >>> import dovetail.nn.functional as F, dovetail as dv
    >>> F.softsign(dv.tensor([-1., 3.]))
    tensor([-0.5000,  0.7500])
    """
    return _div(input, _add(abs(input), 1))


def tanhshrink(input: Tensor) -> Tensor:
    """``x − tanh(x)``.

    >>> import dovetail.nn.functional as F, dovetail as dv
    >>> F.tanhshrink(dv.tensor([-1., 1.]))
    tensor([-0.2384,  0.2384])
    """
    return sub(input, tanh(input))
