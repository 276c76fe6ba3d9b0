"""LSTM, GRU and RNN: gates are sums over weights that lie side by side, one step after the other."""

from __future__ import annotations

import numpy as np

from ..kernel import Kernel
from ..text import loop, terms
from .table import generator

__all__: list[str] = []

_GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
_ACTIVATIONS = {
    "tanh": "tanhf({0})", "sigmoid": "1.0f / (1.0f + expf(-({0})))", "relu": "({0}) < 0.0f ? 0.0f : ({0})",
}  # fmt: skip
_USUAL = {"LSTM": ["sigmoid", "tanh", "tanh"], "GRU": ["sigmoid", "tanh"], "RNN": ["tanh"]}


@generator("LSTM", "GRU", "RNN")
def recurrent(k: Kernel) -> None:
    op = k.node.op
    w, r = k.constant(1), k.constant(2)
    b = k.constant(3)
    x = k.needs(0)
    if w is None or r is None:
        raise k.refuse("a layer without weights")
    if k.value(4) is not None or k.value(7) is not None or k.attr("clip") or k.attr("input_forget", 0):
        raise k.refuse("lengths of sequences, peepholes, clip or coupled gates")
    if op == "GRU" and not k.attr("linear_before_reset", 0):
        raise k.refuse("linear_before_reset = 0")
    if k.attr("layout", 0):
        raise k.refuse("layout = 1")
    ways, gates, hidden = w.shape[0], _GATES[op], r.shape[2]
    usual = _USUAL[op] * ways
    kinds = [str(one).lower() for one in k.attr("activations", usual)]
    if any(kind not in _ACTIVATIONS for kind in kinds) or len(kinds) != len(usual):
        raise k.refuse(f"the activations {kinds}")
    steps, batch, features = x.shape
    k.title = f"{op}: {steps} steps of {features} features, {hidden} units, {ways} direction{'s' * (ways > 1)}"
    k.input(0, "x")
    k.table(np.concatenate([w, r], 2).swapaxes(1, 2), "w", k.needs(1).name)
    biases = np.zeros((ways, 2, gates * hidden), "f4") if b is None else b.reshape(ways, 2, -1)
    k.table(biases, "b", "bias")
    first = [k.input(at, name) if k.value(at) is not None else "" for at, name in ((5, "h0"), (6, "c0"))]
    y = k.output("y", 0) if k.node.outputs[0] else ""
    last = [k.output(name, at) if at < len(k.node.outputs) and k.node.outputs[at] else "" for at, name in ((1, "hn"), (2, "cn"))]
    for name, size in (("s", 2 * gates * hidden), ("h", hidden), *[("c", hidden)] * (op == "LSTM")):
        k.scratch(size, name)
    k.open(loop("d", ways), loop("n", batch))
    at = f"(d * {batch} + n) * {hidden}"
    for name, start in list(zip("hc", first, strict=True))[: 1 + (op == "LSTM")]:
        size = f"{hidden} * sizeof(float)"
        k.add(f"memcpy({name}, {start} + {at}, {size});" if start else f"memset({name}, 0, {size});")
    time = {"forward": "l", "reverse": f"{steps - 1} - l"}.get(k.attr("direction", "forward"), f"d ? {steps - 1} - l : l")
    k.open(loop("l", steps))
    k.add(f"const int t = {time};")
    _gates(k, gates * hidden, features, hidden, batch)
    texts = [_ACTIVATIONS[kind] for kind in kinds]
    {"LSTM": _lstm, "GRU": _gru, "RNN": _rnn}[op](k, hidden, _split(texts, ways))
    if y:
        k.add(f"memcpy(y + ((t * {ways} + d) * {batch} + n) * {hidden}, h, {hidden} * sizeof(float));")
    k.close()
    for name, out in zip("hc", last, strict=True):
        if out:
            k.add(f"memcpy({out} + {at}, {name}, {hidden} * sizeof(float));")
    k.close()


def _split(texts: list[str], ways: int) -> list[list[str]]:
    """The activations of each direction."""
    each = len(texts) // ways
    return [texts[way * each :][:each] for way in range(ways)]


def _gates(k: Kernel, width: int, features: int, hidden: int, batch: int) -> None:
    """The sums of the input in the first half of ``s``, those of the state in the second."""
    k.add(f"const float *const p = x + (t * {batch} + n) * {features}, *const u = w + d * {(features + hidden) * width};")
    k.add(f"float *const q = s + {width};", f"memcpy(s, b + d * {2 * width}, {2 * width} * sizeof(float));")
    for target, source, size, skip in (("s", "p", features, 0), ("q", "h", hidden, features * width)):
        k.open(loop("i", size), loop("j", width))
        k.add(f"{target}[j] += {source}[i] * u[{terms(('i', width), 'j', skip)}];")
        k.close()


def _by_way(ways: list[list[str]], at: int, argument: str) -> str:
    """An activation; where the directions have different ones, the direction's."""
    texts = [way[at].format(argument) for way in ways]
    return texts[0] if len(set(texts)) == 1 else f"d ? ({texts[1]}) : ({texts[0]})"


def _lstm(k: Kernel, hidden: int, ways: list[list[str]]) -> None:
    """ONNX's order of gates: input, output, forget, cell."""
    k.open(loop("j", hidden))
    for name, at, kind in (("i", 0, 0), ("o", 1, 0), ("f", 2, 0), ("g", 3, 1)):
        place = terms("j", at * hidden)
        k.add(f"const float {name} = {_by_way(ways, kind, f's[{place}] + q[{place}]')};")
    k.add("c[j] = f * c[j] + i * g;", f"h[j] = o * ({_by_way(ways, 2, 'c[j]')});")
    k.close()


def _gru(k: Kernel, hidden: int, ways: list[list[str]]) -> None:
    """ONNX's order of gates: update, reset, hidden."""
    k.open(loop("j", hidden))
    k.add(f"const float z = {_by_way(ways, 0, 's[j] + q[j]')};")
    k.add(f"const float r = {_by_way(ways, 0, f's[j + {hidden}] + q[j + {hidden}]')};")
    k.add(f"const float g = {_by_way(ways, 1, f's[j + {2 * hidden}] + r * q[j + {2 * hidden}]')};", "h[j] = (1.0f - z) * g + z * h[j];")
    k.close()


def _rnn(k: Kernel, hidden: int, ways: list[list[str]]) -> None:
    k.add(loop("j", hidden), f"    h[j] = {_by_way(ways, 0, 's[j] + q[j]')};")
