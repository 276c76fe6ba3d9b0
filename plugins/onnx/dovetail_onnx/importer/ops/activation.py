"""Activations and the softmax family."""

from __future__ import annotations

from typing import Any

import dovetail as dv
from dovetail.nn import functional as F

from ..table import operator

__all__: list[str] = []


@operator()
def Relu(X: Any) -> Any:
    return F.relu(X)


@operator()
def Sigmoid(X: Any) -> Any:
    return dv.sigmoid(X)


@operator()
def LeakyRelu(X: Any, *, alpha: float = 0.01) -> Any:
    return F.leaky_relu(X, alpha)


@operator()
def Elu(X: Any, *, alpha: float = 1.0) -> Any:
    return F.elu(X, alpha)


@operator()
def Celu(X: Any, *, alpha: float = 1.0) -> Any:
    return F.celu(X, alpha)


@operator()
def Selu(X: Any, *, alpha: float = 1.67326319217681884765625, gamma: float = 1.05070102214813232421875) -> Any:
    return gamma * dv.where(X > 0, X, alpha * dv.expm1(dv.clamp(X, max=0)))


@operator()
def Gelu(X: Any, *, approximate: str = "none") -> Any:
    return F.gelu(X, approximate=approximate)


@operator()
def HardSigmoid(X: Any, *, alpha: float = 0.2, beta: float = 0.5) -> Any:
    if abs(6 * alpha - 1) < 1e-6 and beta == 0.5:  # PyTorch's
        return F.hardsigmoid(X)
    return F.hardtanh(alpha * X + beta, 0.0, 1.0)


@operator()
def HardSwish(X: Any) -> Any:
    return F.hardswish(X)


@operator()
def Mish(X: Any) -> Any:
    return F.mish(X)


@operator()
def Swish(X: Any, *, alpha: float = 1.0) -> Any:
    return X * dv.sigmoid(X if alpha == 1 else alpha * X)


@operator()
def Softplus(X: Any) -> Any:
    return dv.logaddexp(X, dv.zeros_like(X))


@operator()
def Softsign(X: Any) -> Any:
    return F.softsign(X)


@operator()
def ThresholdedRelu(X: Any, *, alpha: float = 1.0) -> Any:
    return dv.where(alpha < X, X, dv.zeros_like(X))


@operator()
def Shrink(input: Any, *, bias: float = 0.0, lambd: float = 0.5) -> Any:
    zero = dv.zeros_like(input)
    return dv.where(input < -lambd, input + bias, dv.where(input > lambd, input - bias, zero)).to(input.dtype)


@operator(since=7)
def PRelu(X: Any, slope: Any) -> Any:
    return dv.where(X < 0, X * slope, X)


@operator("PRelu", since=1)
def PRelu_1(X: Any, slope: Any) -> Any:
    """Before opset 7, a slope of one dimension goes along the channels."""
    if slope.ndim == 1 and slope.numel() > 1:
        slope = slope.reshape((-1,) + (1,) * (X.ndim - 2))
    return PRelu(X, slope)


@operator(since=13)
def Softmax(input: Any, *, axis: int = -1) -> Any:
    return dv.softmax(input, axis)


@operator(since=13)
def LogSoftmax(input: Any, *, axis: int = -1) -> Any:
    return dv.log_softmax(input, axis)


@operator(since=13)
def Hardmax(input: Any, *, axis: int = -1) -> Any:
    best = dv.argmax(input, axis, keepdim=True)
    return dv.zeros_like(input).scatter(axis, best, 1.0)


def _flattened(function: Any) -> Any:
    """Before opset 13 these see a matrix: the dimensions before ``axis``, and the rest."""

    def call(input: Any, *, axis: int = 1) -> Any:
        axis += input.ndim if axis < 0 else 0
        rows = 1
        for size in input.shape[:axis]:
            rows *= size
        return function(input.reshape(rows, -1), axis=1).reshape(input.shape)

    return call


for _function in (Softmax, LogSoftmax, Hardmax):
    operator(_function.__name__)(_flattened(_function))
