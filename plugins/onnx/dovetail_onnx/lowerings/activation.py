"""Lowerings of activations and softmax."""

from __future__ import annotations

import math
from typing import Any

__all__: list[str] = []


def relu(g: Any, input: Any) -> Any:
    return g.Relu(input) if input.dtype.is_floating_point else g.Max(input, 0)


def leaky_relu(g: Any, input: Any, negative_slope: float) -> Any:
    return g.LeakyRelu(input, alpha=float(negative_slope))


def prelu(g: Any, input: Any, weight: Any) -> Any:
    if weight.ndim == 1 and weight.shape[0] != 1 and input.ndim > 2:
        weight = g.Reshape(weight, [-1, *(1,) * (input.ndim - 2)])
    return g.PRelu(input, weight)


def glu(g: Any, input: Any, dim: int) -> Any:
    a, b = g.node("Split", input, g.sizes([input.shape[dim] // 2] * 2), axis=dim, outputs=2)
    return g.Mul(a, g.Sigmoid(b))


def silu(g: Any, input: Any) -> Any:
    return g.Mul(input, g.Sigmoid(input))


def gelu(g: Any, input: Any, approximate: str) -> Any:
    if g.opset >= 20 and input.dtype.name in ("float32", "float16"):
        return g.Gelu(input, approximate=approximate)
    if approximate == "tanh":
        inner = g.Mul(g.Add(input, g.Mul(g.Mul(g.Mul(input, input), input), 0.044715)), math.sqrt(2 / math.pi))
        return g.Mul(g.Mul(input, 0.5), g.Add(g.Tanh(inner), 1))
    return g.Mul(g.Mul(input, 0.5), g.Add(g.Erf(g.Div(input, math.sqrt(2))), 1))


def elu(g: Any, input: Any, alpha: float, scale: float, input_scale: float) -> Any:
    if scale == 1 and input_scale == 1:
        return g.Elu(input, alpha=float(alpha))
    low = input if input_scale == 1 else g.Mul(input, input_scale)
    low = g.Mul(g.Sub(g.Exp(g.Min(low, 0)), 1), alpha * scale)
    return g.Where(g.Greater(input, 0), g.Mul(input, scale), low)


def softplus(g: Any, input: Any, beta: float, threshold: float) -> Any:
    x = input if beta == 1 else g.Mul(input, beta)
    out = g.Softplus(x)
    out = out if beta == 1 else g.Div(out, beta)
    return out if threshold >= 20 else g.Where(g.Greater(x, threshold), input, out)


def logsigmoid(g: Any, input: Any) -> Any:
    return g.Neg(g.Softplus(g.Neg(input)))


def mish(g: Any, input: Any) -> Any:
    return g.Mul(input, g.Tanh(g.Softplus(input)))


def hardtanh(g: Any, input: Any, min_val: float, max_val: float) -> Any:
    return g.Clip(input, g.const(min_val, input.dtype), g.const(max_val, input.dtype))


def hardswish(g: Any, input: Any) -> Any:
    return g.HardSwish(input) if g.opset >= 14 else g.Mul(input, hardsigmoid(g, input))


def hardsigmoid(g: Any, input: Any) -> Any:
    return g.HardSigmoid(input, alpha=1 / 6, beta=0.5)


def hardshrink(g: Any, input: Any, lambd: float) -> Any:
    return g.Shrink(input, lambd=float(lambd), bias=0.0)


def softshrink(g: Any, input: Any, lambd: float) -> Any:
    return g.Shrink(input, lambd=float(lambd), bias=float(lambd))


def threshold(g: Any, input: Any, threshold: float, value: float) -> Any:
    return g.Where(g.Greater(input, threshold), input, g.const(value, input.dtype))


def softmax(g: Any, input: Any, dim: int) -> Any:
    return g.Softmax(input, axis=dim) if input.ndim else g.Div(input, input)


def log_softmax(g: Any, input: Any, dim: int) -> Any:
    return g.LogSoftmax(input, axis=dim) if input.ndim else g.Sub(input, input)
