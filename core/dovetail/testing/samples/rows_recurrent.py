"""Rows of the recurrent layers and cells."""

import numpy as np

from .row import I, Row, T


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def lstm_cell(x, hx, w_ih, w_hh, b_ih, b_hh):
    i, f, g, o = np.split(x @ w_ih.T + b_ih + hx[0] @ w_hh.T + b_hh, 4, -1)
    c = sigmoid(f) * hx[1] + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def gru_cell(x, h, w_ih, w_hh, b_ih, b_hh):
    (r, z, n), (r2, z2, n2) = np.split(x @ w_ih.T + b_ih, 3, -1), np.split(h @ w_hh.T + b_hh, 3, -1)
    r, z = sigmoid(r + r2), sigmoid(z + z2)
    return (1 - z) * np.tanh(n + r * n2) + z * h


def rnn_cell(x, h, w_ih, w_hh, b_ih, b_hh, function=np.tanh):
    return function(x @ w_ih.T + b_ih + h @ w_hh.T + b_hh)


def layer(step, count):
    """A layer written out over time, for one state or two."""

    def run(x, *args, reverse=False, lengths=None, nonlinearity="tanh"):
        states, w = list(args[:count]), args[count:]
        kind = {} if nonlinearity == "tanh" else {"function": lambda a: np.maximum(a, 0)}
        ends = np.full(x.shape[1], len(x)) if lengths is None else lengths
        out = np.zeros((len(x), *states[0].shape))
        for t in reversed(range(len(x))) if reverse else range(len(x)):
            new = step(x[t], tuple(states) if count == 2 else states[0], *w, **kind)
            on = (ends > t)[:, None]
            states = [np.where(on, a, b) for a, b in zip(new if count == 2 else (new,), states, strict=True)]
            out[t] = np.where(on, states[0], 0)
        return (out, *states)

    return run


def weights(gates):
    return [T(gates * 3, 2), T(gates * 3, 3), T(gates * 3), T(gates * 3)]


_X, _H = T(4, 2, 2), T(2, 3)
_VARIANTS = {"": {}, "reverse": dict(reverse=True), "lengths": dict(lengths=I(2, low=1, high=4)),
             "lengths, reverse": dict(lengths=I(2, low=1, high=4), reverse=True)}  # fmt: skip
_M = "mismatch in its core dimension"

ROWS = [
    *[Row("lstm_layer", [_X, _H, _H, *weights(4)], kw, ref=layer(lstm_cell, 2), covers=("lstm_layer_grad",), name=name, promote=None,
          errors=[([T(4, 2, 3), _H, _H, *weights(4)], {}, RuntimeError, _M)]) for name, kw in _VARIANTS.items()],
    *[Row("gru_layer", [_X, _H, *weights(3)], kw, ref=layer(gru_cell, 1), covers=("gru_layer_grad",), name=name, promote=None,
          errors=[([T(4, 2, 3), _H, *weights(3)], {}, RuntimeError, _M)]) for name, kw in _VARIANTS.items()],
    *[Row("rnn_layer", [_X, _H, *weights(1)], kw, ref=layer(rnn_cell, 1), covers=("rnn_layer_grad",), name=name, promote=None,
          errors=[([T(4, 2, 3), _H, *weights(1)], {}, RuntimeError, _M)]) for name, kw in _VARIANTS.items()],
    Row("rnn_layer", [_X, _H, *weights(1)], dict(nonlinearity="relu"), ref=layer(rnn_cell, 1), name="relu", promote=None),
    Row("lstm_cell", [T(2, 2), (_H, _H), *weights(4)], ref=lstm_cell, promote=None,
        errors=[([T(2, 3), (_H, _H), *weights(4)], {}, RuntimeError, _M)]),
    Row("gru_cell", [T(2, 2), _H, *weights(3)], ref=gru_cell, promote=None, errors=[([T(2, 3), _H, *weights(3)], {}, RuntimeError, _M)]),
    Row("rnn_tanh_cell", [T(2, 2), _H, *weights(1)], ref=rnn_cell, promote=None,
        errors=[([T(2, 3), _H, *weights(1)], {}, RuntimeError, _M)]),
    Row("rnn_relu_cell", [T(2, 2), _H, *weights(1)], ref=lambda *a: rnn_cell(*a, function=lambda v: np.maximum(v, 0)), promote=None,
        errors=[([T(2, 3), _H, *weights(1)], {}, RuntimeError, _M)]),
]  # fmt: skip
