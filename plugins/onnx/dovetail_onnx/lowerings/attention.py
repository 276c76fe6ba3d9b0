"""Lowerings of attention and recurrent layers."""

from __future__ import annotations

import math
from typing import Any

import dovetail as dv

from ._common import reduce, refuse, transposed
from .compare import later

__all__: list[str] = []


def attention(g: Any, query: Any, key: Any, value: Any, bias: Any, mask: Any, kept: Any, keep: float, is_causal: bool, scale: float) -> Any:
    if kept is not None:
        raise refuse(g, "dropout inside attention draws random numbers", "export in evaluation, or with dropout_p=0")
    scores = g.MatMul(g.Mul(query, scale), transposed(g, key, key.ndim))
    scores = scores if bias is None else g.Add(scores, bias)
    lowest = g.const(-math.inf, query.dtype)
    if mask is not None:
        scores = g.Where(mask, scores, lowest)
    if is_causal:
        scores = g.Where(later(g, query.shape[-2], key.shape[-2]), lowest, scores)
    if bias is None and mask is None:
        return g.MatMul(g.Softmax(scores, axis=-1), value)
    scores.shape = (None,) * max(x.ndim for x in (query, key, bias or mask))
    lost = g.Equal(reduce(g, "ReduceMax", scores, len(scores.shape) - 1, True), lowest)  # a row that may look nowhere is zero
    zero = g.const(0, query.dtype)
    weights = g.Where(lost, zero, g.Softmax(g.Where(lost, zero, scores), axis=-1))
    return g.MatMul(weights, value)


def _ordered(g: Any, weight: Any, order: list[int], hidden: int, rest: list[Any]) -> Any:
    """The gates of a weight (or bias) in ONNX's order."""
    if len(order) == 1:
        return weight
    parts = g.Gather(g.Reshape(weight, g.sizes([len(order), hidden, *rest])), g.const(order, dv.int64), axis=0)
    return g.Reshape(parts, g.sizes([len(order) * hidden, *rest]))


def _recurrent(
    g: Any, op: str, order: list[int], x: Any, states: list[Any], w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, reverse: bool, lengths: Any,
    **how: Any,
) -> Any:  # fmt: skip
    hidden = w_hh.shape[1]
    w, r = (g.Unsqueeze(_ordered(g, t, order, hidden, [t.shape[1]]), [0]) for t in (w_ih, w_hh))
    biases = None
    if b_ih is not None or b_hh is not None:
        zeros = g.const([0.0] * (len(order) * hidden), x.dtype)
        both = [zeros if b is None else _ordered(g, b, order, hidden, []) for b in (b_ih, b_hh)]
        biases = g.Unsqueeze(g.Concat(*both, axis=0), [0])
    counts = None if lengths is None else g.cast(g.ref(lengths, dv.int32), dv.int32)
    first = [g.Unsqueeze(s, [0]) for s in states]
    direction = "reverse" if reverse else "forward"
    outs = g.node(op, x, w, r, biases, counts, *first, hidden_size=hidden, direction=direction, outputs=1 + len(states), **how)
    return g.Squeeze(outs[0], [1]), *(g.Squeeze(o, [0]) for o in outs[1:])


def lstm_layer(g: Any, input: Any, h0: Any, c0: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, reverse: bool, lengths: Any) -> Any:
    """Gates i, f, g, o become ONNX's i, o, f, c."""
    return _recurrent(g, "LSTM", [0, 3, 1, 2], input, [h0, c0], w_ih, w_hh, b_ih, b_hh, reverse, lengths)


def gru_layer(g: Any, input: Any, h0: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, reverse: bool, lengths: Any) -> Any:
    """Gates r, z, n become ONNX's z, r, h."""
    return _recurrent(g, "GRU", [1, 0, 2], input, [h0], w_ih, w_hh, b_ih, b_hh, reverse, lengths, linear_before_reset=1)


def rnn_layer(
    g: Any, input: Any, h0: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, nonlinearity: str, reverse: bool, lengths: Any
) -> Any:
    return _recurrent(g, "RNN", [0], input, [h0], w_ih, w_hh, b_ih, b_hh, reverse, lengths, activations=[nonlinearity.capitalize()])
