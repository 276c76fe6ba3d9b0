"""The other activations: exponential units, softplus and its kin, then those made of straight pieces."""

from __future__ import annotations

from typing import Any

import numpy as np

from dovetail_numerics.blockwise import choose, masked

from ..autograd.node import Tensor, titled
from ..errors import DtypeError, ValueRangeError
from ._blocks import in_blocks
from ._op import Array, op, xp
from ._refuse import DivisionByZero, fits, no_bools
from .activation import apply
from .arithmetic import _add, _div, _sub, abs, mul, sub
from .elementwise import exp, sigmoid, tanh
from .select import masked_out

__all__ = ["celu", "celu_", "hardshrink", "selu", "selu_", "threshold", "threshold_"]
METHODS = ("hardshrink",)
FUNCTIONAL = (
    "celu", "celu_", "elu", "elu_", "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "hardtanh_", "logsigmoid", "mish", "relu6",
    "selu", "selu_", "softplus", "softshrink", "softsign", "tanhshrink", "threshold", "threshold_",
)  # fmt: skip
SELU_ALPHA, SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946


# --- exponential units ----------------------------------------------------------------------------------------------


@in_blocks
@op(name="elu", dtypes="floating")
def _elu(input: Array, alpha: float, scale: float, input_scale: float) -> Array:
    low = xp(input).expm1(input * input_scale if input_scale != 1 else input)
    low *= alpha * scale
    return choose(input <= 0, low, input * scale if scale != 1 else input)


@_elu.vjp
def _(g: Any, input: Any, alpha: float, scale: float, input_scale: float) -> Any:
    low = mul(masked_out(input, input >= 0, True), input_scale)  # without those whose exponential may be infinite
    return mul(g, mul(exp(low), alpha * scale * input_scale)).where(input <= 0, mul(g, scale))


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
    return titled("Celu0", apply(_elu, inplace, input, alpha, 1.0, 1.0 / alpha))


def celu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """In-place form of :func:`celu`."""
    return celu(input, alpha, True)


# --- softplus and its kin -------------------------------------------------------------------------------------------


@in_blocks
@op(name="softplus", dtypes="floating")
def _softplus(input: Array, beta: float, threshold: float) -> Array:
    m = xp(input)
    x = input * beta
    soft = m.log1p(m.exp(x))
    if beta != 1:
        soft /= beta
    return choose(x > threshold, input, soft)


@_softplus.vjp
def _(g: Any, input: Any, beta: float, threshold: float) -> Any:
    x = mul(input, beta)
    return g.where(x > threshold, mul(g, sigmoid(x)))


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """A smooth rectifier: ``log(1 + exp(beta x)) / beta``, and x where ``beta x > threshold``.

    >>> import dovetail.nn.functional as F, dovetail as dv
    >>> F.softplus(dv.tensor([0., 30.]))
    tensor([ 0.6931, 30.0000])
    """
    return _softplus(input, beta, threshold)


@in_blocks
@op(dtypes="floating", contiguous=True)
def logsigmoid(input: Array) -> Array:
    """The logarithm of sigmoid, without overflow: ``min(x, 0) − log(1 + e^(−|x|))``.

    >>> import dovetail.nn.functional as F, dovetail as dv
    >>> F.logsigmoid(dv.tensor([0., -100.]))
    tensor([  -0.6931, -100.0000])
    """
    m = xp(input)
    return m.minimum(input, 0) - m.log1p(m.exp(-m.abs(input)))


logsigmoid.vjp(lambda g, input: mul(g, sigmoid(mul(input, -1))))


@in_blocks
@op(name="mish", dtypes="floating")
def _mish(input: Array) -> Array:
    m = xp(input)
    e = m.exp(m.minimum(input, 40))  # tanh(log(1 + e)) = n / (n + 2) with n = e (e + 2)
    n = e * (e + 2)
    return input * (n / (n + 2))


@_mish.vjp
def _(g: Any, input: Any) -> Any:
    x = input.float() if input._a.dtype.itemsize == 2 else input  # the two terms nearly cancel each other
    t = tanh(_softplus(x, 1, 20))
    return mul(g, _add(t, mul(mul(x, sigmoid(x)), _sub(1, mul(t, t)))))


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


# --- straight pieces --------------------------------------------------------------------------------------------------


def _where(g: Any, input: Any, mask: Any, out: bool = False) -> Any:
    """The gradient where a mask is true (or is not); its own gradient by the input is zero, and not missing."""
    kept = masked_out(g, mask, out)
    return kept if input._n is None else _add(kept, masked_out(input, input == input, True))


@op(name="hardtanh")
def _hardtanh(input: Array, min_val: float, max_val: float) -> Array:
    kind = input.dtype.kind
    if kind == "b":
        raise DtypeError("hardtanh", "Bool inputs not supported for hardtanh")
    if kind in "iu":
        min_val, max_val = int(min_val), int(max_val)
        if kind == "u" and min_val < 0:
            raise DtypeError("hardtanh", f"cannot do hardtanh on an unsigned type with negative limits (min_val {min_val})")
    return input.clip(min_val, max_val)


_hardtanh.vjp(lambda g, input, min_val, max_val: _where(g, input, ~((input <= min_val) | (input >= max_val))))


def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """The identity cut off at two bounds; the gradient at a bound is 0.

    >>> import dovetail.nn.functional as F, dovetail as dv
    >>> F.hardtanh(dv.tensor([-2., 0.5]))
    tensor([-1.0000,  0.5000])
    """
    if min_val > max_val:
        raise ValueRangeError("hardtanh", f"min_val cannot be greater than max_val (got {min_val} and {max_val})")
    return apply(_hardtanh, inplace, input, min_val, max_val)


def hardtanh_(input: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """In-place form of :func:`hardtanh`."""
    return hardtanh(input, min_val, max_val, True)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """The rectifier cut off at 6: ``min(max(0, x), 6)``.

    >>> import dovetail.nn.functional as F, dovetail as dv
    >>> F.relu6(dv.tensor([-2., 8.]))
    tensor([0., 6.])
    """
    return apply(_hardtanh, inplace, input, 0.0, 6.0)


@in_blocks
@op(name="hardswish", dtypes="floating")
def _hardswish(input: Array) -> Array:
    gate = (input + 3).clip(0, 6)
    gate *= input
    gate /= 6
    return gate


@_hardswish.vjp
def _(g: Any, input: Any) -> Any:
    slope = _add(mul(input, 1 / 3), 0.5).masked_fill(~(input < 3), 1.0)
    return mul(g, masked_out(slope, input <= -3, True))


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """A piecewise swish: ``x · relu6(x + 3) / 6`` (Howard et al. 2019).

    >>> import dovetail.nn.functional as F, dovetail as dv
    >>> F.hardswish(dv.tensor([-4., 1.]))
    tensor([-0.0000, 0.6667])
    """
    return apply(_hardswish, inplace, input)


_SIXTH = float(np.float32(1 / 6))  # PyTorch's factor has float32's precision for every type


@op(name="hardsigmoid", dtypes="floating")
def _hardsigmoid(input: Array) -> Array:
    return (input + 3).clip(0, 6) / 6


_hardsigmoid.vjp(lambda g, input: masked_out(mul(g, _SIXTH), (input > -3) & (input < 3), False))


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """A piecewise sigmoid: ``relu6(x + 3) / 6``.

    >>> import dovetail.nn.functional as F, dovetail as dv
    >>> F.hardsigmoid(dv.tensor([-4., 0.]))
    tensor([0.0000, 0.5000])
    """
    return apply(_hardsigmoid, inplace, input)


@op(dtypes="floating")
def hardshrink(input: Array, lambd: float = 0.5) -> Array:
    """0 where ``|x| <= lambd``, x elsewhere.

    >>> import dovetail as dv
    >>> dv.hardshrink(dv.tensor([0.2, 2.]))
    tensor([0., 2.])
    """
    return masked(input, (input >= -lambd) & (input <= lambd))


hardshrink.vjp(lambda g, input, lambd: _where(g, input, (input >= -lambd) & (input <= lambd), True))


@op(dtypes="floating")
def softshrink(input: Array, lambd: float = 0.5) -> Array:
    """x moved towards 0 by `lambd`: ``sign(x) · max(|x| − lambd, 0)``. Raises a DtypeError (RuntimeError) for a negative one.

    >>> import dovetail.nn.functional as F, dovetail as dv
    >>> F.softshrink(dv.tensor([0.2, 2.]))
    tensor([0.0000, 1.5000])
    """
    if not 0 <= lambd < float("inf"):
        raise DtypeError("softshrink", f"lambda must be in range [0, inf), but found {lambd}")
    m = xp(input)
    return m.where(input > lambd, input - lambd, m.where(input < -lambd, input + lambd, input * 0))


softshrink.vjp(lambda g, input, lambd: _where(g, input, (input >= -lambd) & (input <= lambd), True))


@op(name="threshold")
def _threshold(input: Array, threshold: float, value: float) -> Array:
    no_bools("threshold", input)
    numbers = (number.item() if hasattr(number, "item") else number for number in (threshold, value))
    lowest, value = xp(input).asarray([fits("threshold", number, input.dtype) for number in numbers]).astype(input.dtype)
    return xp(input).where(input <= lowest, value, input)


_threshold.vjp(lambda g, input, threshold: _where(g, input, input <= threshold, True))


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """x where it exceeds the threshold, else `value`.

    >>> import dovetail as dv
    >>> dv.threshold(dv.tensor([0., 2.]), 1., 9.)
    tensor([9., 2.])
    """
    return apply(_threshold, inplace, input, threshold, value)


def threshold_(input: Tensor, threshold: float, value: float) -> Tensor:
    """In-place form of :func:`threshold`."""
    return apply(_threshold, True, input, threshold, value)
