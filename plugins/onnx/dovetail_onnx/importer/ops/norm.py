"""Normalization, and dropout."""

from __future__ import annotations

from typing import Any

import dovetail as dv
from dovetail.errors import UnsupportedError
from dovetail.nn import functional as F

from ..table import operator
from ..values import number

__all__: list[str] = []


@operator()
def BatchNormalization(
    X: Any, scale: Any, B: Any, mean: Any, var: Any, *, epsilon: float = 1e-5, momentum: float = 0.9, training_mode: int = 0,
    spatial: int = 1, is_test: int = 0, training: bool, n_outputs: int,
) -> Any:  # fmt: skip
    """In the module's training mode it works as nn.BatchNorm does: by the batch, moving the running statistics in place."""
    scale, B = scale.to(X.dtype), B.to(X.dtype)
    if not spatial or (not training_mode and (mean.requires_grad or var.requires_grad)):
        if spatial:
            scale, B, mean, var = (one.reshape((-1,) + (1,) * (X.ndim - 2)) for one in (scale, B, mean, var))
        return (X - mean) / dv.sqrt(var + epsilon) * scale + B
    if training_mode:
        return _by_batch(X, scale, B, mean, var, epsilon, momentum, training)
    if n_outputs > 1:
        raise UnsupportedError(
            "BatchNormalization", f"has {n_outputs} outputs, as training graphs before opset 14 have them", "expected one"
        )
    if not training:
        return F.batch_norm(X, mean.to(X.dtype), var.to(X.dtype), scale, B, False, 0.0, epsilon)
    return F.batch_norm(X, mean, var, scale, B, True, 1 - momentum, epsilon)


def _by_batch(X: Any, scale: Any, B: Any, mean: Any, var: Any, epsilon: float, momentum: float, training: bool) -> Any:
    dims = [0, *range(2, X.ndim)]
    moved = [now * (1 - momentum) + before * momentum for now, before in ((X.mean(dims), mean), (X.var(dims, correction=0), var))]
    out = F.batch_norm(X, mean if training else None, var if training else None, scale, B, True, 1 - momentum, epsilon)
    return out, moved[0].to(mean.dtype), moved[1].to(var.dtype)


@operator()
def InstanceNormalization(input: Any, scale: Any, B: Any, *, epsilon: float = 1e-5) -> Any:
    return F.instance_norm(input, weight=scale, bias=B, eps=epsilon)


def _stashed(X: Any, stash_type: int) -> Any:
    return X.float() if stash_type == 1 and X.dtype is not dv.float64 else X


@operator()
def LayerNormalization(
    X: Any, Scale: Any, B: Any = None, *, axis: int = -1, epsilon: float = 1e-5, stash_type: int = 1, n_outputs: int
) -> Any:
    if n_outputs == 1 and tuple(Scale.shape) == tuple(X.shape[axis:]) and (B is None or B.shape == Scale.shape):
        return F.layer_norm(X, tuple(X.shape[axis:]), Scale, B, epsilon)
    dims = list(range(axis % X.ndim, X.ndim))
    wide = _stashed(X, stash_type)
    mean = wide.mean(dims, keepdim=True)
    apart = wide - mean
    inverse = dv.rsqrt((apart * apart).mean(dims, keepdim=True) + epsilon)
    out = (apart * inverse).to(X.dtype) * Scale
    return (out if B is None else out + B), mean, inverse


@operator()
def RMSNormalization(X: Any, scale: Any, *, axis: int = -1, epsilon: float = 1e-5, stash_type: int = 1) -> Any:
    wide = _stashed(X, stash_type)
    square = (wide * wide).mean(list(range(axis % X.ndim, X.ndim)), keepdim=True)
    return ((wide * dv.rsqrt(square + epsilon)).to(X.dtype) * scale).to(scale.dtype)


@operator(since=21)
def GroupNormalization(X: Any, scale: Any, bias: Any, *, num_groups: int, epsilon: float = 1e-5, stash_type: int = 1) -> Any:
    return F.group_norm(X, num_groups, scale, bias, epsilon)


@operator("GroupNormalization", since=18)
def GroupNormalization_18(X: Any, scale: Any, bias: Any, *, num_groups: int, epsilon: float = 1e-5) -> Any:
    """Before opset 21, a factor and an offset for each group."""
    each = X.shape[1] // num_groups
    return F.group_norm(X, num_groups, scale.repeat_interleave(each), bias.repeat_interleave(each), epsilon)


@operator()
def LRN(X: Any, *, size: int, alpha: float = 1e-4, beta: float = 0.75, bias: float = 1.0) -> Any:
    before = (size - 1) // 2
    square = F.pad(X * X, [0, 0] * (X.ndim - 2) + [before, size - 1 - before])
    total = sum(square.narrow(1, at, X.shape[1]) for at in range(size))
    return X / (bias + alpha / size * total) ** beta


@operator()
def LpNormalization(input: Any, *, axis: int = -1, p: int = 2) -> Any:
    size = dv.abs(input).sum(axis, keepdim=True) if p == 1 else dv.sqrt((input * input).sum(axis, keepdim=True))
    return dv.where(size == 0, dv.zeros_like(input), input / dv.where(size == 0, dv.ones_like(size), size))


@operator()
def MeanVarianceNormalization(X: Any, *, axes: Any = (0, 2, 3)) -> Any:
    mean = X.mean(list(axes), keepdim=True)
    return (X - mean) / (dv.sqrt((X * X).mean(list(axes), keepdim=True) - mean * mean) + 1e-9)


@operator()
def Dropout(
    data: Any,
    ratio: Any = 0.5,
    training_mode: Any = None,
    *,
    seed: int | None = None,
    is_test: int | None = None,
    training: bool,
    n_outputs: int,
) -> Any:
    """Active where the node says so, and in the module's training mode."""
    p = float(number(ratio))
    active = p > 0 and (training or (training_mode is not None and bool(number(training_mode))))
    if not active:
        return data, dv.ones_like(data, dtype=dv.bool)
    if seed is None and n_outputs == 1:
        return F.dropout(data, p)
    if seed is None:
        keep = F.dropout(dv.ones_like(data), p) != 0
    else:  # a mask that the file fixes is drawn as the ONNX package draws it
        import numpy as np

        keep = dv.from_numpy(np.random.RandomState(seed).uniform(0, 1.0, tuple(data.shape)) >= p).to(data.device)
    return (data * keep / (1 - p)).to(data.dtype), keep
