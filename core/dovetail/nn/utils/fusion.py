"""A batch norm in evaluation folded into the layer before it."""

from __future__ import annotations

import copy
from typing import Any

from ...autograd.node import Tensor
from ...errors import AssertedError, ValueRangeError
from ...ops.create import zeros_like
from ..parameter import Parameter

__all__ = ["fuse_conv_bn_eval", "fuse_conv_bn_weights", "fuse_linear_bn_eval", "fuse_linear_bn_weights"]


def fuse_conv_bn_eval(conv: Any, bn: Any, transpose: bool = False) -> Any:
    """A convolution that answers what the convolution and the norm after it answer in evaluation.

    >>> import dovetail as dv
    >>> conv, bn = dv.nn.Conv2d(1, 2, 3).eval(), dv.nn.BatchNorm2d(2).eval()
    >>> x = dv.ones(1, 1, 4, 4)
    >>> bool(dv.allclose(fuse_conv_bn_eval(conv, bn)(x), bn(conv(x)), atol=1e-6))
    True
    """
    _need_eval("fuse_conv_bn_eval", conv, bn)
    fused = copy.deepcopy(conv)
    fused.weight, fused.bias = fuse_conv_bn_weights(
        fused.weight, fused.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias, transpose
    )  # fmt: skip
    return fused


def fuse_conv_bn_weights(
    conv_w: Tensor, conv_b: Tensor | None, bn_rm: Tensor, bn_rv: Tensor, bn_eps: float, bn_w: Tensor | None, bn_b: Tensor | None,
    transpose: bool = False,
) -> tuple[Parameter, Parameter]:  # fmt: skip
    """The weights of such a convolution: w · s and (b - mean) · s + bias with s = weight / √(var + eps)."""
    return _fold(conv_w, conv_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, 1 if transpose else 0)


def fuse_linear_bn_eval(linear: Any, bn: Any) -> Any:
    """A linear layer that answers what the layer and the BatchNorm1d after it answer in evaluation."""
    _need_eval("fuse_linear_bn_eval", linear, bn)
    if bn.num_features not in (1, linear.out_features):
        what = "To fuse, linear.out_features == bn.num_features or bn.num_features == 1"
        raise AssertedError("fuse_linear_bn_eval", what, f"got {linear.out_features} and {bn.num_features}")
    fused = copy.deepcopy(linear)
    fused.weight, fused.bias = fuse_linear_bn_weights(fused.weight, fused.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias)
    return fused


def fuse_linear_bn_weights(
    linear_w: Tensor, linear_b: Tensor | None, bn_rm: Tensor, bn_rv: Tensor, bn_eps: float, bn_w: Tensor | None, bn_b: Tensor | None
) -> tuple[Parameter, Parameter]:
    """The weights of such a linear layer."""
    return _fold(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, 0)


def _need_eval(where: str, *modules: Any) -> None:
    if any(m.training for m in modules):
        raise AssertedError(where, "Fusion only for eval!", "call .eval() on both")


def _fold(w: Any, b: Any, mean: Any, var: Any, eps: float, weight: Any, bias: Any, dim: int) -> tuple[Parameter, Parameter]:
    if mean is None or var is None:
        raise ValueRangeError("fuse", "the norm has no running statistics", "expected track_running_stats=True")
    scale = (var + eps).rsqrt() if weight is None else weight * (var + eps).rsqrt()
    b = zeros_like(mean) if b is None else b
    shift = (b - mean) * scale if bias is None else (b - mean) * scale + bias
    shape = [1] * w.ndim
    shape[dim] = -1
    fused = w * scale.reshape(shape)
    return Parameter(fused.detach().to(w.dtype), w.requires_grad), Parameter(shift.detach().to(b.dtype), b.requires_grad or w.requires_grad)
