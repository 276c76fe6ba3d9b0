"""Recurrent layers, one direction of one layer at a time, and single cells; several layers are made of them in nn."""

from __future__ import annotations

from typing import Any

from ..autograd.node import wrap
from . import _recurrent_arrays as raw
from ._op import Array, Fixed, op, xp
from .join import stack
from .linalg import linear

__all__ = ["gru_cell", "lstm_cell", "rnn_relu_cell", "rnn_tanh_cell"]
METHODS = ()
FUNCTIONAL = ()


def _filled(found: Any, like: Any) -> Any:
    """The results of a fused gradient: empty arrays stand for what was not asked for."""
    return tuple(xp(like).zeros(0, like.dtype) if f is None else f for f in found)


def _wanted(found: Any, needs: Any) -> Any:
    return tuple(f if n else None for f, n in zip(found, needs, strict=True))


@op(outputs=("out", "h_n", "c_n"), saves=("gates", "cells"), dtypes="floating", autocast="lower")
def lstm_layer(
    input: Array, h0: Array, c0: Array, w_ih: Array, w_hh: Array, b_ih: Array | None = None, b_hh: Array | None = None,
    reverse: bool = False, lengths: Fixed | None = None,
) -> Any:  # fmt: skip
    """One direction of an LSTM layer over (T, N, I) from states (N, H): all outputs (T, N, H) and the last two states.

    With i, f, o = σ(·) and g = tanh(·) of ``x w_ihᵀ + b_ih + h w_hhᵀ + b_hh``, in the order i, f, g, o of the weights (4H, ·):
    ``c = f c + i g``, ``h = o tanh(c)``. Where `lengths` (N,) are given a row stops at its own, and begins there with `reverse`;
    what lies behind is zero (Hochreiter and Schmidhuber, 1997).
    """
    *outs, gates, cells = raw.lstm(input, h0, c0, w_ih, w_hh, b_ih, b_hh, reverse, lengths)
    return tuple(outs), gates, cells


@lstm_layer.vjp
def _(
    g: Any, input: Any, h0: Any, c0: Any, w_ih: Any, w_hh: Any, reverse: Any, lengths: Any, out: Any, gates: Any, cells: Any, needs: Any
) -> Any:
    return _wanted(lstm_layer_grad(*g, input, h0, c0, w_ih, w_hh, reverse, lengths, out, gates, cells, needs), needs)


@op(outputs=("by_input", "by_h0", "by_c0", "by_w_ih", "by_w_hh", "by_b_ih", "by_b_hh"))
def lstm_layer_grad(
    by_out: Array | None, by_h: Array | None, by_c: Array | None, input: Array, h0: Array, c0: Array, w_ih: Array, w_hh: Array,
    reverse: bool, lengths: Fixed | None, y: Array, gates: Array, cells: Array, needs: Any,
) -> Any:  # fmt: skip
    """The gradients of :func:`lstm_layer`; empty where `needs` says no."""
    grads = (by_out, by_h, by_c)
    return _filled(raw.lstm_back(grads, input, h0, c0, w_ih, w_hh, reverse, lengths, y, gates, cells, needs), input)


@lstm_layer.composite
def _(
    input: Any, h0: Any, c0: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None, reverse: bool = False, lengths: Any = None
) -> Any:
    def step(x: Any, states: Any) -> Any:
        i, f, g, o = _sums(x, states[0], w_ih, w_hh, b_ih, b_hh).chunk(4, -1)
        c = f.sigmoid() * states[1] + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c

    return _unrolled(step, input, (h0, c0), reverse, lengths)


def _sums(x: Any, h: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any) -> Any:
    a = x.matmul(w_ih.transpose(0, 1)) + h.matmul(w_hh.transpose(0, 1))
    a = a if b_ih is None else a + b_ih
    return a if b_hh is None else a + b_hh


def _unrolled(step: Any, input: Any, states: Any, reverse: bool, lengths: Any) -> Any:
    """A layer written out step by step with ops, for second derivatives: (out, *last states)."""
    count = input._a.shape[0]
    out: list[Any] = [None] * count
    for t in raw.steps(count, reverse):
        new = step(input[t], states)
        if lengths is None:
            states, out[t] = new, new[0]
            continue
        on = wrap((xp(input._a).asarray(lengths._a) > t)[:, None].astype(input._a.dtype))
        states = tuple(n * on + s * (1 - on) for n, s in zip(new, states, strict=True))
        out[t] = new[0] * on
    return stack(out), *states


@op(outputs=("out", "h_n"), saves=("gates", "inner"), dtypes="floating", autocast="lower")
def gru_layer(
    input: Array, h0: Array, w_ih: Array, w_hh: Array, b_ih: Array | None = None, b_hh: Array | None = None, reverse: bool = False,
    lengths: Fixed | None = None,
) -> Any:  # fmt: skip
    """One direction of a GRU layer over (T, N, I) from states (N, H): all outputs (T, N, H) and the last state.

    With r, z = σ(·) of the sums as in :func:`lstm_layer` and ``n = tanh(x w_in + b_in + r (h w_hn + b_hn))``, in the order r, z, n:
    ``h = (1 - z) n + z h`` (Cho et al., 2014). `lengths` and `reverse` as there.
    """
    *outs, gates, inner = raw.gru(input, h0, w_ih, w_hh, b_ih, b_hh, reverse, lengths)
    return tuple(outs), gates, inner


@gru_layer.vjp
def _(g: Any, input: Any, h0: Any, w_ih: Any, w_hh: Any, reverse: Any, lengths: Any, out: Any, gates: Any, inner: Any, needs: Any) -> Any:
    return _wanted(gru_layer_grad(*g, input, h0, w_ih, w_hh, reverse, lengths, out, gates, inner, needs), needs)


@op(outputs=("by_input", "by_h0", "by_w_ih", "by_w_hh", "by_b_ih", "by_b_hh"))
def gru_layer_grad(
    by_out: Array | None, by_h: Array | None, input: Array, h0: Array, w_ih: Array, w_hh: Array, reverse: bool, lengths: Fixed | None,
    y: Array, gates: Array, inner: Array, needs: Any,
) -> Any:  # fmt: skip
    """The gradients of :func:`gru_layer`; empty where `needs` says no."""
    return _filled(raw.gru_back((by_out, by_h), input, h0, w_ih, w_hh, reverse, lengths, y, gates, inner, needs), input)


@gru_layer.composite
def _(input: Any, h0: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None, reverse: bool = False, lengths: Any = None) -> Any:
    def step(x: Any, states: Any) -> Any:
        (h,) = states
        a, s = x.matmul(w_ih.transpose(0, 1)), h.matmul(w_hh.transpose(0, 1))
        a, s = a if b_ih is None else a + b_ih, s if b_hh is None else s + b_hh
        (r, z, n), (r_own, z_own, n_own) = a.chunk(3, -1), s.chunk(3, -1)
        n = (n + (r + r_own).sigmoid() * n_own).tanh()
        return (n + (z + z_own).sigmoid() * (h - n),)

    return _unrolled(step, input, (h0,), reverse, lengths)


@op(outputs=("out", "h_n"), dtypes="floating", autocast="lower")
def rnn_layer(
    input: Array, h0: Array, w_ih: Array, w_hh: Array, b_ih: Array | None = None, b_hh: Array | None = None,
    nonlinearity: str = "tanh", reverse: bool = False, lengths: Fixed | None = None,
) -> Any:  # fmt: skip
    """One direction of a plain recurrent layer (Elman, 1990): ``h = tanh(x w_ihᵀ + b_ih + h w_hhᵀ + b_hh)``, or relu of it.

    `lengths` and `reverse` as in :func:`lstm_layer`.
    """
    return raw.rnn(input, h0, w_ih, w_hh, b_ih, b_hh, nonlinearity, reverse, lengths)


@rnn_layer.vjp
def _(g: Any, input: Any, h0: Any, w_ih: Any, w_hh: Any, nonlinearity: Any, reverse: Any, lengths: Any, out: Any, needs: Any) -> Any:
    return _wanted(rnn_layer_grad(*g, input, h0, w_ih, w_hh, nonlinearity, reverse, lengths, out, needs), needs)


@op(outputs=("by_input", "by_h0", "by_w_ih", "by_w_hh", "by_b_ih", "by_b_hh"))
def rnn_layer_grad(
    by_out: Array | None, by_h: Array | None, input: Array, h0: Array, w_ih: Array, w_hh: Array, nonlinearity: str, reverse: bool,
    lengths: Fixed | None, y: Array, needs: Any,
) -> Any:  # fmt: skip
    """The gradients of :func:`rnn_layer`; empty where `needs` says no."""
    return _filled(raw.rnn_back((by_out, by_h), input, h0, w_ih, w_hh, nonlinearity, reverse, lengths, y, needs), input)


@rnn_layer.composite
def _(
    input: Any, h0: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None, nonlinearity: str = "tanh", reverse: bool = False,
    lengths: Any = None,
) -> Any:  # fmt: skip
    def step(x: Any, states: Any) -> Any:
        a = _sums(x, states[0], w_ih, w_hh, b_ih, b_hh)
        return (a.tanh() if nonlinearity == "tanh" else a.clamp(min=0),)

    return _unrolled(step, input, (h0,), reverse, lengths)


def lstm_cell(input: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None) -> tuple[Any, Any]:
    """One step of an LSTM: input (N, I) and states `hx` = (h, c), (N, H) each, to the next two; see nn.LSTMCell.

    >>> import dovetail as dv
    >>> h, c = dv.lstm_cell(dv.ones(1, 2), (dv.zeros(1, 3), dv.zeros(1, 3)), dv.ones(12, 2), dv.ones(12, 3))
    >>> h.shape, c.shape
    (dovetail.Size([1, 3]), dovetail.Size([1, 3]))
    """
    return lstm_layer(input.unsqueeze(0), hx[0], hx[1], w_ih, w_hh, b_ih, b_hh)[1:]


def gru_cell(input: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None) -> Any:
    """One step of a GRU: input (N, I) and state (N, H) to the next state; see nn.GRUCell.

    >>> import dovetail as dv
    >>> dv.gru_cell(dv.ones(1, 2), dv.zeros(1, 3), dv.ones(9, 2), dv.ones(9, 3)).shape
    dovetail.Size([1, 3])
    """
    return gru_layer(input.unsqueeze(0), hx, w_ih, w_hh, b_ih, b_hh)[1]


def _integer_sums(x: Any, h: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any) -> Any:
    """What a cell feeds its activation where the tensors hold integers, which the layer does not take."""
    return linear(x, w_ih, b_ih) + linear(h, w_hh, b_hh)


def rnn_tanh_cell(input: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None) -> Any:
    """One step ``tanh(x w_ihᵀ + b_ih + h w_hhᵀ + b_hh)``: (N, I) and (N, H) to (N, H).

    >>> import dovetail as dv
    >>> dv.rnn_tanh_cell(dv.zeros(1, 2), dv.zeros(1, 3), dv.ones(3, 2), dv.ones(3, 3))
    tensor([[0., 0., 0.]])
    """
    if input._a.dtype.kind in "iu":
        return _integer_sums(input, hx, w_ih, w_hh, b_ih, b_hh).tanh()
    return rnn_layer(input.unsqueeze(0), hx, w_ih, w_hh, b_ih, b_hh)[1]


def rnn_relu_cell(input: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None) -> Any:
    """One step ``relu(x w_ihᵀ + b_ih + h w_hhᵀ + b_hh)``: (N, I) and (N, H) to (N, H).

    >>> import dovetail as dv
    >>> dv.rnn_relu_cell(dv.ones(1, 2), dv.zeros(1, 3), dv.ones(3, 2), dv.ones(3, 3))
    tensor([[2., 2., 2.]])
    """
    if input._a.dtype.kind in "iu":
        return _integer_sums(input, hx, w_ih, w_hh, b_ih, b_hh).clamp(min=0)
    return rnn_layer(input.unsqueeze(0), hx, w_ih, w_hh, b_ih, b_hh, "relu")[1]
