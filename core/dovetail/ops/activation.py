"""The activations that most networks use, each with one fused gradient op: relu, leaky_relu, gelu, silu, prelu, glu."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dovetail_numerics.blockwise import choose, masked
from dovetail_numerics.erf import TANH_FORM, horner
from dovetail_numerics.erf import erf as raw_erf

from ..autograd.node import Tensor
from ..errors import DtypeError, ShapeError
from ._blocks import in_blocks
from ._dims import dim_of
from ._op import Array, op, xp
from ._refuse import floats_only, tensors
from .arithmetic import _add, mul, zero
from .elementwise import sigmoid, tanh
from .inplace import inplace, write
from .join import cat
from .special import erf

__all__ = ["prelu", "relu", "relu_"]
FUNCTIONAL = ("gelu", "glu", "leaky_relu", "leaky_relu_", "prelu", "relu", "relu_", "silu")


def apply(function: Any, in_place: bool, *args: Any) -> Any:
    """Call an op, or its in-place form."""
    return write(function.op, list(args)) if in_place else function(*args)


_ZEROS = {np.dtype(t): np.zeros((), t) for t in ("f4", "f8")}  # a Python 0 costs a call on few elements twice as much


@op(name="relu")
def _relu(input: Array) -> Array:
    if input.__class__ is np.ndarray:
        none = _ZEROS.get(input.dtype)
        if none is not None:  # on many elements the loop of clip is the quick one
            return input.clip(0, math.inf) if input.size > 4096 else np.maximum(none, input)  # in this order -0 stays
    if input.dtype.kind == "b":
        raise DtypeError("relu", "Boolean inputs not supported for relu")
    return xp(input).maximum(0, input)


_relu.vjp(lambda g, out: relu_grad(g, out))


@op
def relu_grad(grad: Array, y: Array) -> Array:
    """The gradient of relu by its result y: `grad` where y is positive or NaN, else 0."""
    return masked(grad, y <= 0)


relu_grad.vjp(lambda g, y: relu_grad(g, y), lambda g: zero(g))  # zero, and not missing: biases before it get a second gradient


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """The rectifier: ``max(0, x)``; the gradient at 0 is 0.

    >>> import dovetail as dv
    >>> dv.relu(dv.tensor([-1., 2.]))
    tensor([0., 2.])
    """
    return apply(_relu, True, input) if inplace else _relu(input)


@op(name="leaky_relu")
def _leaky_relu(input: Array, negative_slope: float) -> Array:
    floats_only("leaky_relu", input)
    scaled = input * negative_slope
    if 0 < negative_slope <= 1:  # 0 times infinity would count as the larger one
        return xp(input).maximum(input, scaled)
    return choose(input > 0, input, scaled)


_leaky_relu.vjp(lambda g, input, negative_slope: leaky_relu_grad(g, input, negative_slope))


@op
def leaky_relu_grad(grad: Array, input: Array, negative_slope: float) -> Array:
    """The gradient of leaky_relu: `grad` where the input is positive, else `grad` times the slope."""
    return choose(input > 0, grad, grad * negative_slope)


leaky_relu_grad.vjp(lambda g, input, negative_slope: leaky_relu_grad(g, input, negative_slope), lambda g: zero(g))


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """The rectifier with a slope below 0: ``x`` if x > 0, else ``negative_slope · x``.

    >>> import dovetail.nn.functional as F, dovetail as dv
    >>> F.leaky_relu(dv.tensor([-1., 2.]), 0.5)
    tensor([-0.5000,  2.0000])
    """
    return apply(_leaky_relu, inplace, input, negative_slope)


def leaky_relu_(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """In-place form of :func:`leaky_relu`."""
    return leaky_relu(input, negative_slope, True)


# --- silu -----------------------------------------------------------------------------------------------------------


@in_blocks
@op(name="silu", dtypes="floating")
def _silu(input: Array) -> Array:
    m = xp(input)
    t = -input
    m.exp(t, out=t)
    t += 1
    return m.divide(input, t, out=t)


_silu.vjp(lambda g, input: silu_grad(g, input))
_silu.composite(lambda input: mul(input, sigmoid(input)))


@in_blocks
@op
def silu_grad(grad: Array, input: Array) -> Array:
    """The gradient of silu: ``grad s (1 + x (1 - s))`` with s = sigmoid(x)."""
    m = xp(input)
    s = -input
    m.exp(s, out=s)
    s += 1
    m.divide(1, s, out=s)
    d = 1 - s
    d *= input
    d += 1
    d *= s
    d *= grad
    return d


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """The sigmoid-weighted linear unit, or swish: ``x · sigmoid(x)`` (Hendrycks and Gimpel 2016).

    >>> import dovetail.nn.functional as F, dovetail as dv
    >>> F.silu(dv.tensor([-1., 2.]))
    tensor([-0.2689,  1.7616])
    """
    return apply(_silu, inplace, input)


# --- gelu -----------------------------------------------------------------------------------------------------------

_ROOT_HALF, _TANH_SCALE, _CUBIC = math.sqrt(0.5), math.sqrt(2 / math.pi), 0.044715
_HALVED = tuple(c * 0.5**k * _ROOT_HALF for k, c in enumerate(TANH_FORM))  # erf(x/√2) = tanh(x R(x²/2)/√2)


def _twice_cdf(x: Any) -> Any:
    """1 + erf(x / √2), a new array."""
    if x.dtype.itemsize == 8:
        return 1 + raw_erf(x * _ROOT_HALF)
    out = horner(_HALVED, x * x)
    out *= x
    xp(x).tanh(out, out=out)
    out += 1
    return out


def _cubic_tanh(x: Any) -> Any:
    """tanh(√(2/π) (x + 0.044715 x³)), a new array."""
    u = x * x
    u *= _TANH_SCALE * _CUBIC
    u += _TANH_SCALE
    u *= x
    return xp(x).tanh(u, out=u)


@in_blocks
@op(dtypes="floating")
def gelu(input: Array, approximate: str = "none") -> Array:
    """The Gaussian error linear unit: ``x Φ(x)`` with Φ the normal distribution (Hendrycks and Gimpel 2016).

    With approximate="tanh": ``0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³)))``.

    >>> import dovetail.nn.functional as F, dovetail as dv
    >>> F.gelu(dv.tensor([-1., 2.]))
    tensor([-0.1587,  1.9545])
    """
    if approximate not in ("none", "tanh"):
        raise DtypeError("gelu", f"approximate argument must be either none or tanh (got {approximate!r})")
    if approximate == "none":
        out = _twice_cdf(input)
    else:
        out = _cubic_tanh(input)
        out += 1
    out *= input
    out *= 0.5
    return out


gelu.vjp(lambda g, input, approximate: gelu_grad(g, input, approximate))


@gelu.composite
def _(input: Any, approximate: str) -> Any:
    if approximate == "none":
        gate = erf(mul(input, _ROOT_HALF))
    else:
        gate = tanh(mul(input, _add(mul(mul(input, input), _TANH_SCALE * _CUBIC), _TANH_SCALE)))
    return mul(mul(input, 0.5), _add(gate, 1))


@in_blocks
@op
def gelu_grad(grad: Array, input: Array, approximate: str) -> Array:
    """The gradient of gelu."""
    m, x = xp(input), input
    if approximate == "none":  # Φ + x φ
        d = x * x
        d *= -0.5
        m.exp(d, out=d)
        d *= x
        d *= 1 / math.sqrt(2 * math.pi)
        c = _twice_cdf(x)
        c *= 0.5
    else:  # (1 + t) / 2 + x (1 - t²) u' / 2
        t = _cubic_tanh(x)
        c = x * x
        c *= 1.5 * _CUBIC * _TANH_SCALE
        c += 0.5 * _TANH_SCALE
        c *= x
        d = t * t
        m.subtract(1, d, out=d)
        d *= c
        t *= 0.5
        t += 0.5
        c = t
    d += c
    d *= grad
    return d


# --- with a partner -------------------------------------------------------------------------------------------------


@op(name="prelu")
def _prelu(input: Array, weight: Array) -> Array:
    floats_only("prelu", input)
    return choose(input > 0, input, input * weight)


_prelu.vjp(lambda g, input, weight: g.where(input > 0, mul(g, weight)), lambda g, input: mul(g, input).masked_fill(input > 0, 0))


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """The rectifier with a learned slope below 0, one or one a channel: ``x`` if x > 0, else ``weight · x``.

    Shapes: input (N, C, ...), weight (C,) or (1,) or ().

    >>> import dovetail as dv
    >>> dv.prelu(dv.tensor([-1., 2.]), dv.tensor([0.25]))
    tensor([-0.2500,  2.0000])
    """
    tensors("prelu", input=input, weight=weight)
    shape, count = input._a.shape, weight._a.size
    if weight._a.ndim > 1:
        raise ShapeError("prelu", f"Expected `weight` to be a scalar or 1D tensor, but got: ndim = {weight._a.ndim}")
    if input._a.dtype != weight._a.dtype:
        raise DtypeError("prelu", f"Type promoting not supported. Got {input.dtype} and {weight.dtype}")
    if count != 1:
        channels = shape[1] if len(shape) > 1 else 1
        if channels != count:
            found = f"Found parameter numbers = {count} and channel size = {channels}"
            raise ShapeError("prelu", f"Mismatch of parameter numbers and input channel size. {found}", f"input {shape}")
        weight = weight.reshape((count,) + (1,) * (len(shape) - 2))
    elif weight._a.ndim > len(shape):
        weight = weight.reshape(())
    return _prelu(input, weight)


@op(dtypes="floating")
def glu(input: Array, dim: int = -1) -> Array:
    """The gated linear unit: ``a · sigmoid(b)`` where a and b are the halves of the input along `dim`.

    >>> import dovetail.nn.functional as F, dovetail as dv
    >>> F.glu(dv.tensor([2., 0.]))
    tensor([1.])
    """
    if not input.ndim:
        raise ShapeError("glu", "glu does not support 0-dimensional tensors")
    dim = dim_of("glu", dim, input.ndim)
    if input.shape[dim] % 2:
        what = f"Halving dimension must be even, but dimension {dim} is size {input.shape[dim]}"
        raise ShapeError("glu", what, f"input {input.shape}")
    a, b = xp(input).split(input, 2, axis=dim)
    return a / (xp(input).exp(-b) + 1)


@glu.vjp
def _(g: Any, input: Any, dim: int) -> Any:
    a, b = input.chunk(2, dim)
    by_a = g * sigmoid(b)
    return cat([by_a, by_a * a * sigmoid(-b)], dim)


relu_ = inplace(_relu)
