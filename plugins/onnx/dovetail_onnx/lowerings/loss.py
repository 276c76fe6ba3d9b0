"""Lowerings of losses, so that a model that returns one can be exported."""

from __future__ import annotations

from typing import Any

from ._common import refuse

__all__: list[str] = []


def _reduced(g: Any, x: Any, reduction: str) -> Any:
    if reduction == "none":
        return x
    flat = g.Reshape(x, [-1])
    if reduction == "sum":
        return g.ReduceSum(flat, [0], keepdims=0)
    return g.ReduceMean(flat, [0], keepdims=0) if g.opset >= 18 else g.ReduceMean(flat, axes=[0], keepdims=0)


def mse_loss(g: Any, input: Any, target: Any, reduction: str, bound: float) -> Any:
    away = g.Sub(input, target)
    return _reduced(g, g.Mul(away, away), reduction)


def l1_loss(g: Any, input: Any, target: Any, reduction: str, bound: float) -> Any:
    return _reduced(g, g.Abs(g.Sub(input, target)), reduction)


def huber_loss(g: Any, input: Any, target: Any, reduction: str, bound: float) -> Any:
    away = g.Abs(g.Sub(input, target))
    near = g.Mul(g.Mul(away, away), 0.5)
    return _reduced(g, g.Where(g.Less(away, bound), near, g.Mul(g.Sub(away, bound / 2), bound)), reduction)


def smooth_l1_loss(g: Any, input: Any, target: Any, reduction: str, bound: float) -> Any:
    if bound == 0:
        return l1_loss(g, input, target, reduction, bound)
    away = g.Abs(g.Sub(input, target))
    near = g.Mul(g.Mul(away, away), 0.5 / bound)
    return _reduced(g, g.Where(g.Less(away, bound), near, g.Sub(away, bound / 2)), reduction)


def binary_cross_entropy(g: Any, input: Any, target: Any, weight: Any, reduction: str) -> Any:
    floor = g.const(-100.0, input.dtype)
    yes, no = g.Max(g.Log(input), floor), g.Max(g.Log(g.Sub(1, input)), floor)
    loss = g.Neg(g.Add(g.Mul(target, yes), g.Mul(g.Sub(1, target), no)))
    return _reduced(g, loss if weight is None else g.Mul(loss, g.cast(weight, loss.dtype)), reduction)


def binary_cross_entropy_with_logits(g: Any, input: Any, target: Any, weight: Any, pos_weight: Any, reduction: str) -> Any:
    beside = g.Softplus(g.Neg(input))
    if pos_weight is not None:
        factor = g.cast(pos_weight, input.dtype)
        beside = g.Mul(beside, g.Add(g.Mul(g.Sub(factor, 1), target), 1))
    loss = g.Add(g.Mul(g.Sub(1, target), input), beside)
    return _reduced(g, loss if weight is None else g.Mul(loss, g.cast(weight, loss.dtype)), reduction)


def cross_entropy(g: Any, input: Any, target: Any, weight: Any, ignore_index: int, reduction: str) -> Any:
    if target.dtype.is_floating_point:
        raise refuse(g, "a target of probabilities has no counterpart in ONNX")
    single = input.ndim == 1
    if single:
        input, target = g.Unsqueeze(input, [0]), g.Unsqueeze(target, [0])
    loss = g.SoftmaxCrossEntropyLoss(input, target, weight, ignore_index=int(ignore_index), reduction=reduction)
    return g.Squeeze(loss, [0]) if single and reduction == "none" else loss
