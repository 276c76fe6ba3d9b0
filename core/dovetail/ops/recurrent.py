"""Recurrent layers, one direction of one layer at a time, and single cells; several layers are made of them in nn.

Sequences are padded: rows whose sequence has ended keep their state and give zeros; read backwards, each row begins at its own end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..autograd.node import wrap
from ._op import Array, Fixed, op, xp
from .join import stack
from .linalg import linear

__all__ = ["gru_cell", "lstm_cell", "rnn_relu_cell", "rnn_tanh_cell"]
METHODS = ()
FUNCTIONAL = ()


def _steps(count: int, reverse: bool) -> range:
    """The order of time."""
    return range(count - 1, -1, -1) if reverse else range(count)


def _active(x: Any, lengths: Any, t: int) -> Any:
    """Which rows are still running at step t, (N, 1); None where all are."""
    return None if lengths is None else (xp(x).asarray(lengths) > t)[:, None]


def _projected(x: Any, w_ih: Any, *biases: Any) -> Any:
    """What all steps receive from the input, in one product: (T, N, G)."""
    gates = (x.reshape(-1, x.shape[2]) @ w_ih.T).reshape(*x.shape[:2], w_ih.shape[0])
    for bias in biases:
        if bias is not None:
            gates += bias
    return gates


def _sigmoid(a: Any) -> None:
    """In place, by the tangent: no overflow, one fast function."""
    a *= 0.5
    xp(a).tanh(a, out=a)
    a *= 0.5
    a += 0.5


def _parts(a: Any, count: int) -> list[Any]:
    """The gates side by side in (N, G), as views."""
    n = a.shape[1] // count
    return [a[:, k * n : (k + 1) * n] for k in range(count)]


def _run(step: Callable[..., Any], x: Any, states: Any, w_hh: Any, reverse: bool, lengths: Any, out: Any) -> list[Any]:
    """Go through time and return the last states.

    ``step(t, product of the state with its weight, *states)`` returns the new states, the first of them in place in `out`.
    """
    by_state = xp(x).ascontiguousarray(w_hh.T)
    for t in _steps(len(x), reverse):
        new = step(t, states[0] @ by_state, *states)
        on = _active(x, lengths, t)
        if on is None:
            states = new
        else:
            states = [xp(x).where(on, n, s) for n, s in zip(new, states, strict=True)]
            out[t] *= on
    return [s.copy() for s in states]


def _back(
    step: Callable[..., Any], grads: Any, x: Any, states: Any, before: Any, w_ih: Any, w_hh: Any, reverse: bool, lengths: Any,
    sums: Any, own: Any, needs: Any,
) -> Any:  # fmt: skip
    """Go back through time: the gradients by the input, the first states, both weights and both biases; empty where not needed.

    `grads` are those by all outputs and the last states, each may be None. ``step(t, *gradients by the states)`` fills sums[t] and
    own[t], the gradients by what comes from the input and from the state, and returns the gradients by the states besides.
    """
    m, (g_out, *d) = xp(x), grads
    d = [m.zeros_like(s) if g is None else g for g, s in zip(d, states, strict=True)]
    for t in reversed(_steps(len(x), reverse)):
        on = _active(x, lengths, t)
        now = d if on is None else [v * on for v in d]
        if g_out is not None:
            now = [now[0] + (g_out[t] if on is None else g_out[t] * on), *now[1:]]
        beside, *others = step(t, *now)
        back = own[t] @ w_hh
        if beside is not None:
            back += beside
        d = [back, *others] if on is None else [m.where(on, n, v) for n, v in zip((back, *others), d, strict=True)]
    flat, own = sums.reshape(-1, sums.shape[2]), own.reshape(-1, own.shape[2])
    none, (w1, w2, b1, b2) = m.zeros(0, x.dtype), needs[-4:]
    return (
        (flat @ w_ih).reshape(x.shape) if needs[0] else none,
        *d,
        flat.T @ x.reshape(-1, x.shape[2]) if w1 else none,
        own.T @ before.reshape(-1, before.shape[2]) if w2 else none,
        flat.sum(axis=0) if b1 else none,
        own.sum(axis=0) if b2 else none,
    )


def _previous(states: Any, first: Any, reverse: bool, lengths: Any) -> Any:
    """The state before each step, from the states after it: (T, N, H)."""
    m, out = xp(states), xp(states).empty_like(states)
    if not len(states):
        return out
    if not reverse:
        out[0], out[1:] = first, states[:-1]
        return out
    out[-1], out[:-1] = first, states[1:]
    if lengths is not None:
        ends = (m.arange(1, len(states) + 1)[:, None] >= m.asarray(lengths))[..., None]
        m.copyto(out, m.broadcast_to(first, out.shape), where=ends)
    return out


def _wanted(found: Any, needs: Any) -> Any:
    return tuple(f if n else None for f, n in zip(found, needs, strict=True))


def _unrolled(
    step: Callable[..., Any], input: Any, states: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, reverse: bool, lengths: Any
) -> Any:
    """A layer written out step by step with ops, for second derivatives: (out, *last states).

    ``step(what comes from the input, what comes from the state, *states)`` returns the new states.
    """
    count, sums = input._a.shape[0], linear(input, w_ih, b_ih)
    out: list[Any] = [None] * count
    for t in _steps(count, reverse):
        new = step(sums[t], linear(states[0], w_hh, b_hh), *states)
        if lengths is None:
            states, out[t] = new, new[0]
            continue
        on = wrap((xp(input._a).asarray(lengths._a) > t)[:, None].astype(input._a.dtype))
        states = tuple(n * on + s * (1 - on) for n, s in zip(new, states, strict=True))
        out[t] = new[0] * on
    return stack(out), *states


@op(outputs=("out", "h_n", "c_n"), saves=("gates", "cells"), dtypes="floating", autocast="lower")
def lstm_layer(
    input: Array, h0: Array, c0: Array, w_ih: Array, w_hh: Array, b_ih: Array | None = None, b_hh: Array | None = None,
    reverse: bool = False, lengths: Fixed | None = None,
) -> Any:  # fmt: skip
    """One direction of an LSTM layer over (T, N, I) from states (N, H): all outputs (T, N, H) and the last two states.

    With i, f, o = σ(·) and g = tanh(·) of ``x w_ihᵀ + b_ih + h w_hhᵀ + b_hh``, in the order i, f, g, o of the weights (4H, ·):
    ``c = f c + i g``, ``h = o tanh(c)``. Where `lengths` (N,) are given a row stops at its own, and begins there with `reverse`;
    what lies behind is zero (Hochreiter and Schmidhuber, 1997). Kept are the gates and the cells of each step.
    """
    m, gates = xp(input), _projected(input, w_ih, b_ih, b_hh)
    cells, out = (m.empty((*gates.shape[:2], w_hh.shape[1]), gates.dtype) for _ in range(2))

    def step(t: int, own: Any, h: Any, c: Any) -> Any:
        a = gates[t]
        a += own
        i, f, g, o = _parts(a, 4)
        _sigmoid(a[:, : 2 * i.shape[1]])
        m.tanh(g, out=g)
        _sigmoid(o)
        new = m.multiply(f, c, out=cells[t])
        new += i * g
        return m.multiply(o, m.tanh(new), out=out[t]), new

    return (out, *_run(step, input, (h0, c0), w_hh, reverse, lengths, out)), gates, cells


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
    m, cells_before, sums = xp(input), _previous(cells, c0, reverse, lengths), xp(input).empty_like(gates)

    def step(t: int, dy: Any, dc: Any) -> Any:
        i, f, g, o = _parts(gates[t], 4)
        by_i, by_f, by_g, by_o = _parts(sums[t], 4)
        soft = m.tanh(cells[t])
        total = dc + dy * o * (1 - soft * soft)
        by_i[...] = total * g * i * (1 - i)
        by_f[...] = total * cells_before[t] * f * (1 - f)
        by_g[...] = total * i * (1 - g * g)
        by_o[...] = dy * soft * o * (1 - o)
        return None, total * f

    before, grads = _previous(y, h0, reverse, lengths), (by_out, by_h, by_c)
    return _back(step, grads, input, (h0, c0), before, w_ih, w_hh, reverse, lengths, sums, sums, needs)


@lstm_layer.composite
def _(
    input: Any, h0: Any, c0: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None, reverse: bool = False, lengths: Any = None
) -> Any:
    def step(a: Any, own: Any, h: Any, c: Any) -> Any:
        i, f, g, o = (a + own).chunk(4, -1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c

    return _unrolled(step, input, (h0, c0), w_ih, w_hh, b_ih, b_hh, reverse, lengths)


@op(outputs=("out", "h_n"), saves=("gates", "inner"), dtypes="floating", autocast="lower")
def gru_layer(
    input: Array, h0: Array, w_ih: Array, w_hh: Array, b_ih: Array | None = None, b_hh: Array | None = None, reverse: bool = False,
    lengths: Fixed | None = None,
) -> Any:  # fmt: skip
    """One direction of a GRU layer over (T, N, I) from states (N, H): all outputs (T, N, H) and the last state.

    With r, z = σ(·) of the sums as in :func:`lstm_layer` and ``n = tanh(x w_in + b_in + r (h w_hn + b_hn))``, in the order r, z, n:
    ``h = (1 - z) n + z h`` (Cho et al., 2014). `lengths` and `reverse` as there. Kept are the gates and the state's share of n before r.
    """
    m, gates, n = xp(input), _projected(input, w_ih, b_ih), w_hh.shape[1]
    inner, out = (m.empty((*gates.shape[:2], n), gates.dtype) for _ in range(2))

    def step(t: int, own: Any, h: Any) -> Any:
        if b_hh is not None:
            own += b_hh
        both = gates[t, :, : 2 * n]
        both += own[:, : 2 * n]
        _sigmoid(both)
        r, z, new = _parts(gates[t], 3)
        inner[t] = own[:, 2 * n :]
        new += r * own[:, 2 * n :]
        m.tanh(new, out=new)
        y = m.subtract(h, new, out=out[t])
        y *= z
        y += new
        return (y,)

    return (out, *_run(step, input, (h0,), w_hh, reverse, lengths, out)), gates, inner


@gru_layer.vjp
def _(g: Any, input: Any, h0: Any, w_ih: Any, w_hh: Any, reverse: Any, lengths: Any, out: Any, gates: Any, inner: Any, needs: Any) -> Any:
    return _wanted(gru_layer_grad(*g, input, h0, w_ih, w_hh, reverse, lengths, out, gates, inner, needs), needs)


@op(outputs=("by_input", "by_h0", "by_w_ih", "by_w_hh", "by_b_ih", "by_b_hh"))
def gru_layer_grad(
    by_out: Array | None, by_h: Array | None, input: Array, h0: Array, w_ih: Array, w_hh: Array, reverse: bool, lengths: Fixed | None,
    y: Array, gates: Array, inner: Array, needs: Any,
) -> Any:  # fmt: skip
    """The gradients of :func:`gru_layer`; empty where `needs` says no."""
    before = _previous(y, h0, reverse, lengths)
    sums, own = xp(input).empty_like(gates), xp(input).empty_like(gates)

    def step(t: int, dy: Any) -> Any:
        r, z, new = _parts(gates[t], 3)
        by_r, by_z, by_n = _parts(sums[t], 3)
        by_n[...] = dy * (1 - z) * (1 - new * new)
        by_r[...] = by_n * inner[t] * r * (1 - r)
        by_z[...] = dy * (before[t] - new) * z * (1 - z)
        own[t] = sums[t]
        own[t, :, 2 * z.shape[1] :] *= r
        return (dy * z,)

    return _back(step, (by_out, by_h), input, (h0,), before, w_ih, w_hh, reverse, lengths, sums, own, needs)


@gru_layer.composite
def _(input: Any, h0: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None, reverse: bool = False, lengths: Any = None) -> Any:
    def step(a: Any, own: Any, h: Any) -> Any:
        (r, z, n), (r_own, z_own, n_own) = a.chunk(3, -1), own.chunk(3, -1)
        n = (n + (r + r_own).sigmoid() * n_own).tanh()
        return (n + (z + z_own).sigmoid() * (h - n),)

    return _unrolled(step, input, (h0,), w_ih, w_hh, b_ih, b_hh, reverse, lengths)


@op(outputs=("out", "h_n"), dtypes="floating", autocast="lower")
def rnn_layer(
    input: Array, h0: Array, w_ih: Array, w_hh: Array, b_ih: Array | None = None, b_hh: Array | None = None,
    nonlinearity: str = "tanh", reverse: bool = False, lengths: Fixed | None = None,
) -> Any:  # fmt: skip
    """One direction of a plain recurrent layer (Elman, 1990): ``h = tanh(x w_ihᵀ + b_ih + h w_hhᵀ + b_hh)``, or relu of it.

    `lengths` and `reverse` as in :func:`lstm_layer`.
    """
    m, out = xp(input), _projected(input, w_ih, b_ih, b_hh)

    def step(t: int, own: Any, h: Any) -> Any:
        y = out[t]
        y += own
        return (m.tanh(y, out=y) if nonlinearity == "tanh" else m.maximum(y, 0, out=y),)

    return (out, *_run(step, input, (h0,), w_hh, reverse, lengths, out))


@rnn_layer.vjp
def _(g: Any, input: Any, h0: Any, w_ih: Any, w_hh: Any, nonlinearity: Any, reverse: Any, lengths: Any, out: Any, needs: Any) -> Any:
    return _wanted(rnn_layer_grad(*g, input, h0, w_ih, w_hh, nonlinearity, reverse, lengths, out, needs), needs)


@op(outputs=("by_input", "by_h0", "by_w_ih", "by_w_hh", "by_b_ih", "by_b_hh"))
def rnn_layer_grad(
    by_out: Array | None, by_h: Array | None, input: Array, h0: Array, w_ih: Array, w_hh: Array, nonlinearity: str, reverse: bool,
    lengths: Fixed | None, y: Array, needs: Any,
) -> Any:  # fmt: skip
    """The gradients of :func:`rnn_layer`; empty where `needs` says no."""
    m, sums = xp(input), xp(input).empty_like(y)

    def step(t: int, dy: Any) -> Any:
        m.multiply(1 - y[t] * y[t] if nonlinearity == "tanh" else y[t] > 0, dy, out=sums[t])
        return (None,)

    before = _previous(y, h0, reverse, lengths)
    return _back(step, (by_out, by_h), input, (h0,), before, w_ih, w_hh, reverse, lengths, sums, sums, needs)


@rnn_layer.composite
def _(
    input: Any, h0: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None, nonlinearity: str = "tanh", reverse: bool = False,
    lengths: Any = None,
) -> Any:  # fmt: skip
    def step(a: Any, own: Any, h: Any) -> Any:
        return ((a + own).tanh() if nonlinearity == "tanh" else (a + own).clamp(min=0),)

    return _unrolled(step, input, (h0,), w_ih, w_hh, b_ih, b_hh, reverse, lengths)


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


def _rnn_cell(nonlinearity: str, input: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any) -> Any:
    if input._a.dtype.kind not in "iu":
        return rnn_layer(input.unsqueeze(0), hx, w_ih, w_hh, b_ih, b_hh, nonlinearity)[1]
    sums = linear(input, w_ih, b_ih) + linear(hx, w_hh, b_hh)  # the layer takes no integers, the cells do
    return sums.tanh() if nonlinearity == "tanh" else sums.clamp(min=0)


def rnn_tanh_cell(input: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None) -> Any:
    """One step ``tanh(x w_ihᵀ + b_ih + h w_hhᵀ + b_hh)``: (N, I) and (N, H) to (N, H).

    >>> import dovetail as dv
    >>> dv.rnn_tanh_cell(dv.zeros(1, 2), dv.zeros(1, 3), dv.ones(3, 2), dv.ones(3, 3))
    tensor([[0., 0., 0.]])
    """
    return _rnn_cell("tanh", input, hx, w_ih, w_hh, b_ih, b_hh)


def rnn_relu_cell(input: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None) -> Any:
    """One step ``relu(x w_ihᵀ + b_ih + h w_hhᵀ + b_hh)``: (N, I) and (N, H) to (N, H).

    >>> import dovetail as dv
    >>> dv.rnn_relu_cell(dv.ones(1, 2), dv.zeros(1, 3), dv.ones(3, 2), dv.ones(3, 3))
    tensor([[2., 2., 2.]])
    """
    return _rnn_cell("relu", input, hx, w_ih, w_hh, b_ih, b_hh)
