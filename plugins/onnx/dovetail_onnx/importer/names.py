"""Names for the parameters of an imported model: those of the file, made such that Python can have them."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["dotted", "scoped"]

_PLAIN = re.compile(r"[^0-9A-Za-z_.]+")
# PyTorch's exporter gives weights that it folded or transposed a number, "onnx::Conv_193"; their node knows its layer.
_NUMBERED = re.compile(r"onnx::[A-Za-z]+_\d+")
# What an input of an operator is, by position. A product's right side is a Linear's weight transposed.
_LAYER, _GATES = {1: "weight", 2: "bias"}, {1: "W", 2: "R", 3: "B"}
_ROLES = {
    "Conv": _LAYER, "ConvTranspose": _LAYER, "Gemm": _LAYER, "MatMul": {1: "weight_t"}, "Add": {0: "bias", 1: "bias"}, "LSTM": _GATES,
    "GRU": _GATES, "RNN": _GATES,
}  # fmt: skip


def dotted(name: str) -> list[str]:
    """The steps to a parameter.

    >>> dotted("layer1.0.weight"), dotted("a/b:0")
    (['layer1', '0', 'weight'], ['a_b_0'])
    """
    return [part for part in _PLAIN.sub("_", name).split(".") if part] or ["value"]


def scoped(graph: Any) -> dict[str, str]:
    """Better names for numbered initializers, by the names of the nodes that take them.

    The node ``/layer1/layer1.0/conv1/Conv`` makes ``onnx::Conv_193`` the name ``layer1.0.conv1.weight``.
    """
    found: dict[str, str] = {}
    for node in graph.node:
        layer = _layer(node.name)
        for at, role in _ROLES.get(node.op_type, {}).items() if layer else ():
            name = node.input[at] if at < len(node.input) else ""
            if _NUMBERED.fullmatch(name):
                found.setdefault(name, f"{layer}.{role}")
    return found


def _layer(name: str) -> str:
    """The path of modules in a node's name, whose parts repeat the last one where it has numbered children."""
    steps: list[str] = []
    for part in name.strip("/").split("/")[:-1]:
        if steps and part.startswith(f"{steps[-1]}."):
            steps.pop()
        steps.append(part)
    return ".".join(steps)
