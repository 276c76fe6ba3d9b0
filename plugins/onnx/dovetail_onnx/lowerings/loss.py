"""Lowerings of losses, so that a model that returns one can be exported."""

from __future__ import annotations

from typing import Any

import dovetail as dv

from ._common import END, arange, reduce, refuse

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


_NEVER = -1e30  # the logarithm of what cannot be: finite, so that differences and gradients are


def _either(g: Any, *parts: Any) -> Any:
    """``log(Σ exp)`` of several, element by element."""
    rows = g.Concat(*(g.Unsqueeze(x, [0]) for x in parts), axis=0)
    rows.shape = (len(parts), None, None)
    return reduce(g, "ReduceLogSumExp", rows, 0, False)


def ctc(g: Any, log_probs: Any, targets: Any, input_lengths: Any, target_lengths: Any, blank: int, zero_infinity: bool) -> Any:
    """A Loop over time: the log-probability of each beginning of the labels with blanks around them, (N, 2S + 1)."""
    kind, never = log_probs.dtype, g.const(_NEVER, log_probs.dtype)
    lengths, sizes = (g.cast(x, dv.int64) for x in (input_lengths, target_lengths))
    labels = g.cast(targets, dv.int64)
    blanks = g.Expand(g.const(blank, dv.int64), g.Shape(labels))
    pairs = g.Concat(g.Unsqueeze(blanks, [2]), g.Unsqueeze(labels, [2]), axis=2)
    first = g.Expand(g.const(blank, dv.int64), g.Shape(g.Unsqueeze(lengths, [1])))
    labels = g.Concat(g.Reshape(pairs, g.sizes([targets.shape[0], targets.shape[1] * 2])), first, axis=1)
    skip = g.Not(g.Equal(g.Slice(labels, [2], [END], [1]), g.Slice(labels, [0], [-2], [1])))
    places = g.Expand(g.Unsqueeze(labels, [0]), g.Concat(g.Slice(g.Shape(log_probs), [0], [1]), g.Shape(labels), axis=0))
    picked = g.Max(g.GatherElements(log_probs, places, axis=2), never)
    states, ends = arange(g, targets.shape[1] * 2 + 1), g.Unsqueeze(sizes, [1])
    begins = g.Less(states, g.Add(g.Min(ends, 1), 1))  # with a blank, or with the first label if there is one

    def shifted(g: Any, x: Any, by: int) -> Any:
        return g.Slice(g.Pad(x, [0, by, 0, 0], never), [0], [-by], [1])

    def turn(g: Any, k: Any, alpha: Any) -> list[Any]:
        time = g.Add(k, 1)
        two = g.Pad(g.Where(skip, g.Slice(alpha, [0], [-2], [1]), never), [0, 2, 0, 0], never)
        new = g.Add(_either(g, alpha, shifted(g, alpha, 1), two), g.Gather(picked, time, axis=0))
        return [g.Where(g.Unsqueeze(g.Greater(lengths, time), [1]), new, alpha)]

    start = g.Where(begins, g.Gather(picked, g.const(0, dv.int64), axis=0), never)
    (alpha,) = g.loop(g.scalar(log_probs.shape[0] - 1), [start], turn)
    last = g.GatherElements(alpha, g.Mul(ends, 2), axis=1)
    before = g.GatherElements(alpha, g.Max(g.Sub(g.Mul(ends, 2), 1), 0), axis=1)
    loss = g.Squeeze(g.Neg(_either(g, last, g.Where(g.Equal(ends, 0), never, before))), [1])
    infinite = g.const(float("inf"), kind)
    loss = g.Where(g.Greater(loss, -_NEVER / 2), infinite, loss)
    loss = g.Where(g.Equal(lengths, 0), g.Where(g.Equal(sizes, 0), g.const(0, kind), infinite), loss)
    return g.Where(g.Equal(loss, infinite), g.const(0, kind), loss) if zero_infinity else loss
