"""RNN, GRU and LSTM, written as a loop over time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dovetail as dv
from dovetail.errors import ValueRangeError
from dovetail.nn import functional as F

from ..table import operator

__all__: list[str] = []

Step = Callable[[Any, list[Any]], list[Any]]


def _activation(name: str, alpha: float | None, beta: float | None) -> Callable[[Any], Any]:
    a = lambda default: default if alpha is None else alpha  # noqa: E731
    b = lambda default: default if beta is None else beta  # noqa: E731
    known: dict[str, Callable[[Any], Any]] = {
        "relu": F.relu, "tanh": dv.tanh, "sigmoid": dv.sigmoid, "softsign": F.softsign, "softplus": F.softplus,
        "affine": lambda x: a(1.0) * x + b(0.0), "leakyrelu": lambda x: F.leaky_relu(x, a(0.01)),
        "thresholdedrelu": lambda x: dv.where(x > a(1.0), x, dv.zeros_like(x)), "scaledtanh": lambda x: a(1.0) * dv.tanh(b(1.0) * x),
        "hardsigmoid": lambda x: dv.clamp(a(0.2) * x + b(0.5), 0, 1), "elu": lambda x: F.elu(x, a(1.0)),
    }  # fmt: skip
    if name.lower() not in known:
        raise ValueRangeError("activations", f"got {name!r}", f"expected one of {', '.join(sorted(known))}")
    return known[name.lower()]


class _Layer:
    """What the three have in common: directions, lengths, layout, activations and clipping."""

    def __init__(self, default: list[str], attributes: dict[str, Any]) -> None:
        self.direction = attributes["direction"]
        self.ways = 2 if self.direction == "bidirectional" else 1
        names = attributes["activations"] or default * self.ways
        alphas, betas = ((attributes[name] or []) + [None] * len(names) for name in ("activation_alpha", "activation_beta"))
        made = [_activation(name, alpha, beta) for name, alpha, beta in zip(names, alphas, betas)]
        self.activations = [made[at * len(default) : (at + 1) * len(default)] for at in range(self.ways)]
        self.clip, self.layout = attributes["clip"], attributes["layout"]

    def clipped(self, x: Any) -> Any:
        return x if self.clip is None else dv.clamp(x, -self.clip, self.clip)

    def run(self, X: Any, lengths: Any, states: list[Any], step: Callable[[int], Step]) -> tuple[Any, ...]:
        """Y, and the last of each state; ``states`` are (directions, batch, hidden)."""
        if self.layout:
            X, states = X.transpose(0, 1), [state.transpose(0, 1) for state in states]
        ways, finals = [], []
        for way in range(self.ways):
            back = self.direction == "reverse" or way == 1
            outputs, final = self._scan(X, lengths, [state[way] for state in states], step(way), back)
            ways.append(outputs)
            finals.append(final)
        Y = dv.stack(ways, 1)
        last = [dv.stack(list(parts)) for parts in zip(*finals)]
        if self.layout:
            Y, last = Y.permute(2, 0, 1, 3), [one.transpose(0, 1) for one in last]
        return (Y, *last)

    @staticmethod
    def _scan(X: Any, lengths: Any, states: list[Any], step: Step, back: bool) -> tuple[Any, list[Any]]:
        """Positions behind the end of a shorter sequence leave its state as it is and give zeros."""
        times = range(X.shape[0])
        outputs = []
        for time in reversed(times) if back else times:
            found = step(X[time], states)
            if lengths is not None:
                going = (time < lengths.long()).reshape(-1, 1).to(X.device)
                states = [dv.where(going, new, old) for new, old in zip(found, states)]
                outputs.append(dv.where(going, found[0], dv.zeros_like(found[0])))
            else:
                states = found
                outputs.append(found[0])
        return dv.stack(outputs[::-1] if back else outputs), states


def _zeros(state: Any, ways: int, X: Any, size: int, layout: int) -> Any:
    batch = X.shape[0 if layout else 1]
    return dv.zeros((batch, ways, size) if layout else (ways, batch, size), dtype=X.dtype, device=X.device) if state is None else state


@operator()
def RNN(
    X: Any, W: Any, R: Any, B: Any = None, sequence_lens: Any = None, initial_h: Any = None, *, hidden_size: int | None = None,
    direction: str = "forward", activations: Any = None, activation_alpha: Any = None, activation_beta: Any = None,
    clip: float | None = None, layout: int = 0, output_sequence: int = 0,
) -> Any:  # fmt: skip
    size = R.shape[-1]
    layer = _Layer(["Tanh"], locals())

    def step(way: int) -> Step:
        bias = 0 if B is None else B[way, :size] + B[way, size:]
        return lambda x, s: [layer.activations[way][0](layer.clipped(x @ W[way].t() + s[0] @ R[way].t() + bias))]

    return layer.run(X, sequence_lens, [_zeros(initial_h, layer.ways, X, size, layout)], step)


@operator()
def GRU(
    X: Any, W: Any, R: Any, B: Any = None, sequence_lens: Any = None, initial_h: Any = None, *, hidden_size: int | None = None,
    direction: str = "forward", activations: Any = None, activation_alpha: Any = None, activation_beta: Any = None,
    clip: float | None = None, layout: int = 0, linear_before_reset: int = 0, output_sequence: int = 0,
) -> Any:  # fmt: skip
    size = R.shape[-1]
    layer = _Layer(["Sigmoid", "Tanh"], locals())

    def step(way: int) -> Step:
        f, g = layer.activations[way]
        bias = dv.zeros(6 * size, dtype=X.dtype, device=X.device) if B is None else B[way]
        inner, outer = bias[: 3 * size], bias[3 * size :]

        def one(x: Any, states: list[Any]) -> list[Any]:
            h = states[0]
            gates = x @ W[way].t() + inner
            both = h @ R[way][: 2 * size].t() + outer[: 2 * size]
            z = f(layer.clipped(gates[:, :size] + both[:, :size]))
            r = f(layer.clipped(gates[:, size : 2 * size] + both[:, size:]))
            weight, offset = R[way][2 * size :].t(), outer[2 * size :]
            hidden = r * (h @ weight + offset) if linear_before_reset else (r * h) @ weight + offset
            n = g(layer.clipped(gates[:, 2 * size :] + hidden))
            return [(1 - z) * n + z * h]

        return one

    return layer.run(X, sequence_lens, [_zeros(initial_h, layer.ways, X, size, layout)], step)


@operator()
def LSTM(
    X: Any, W: Any, R: Any, B: Any = None, sequence_lens: Any = None, initial_h: Any = None, initial_c: Any = None, P: Any = None, *,
    hidden_size: int | None = None, direction: str = "forward", activations: Any = None, activation_alpha: Any = None,
    activation_beta: Any = None, clip: float | None = None, input_forget: int = 0, layout: int = 0, output_sequence: int = 0,
) -> Any:  # fmt: skip
    size = R.shape[-1]
    layer = _Layer(["Sigmoid", "Tanh", "Tanh"], locals())

    def step(way: int) -> Step:
        f, g, h = layer.activations[way]
        bias = 0 if B is None else B[way, : 4 * size] + B[way, 4 * size :]
        peep = dv.zeros(3, size, dtype=X.dtype, device=X.device) if P is None else P[way].reshape(3, size)

        def one(x: Any, states: list[Any]) -> list[Any]:
            hidden, cell = states
            i, o, forget, c = dv.chunk(x @ W[way].t() + hidden @ R[way].t() + bias, 4, -1)
            i = f(layer.clipped(i + peep[0] * cell))
            forget = 1 - i if input_forget else f(layer.clipped(forget + peep[2] * cell))
            cell = forget * cell + i * g(layer.clipped(c))
            o = f(layer.clipped(o + peep[1] * cell))
            return [o * h(cell), cell]

        return one

    states = [_zeros(state, layer.ways, X, size, layout) for state in (initial_h, initial_c)]
    return layer.run(X, sequence_lens, states, step)
