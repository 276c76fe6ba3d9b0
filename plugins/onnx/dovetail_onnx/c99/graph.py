"""A model as the generator sees it: nodes in order over values whose shapes are all known."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["CTYPES", "Net", "Node", "Value"]

#: Element types that the C program has, by NumPy's name.
CTYPES = {
    "float32": "float", "int64": "int64_t", "int32": "int32_t", "uint8": "uint8_t", "int8": "int8_t", "bool": "unsigned char",
}  # fmt: skip


@dataclass
class Value:
    """A tensor: its name in the model, its shape and type, and its elements where they are the same in every run."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    array: np.ndarray[Any, Any] | None = None

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def ctype(self) -> str:
        return CTYPES[self.dtype]


@dataclass
class Node:
    """An operator. ``call`` computes it on arrays; ``post`` are elementwise nodes that are computed with it, each on the result before.

    ``loose`` says that the shapes of its results depend on data, which no program with fixed sizes can follow.
    """

    op: str
    where: str
    inputs: list[str]  # keys of values, "" where one is left out
    outputs: list[str]
    attrs: dict[str, Any] = field(default_factory=dict)
    call: Callable[..., tuple[Any, ...]] | None = None
    post: list[Node] = field(default_factory=list)
    loose: bool = False

    @property
    def operands(self) -> list[str]:
        """Every value that is read, those of ``post`` too."""
        inner = {name for node in self.post[:-1] for name in node.outputs} | (set(self.outputs) if self.post else set())
        found = [name for node in (self, *self.post) for name in node.inputs if name]
        return [name for name in dict.fromkeys(found) if name not in inner]

    @property
    def results(self) -> list[str]:
        """What is written: the outputs, or that of the last node of ``post``."""
        return [name for name in (self.post[-1] if self.post else self).outputs if name]


@dataclass
class Net:
    """Nodes in an order in which they can run. ``alias`` maps a value to the one whose memory it shares."""

    inputs: list[str]
    outputs: list[tuple[str, str]]  # name in the model, key of the value
    nodes: list[Node]
    values: dict[str, Value]
    alias: dict[str, str] = field(default_factory=dict)

    def root(self, name: str) -> str:
        while name in self.alias:
            name = self.alias[name]
        return name

    def uses(self) -> dict[str, int]:
        """How often each value is read, by nodes or as an output."""
        found: dict[str, int] = {}
        for name in [name for node in self.nodes for name in node.inputs if name] + [key for _, key in self.outputs]:
            found[self.root(name)] = found.get(self.root(name), 0) + 1
        return found
