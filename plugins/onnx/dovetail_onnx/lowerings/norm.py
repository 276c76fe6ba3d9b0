"""Lowerings of normalisation."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..exporter.sizes import FreeSize
from ._common import reduce

__all__: list[str] = []


def batch_norm_infer(g: Any, input: Any, weight: Any, bias: Any, mean: Any, var: Any, eps: float) -> Any:
    channels = mean.shape[0]
    scale = weight if weight is not None else g.const(np.ones(channels), input.dtype)
    shift = bias if bias is not None else g.const(np.zeros(channels), input.dtype)
    return g.BatchNormalization(input, scale, shift, g.cast(mean, input.dtype), g.cast(var, input.dtype), epsilon=float(eps))


def batch_norm(g: Any, input: Any, weight: Any, bias: Any, eps: float) -> Any:
    """With the statistics of the batch, as instance norm has it too."""
    axes = [k for k in range(input.ndim) if k != 1]
    mean = reduce(g, "ReduceMean", input, axes, True)
    away = g.Sub(input, mean)
    squares = g.Mul(away, away)
    squares.shape = input.shape
    var = reduce(g, "ReduceMean", squares, axes, True)
    out = _scaled(g, g.Div(away, g.Sqrt(g.Add(var, eps))), weight, bias, input.ndim)
    return out, g.Squeeze(mean, axes), g.Squeeze(var, axes)


def _scaled(g: Any, x: Any, weight: Any, bias: Any, ndim: int) -> Any:
    shape = [-1, *(1,) * (ndim - 2)]
    if weight is not None:
        x = g.Mul(x, g.Reshape(weight, shape) if ndim > 2 else weight)
    return x if bias is None else g.Add(x, g.Reshape(bias, shape) if ndim > 2 else bias)


def layer_norm(g: Any, input: Any, normalized_shape: Any, weight: Any, bias: Any, eps: float, centre: bool) -> Any:
    n = len(normalized_shape)
    fixed = not any(isinstance(s, FreeSize) for s in normalized_shape)
    if weight is not None and weight.ndim > n:  # a value for each channel of a group, (groups, channels, 1)
        out = g.Mul(layer_norm(g, input, normalized_shape, None, None, eps, centre), weight)
        return out if bias is None else g.Add(out, bias)
    if g.opset >= 17 and centre and (fixed or weight is not None):
        scale = weight if weight is not None else g.const(np.ones(normalized_shape), input.dtype)
        return g.LayerNormalization(input, scale, bias, axis=-n, epsilon=float(eps))
    axes = list(range(input.ndim - n, input.ndim))
    away = g.Sub(input, reduce(g, "ReduceMean", input, axes, True)) if centre else input
    squares = g.Mul(away, away)
    squares.shape = input.shape
    out = g.Div(away, g.Sqrt(g.Add(reduce(g, "ReduceMean", squares, axes, True), eps)))
    out = out if weight is None else g.Mul(out, weight)
    return out if bias is None else g.Add(out, bias)
