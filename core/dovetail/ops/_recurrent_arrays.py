"""Recurrent layers on bare arrays: one direction of one layer over a whole padded sequence, forward and backward.

Rows whose sequence has ended keep their state and give zeros; read backwards, each row begins at its own end.
"""

from __future__ import annotations

from typing import Any

from ._op import xp

__all__ = [
    "gru", "gru_back", "lstm", "lstm_back", "previous", "rnn", "rnn_back", "steps", "weight_gradients",
]  # fmt: skip


def steps(count: int, reverse: bool) -> range:
    """The order of time."""
    return range(count - 1, -1, -1) if reverse else range(count)


def _active(x: Any, lengths: Any, t: int) -> Any:
    """Which rows are still running at step t, (N, 1); None where all are."""
    return None if lengths is None else (xp(x).asarray(lengths) > t)[:, None]


def _projected(x: Any, w_ih: Any, b_ih: Any, b_hh: Any) -> Any:
    """What all steps receive from the input, in one product: (T, N, G)."""
    gates = (x.reshape(-1, x.shape[2]) @ w_ih.T).reshape(*x.shape[:2], w_ih.shape[0])
    if b_ih is not None:
        gates += b_ih
    if b_hh is not None:
        gates += b_hh
    return gates


def _sigmoid(a: Any) -> None:
    """In place, by the tangent: no overflow, one fast function."""
    a *= 0.5
    xp(a).tanh(a, out=a)
    a *= 0.5
    a += 0.5


def previous(states: Any, first: Any, reverse: bool, lengths: Any) -> Any:
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


def weight_gradients(gates: Any, hidden: Any, x: Any, before: Any, w_ih: Any, needs: Any) -> list[Any]:
    """The gradients by input, both weights and both biases, from those by the gates' two sums; None where not needed."""
    flat, own = gates.reshape(-1, gates.shape[2]), hidden.reshape(-1, hidden.shape[2])
    return [
        (flat @ w_ih).reshape(x.shape) if needs[0] else None,
        flat.T @ x.reshape(-1, x.shape[2]) if needs[1] else None,
        own.T @ before.reshape(-1, before.shape[2]) if needs[2] else None,
        flat.sum(axis=0) if needs[3] else None,
        own.sum(axis=0) if needs[4] else None,
    ]


def lstm(x: Any, h: Any, c: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, reverse: bool, lengths: Any) -> tuple[Any, Any, Any, Any, Any]:
    """(out, h_n, c_n, gates, cells): gates i, f, g, o after their functions, cells after each step."""
    m, n = xp(x), w_hh.shape[1]
    gates = _projected(x, w_ih, b_ih, b_hh)
    cells, out = m.empty((*gates.shape[:2], n), gates.dtype), m.empty((*gates.shape[:2], n), gates.dtype)
    by_state = m.ascontiguousarray(w_hh.T)
    for t in steps(len(x), reverse):
        a = gates[t]
        a += h @ by_state
        _sigmoid(a[:, : 2 * n])
        m.tanh(a[:, 2 * n : 3 * n], out=a[:, 2 * n : 3 * n])
        _sigmoid(a[:, 3 * n :])
        i, f, g, o = (a[:, k * n : (k + 1) * n] for k in range(4))
        new = m.multiply(f, c, out=cells[t])
        new += i * g
        y = m.multiply(o, m.tanh(new), out=out[t])
        on = _active(x, lengths, t)
        if on is not None:
            new[...] = m.where(on, new, c)
            h = m.where(on, y, h)
            y *= on
        else:
            h = y
        c = new
    return out, h.copy(), c.copy(), gates, cells


def lstm_back(
    grads: Any, x: Any, h0: Any, c0: Any, w_ih: Any, w_hh: Any, reverse: bool, lengths: Any, out: Any, gates: Any, cells: Any, needs: Any
) -> Any:
    """The gradients by (input, h0, c0, w_ih, w_hh, b_ih, b_hh), from those of (out, h_n, c_n), each of which may be None."""
    m, n = xp(x), w_hh.shape[1]
    g_out, dh, dc = grads
    dh = m.zeros_like(h0) if dh is None else dh
    dc = m.zeros_like(c0) if dc is None else dc
    cells_before = previous(cells, c0, reverse, lengths)
    sums = m.empty_like(gates)
    for t in reversed(steps(len(x), reverse)):
        i, f, g, o = (gates[t, :, k * n : (k + 1) * n] for k in range(4))
        on = _active(x, lengths, t)
        dy = dh if g_out is None else dh + g_out[t] if on is None else dh + g_out[t] * on
        soft = m.tanh(cells[t])
        total = dc + dy * o * (1 - soft * soft)
        d = sums[t]
        d[:, :n] = total * g * i * (1 - i)
        d[:, n : 2 * n] = total * cells_before[t] * f * (1 - f)
        d[:, 2 * n : 3 * n] = total * i * (1 - g * g)
        d[:, 3 * n :] = dy * soft * o * (1 - o)
        if on is not None:
            d *= on
        back = d @ w_hh
        dh, dc = (back, total * f) if on is None else (m.where(on, back, dh), m.where(on, total * f, dc))
    by = weight_gradients(sums, sums, x, previous(out, h0, reverse, lengths), w_ih, (needs[0], *needs[3:]))
    return by[0], dh, dc, *by[1:]


def gru(x: Any, h: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, reverse: bool, lengths: Any) -> tuple[Any, Any, Any, Any]:
    """(out, h_n, gates, inner): gates r, z, n after their functions, inner the state's share of n before r."""
    m, n = xp(x), w_hh.shape[1]
    gates = _projected(x, w_ih, b_ih, None)
    inner, out = m.empty((*gates.shape[:2], n), gates.dtype), m.empty((*gates.shape[:2], n), gates.dtype)
    by_state = m.ascontiguousarray(w_hh.T)
    for t in steps(len(x), reverse):
        a, s = gates[t], h @ by_state
        if b_hh is not None:
            s += b_hh
        a[:, : 2 * n] += s[:, : 2 * n]
        _sigmoid(a[:, : 2 * n])
        r, z, new = (a[:, k * n : (k + 1) * n] for k in range(3))
        inner[t] = s[:, 2 * n :]
        new += r * s[:, 2 * n :]
        m.tanh(new, out=new)
        y = m.subtract(h, new, out=out[t])
        y *= z
        y += new
        on = _active(x, lengths, t)
        if on is not None:
            h = m.where(on, y, h)
            y *= on
        else:
            h = y
    return out, h.copy(), gates, inner


def gru_back(
    grads: Any, x: Any, h0: Any, w_ih: Any, w_hh: Any, reverse: bool, lengths: Any, out: Any, gates: Any, inner: Any, needs: Any
) -> Any:
    """The gradients by (input, h0, w_ih, w_hh, b_ih, b_hh), from those of (out, h_n), each of which may be None."""
    m, n = xp(x), w_hh.shape[1]
    g_out, dh = grads
    dh = m.zeros_like(h0) if dh is None else dh
    before = previous(out, h0, reverse, lengths)
    sums, own = m.empty_like(gates), m.empty_like(gates)
    for t in reversed(steps(len(x), reverse)):
        r, z, new = (gates[t, :, k * n : (k + 1) * n] for k in range(3))
        on = _active(x, lengths, t)
        dy = dh if g_out is None else dh + g_out[t] if on is None else dh + g_out[t] * on
        d, e = sums[t], own[t]
        d[:, 2 * n :] = dy * (1 - z) * (1 - new * new)
        d[:, :n] = d[:, 2 * n :] * inner[t] * r * (1 - r)
        d[:, n : 2 * n] = dy * (before[t] - new) * z * (1 - z)
        if on is not None:
            d *= on
        e[:, : 2 * n] = d[:, : 2 * n]
        e[:, 2 * n :] = d[:, 2 * n :] * r
        back = e @ w_hh
        back += dy * z
        dh = back if on is None else m.where(on, back, dh)
    by = weight_gradients(sums, own, x, before, w_ih, (needs[0], *needs[2:]))
    return by[0], dh, *by[1:]


def rnn(x: Any, h: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, nonlinearity: str, reverse: bool, lengths: Any) -> tuple[Any, Any]:
    """(out, h_n) of a plain recurrent layer."""
    m = xp(x)
    out = _projected(x, w_ih, b_ih, b_hh)
    by_state = m.ascontiguousarray(w_hh.T)
    for t in steps(len(x), reverse):
        y = out[t]
        y += h @ by_state
        if nonlinearity == "tanh":
            m.tanh(y, out=y)
        else:
            m.maximum(y, 0, out=y)
        on = _active(x, lengths, t)
        if on is not None:
            h = m.where(on, y, h)
            y *= on
        else:
            h = y
    return out, h.copy()


def rnn_back(
    grads: Any, x: Any, h0: Any, w_ih: Any, w_hh: Any, nonlinearity: str, reverse: bool, lengths: Any, out: Any, needs: Any
) -> Any:
    """The gradients by (input, h0, w_ih, w_hh, b_ih, b_hh), from those of (out, h_n), each of which may be None."""
    m = xp(x)
    g_out, dh = grads
    dh = m.zeros_like(h0) if dh is None else dh
    sums = m.empty_like(out)
    for t in reversed(steps(len(x), reverse)):
        on = _active(x, lengths, t)
        d = m.multiply(1 - out[t] * out[t] if nonlinearity == "tanh" else out[t] > 0, dh if g_out is None else dh + g_out[t], out=sums[t])
        if on is not None:
            d *= on
        back = d @ w_hh
        dh = back if on is None else m.where(on, back, dh)
    by = weight_gradients(sums, sums, x, previous(out, h0, reverse, lengths), w_ih, (needs[0], *needs[2:]))
    return by[0], dh, *by[1:]
