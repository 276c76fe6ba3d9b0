"""A C function for one node, as its generator writes it: parameters, body, and what is done to each result before it is stored."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dovetail.errors import UnsupportedError

from .expressions import expression
from .graph import CTYPES, Net, Node, Value
from .text import indent, literal, terms

__all__ = ["Kernel", "Parameter", "collapse", "place", "strides_of"]


@dataclass
class Parameter:
    """A pointer that the function takes: ``kind`` is in, out, const or scratch, ``what`` a value's key, an array, or a size."""

    name: str
    ctype: str
    kind: str
    what: Any
    label: str = ""


class Kernel:
    """What a generator fills in for its node. ``stem`` names the function, ``title`` is the comment above it."""

    def __init__(self, net: Net, node: Node) -> None:
        self.net, self.node = net, node
        self.stem, self.title = node.op.lower().replace("::", "_"), ""
        self.parameters: list[Parameter] = []
        self.body: list[str] = []
        self._current = ""
        self.fails = False  # whether it returns 1 for an index out of range
        self._names = itertools.count()
        self._depth = 1
        self._open: list[int] = []

    # The node's values

    def value(self, at: int) -> Value | None:
        """An input, None where the node leaves it out."""
        key = self.node.inputs[at] if at < len(self.node.inputs) else ""
        return self.net.values[key] if key else None

    def needs(self, at: int) -> Value:
        found = self.value(at)
        if found is None:
            raise UnsupportedError(self.node.where, f"the input number {at} is left out")
        return found

    def constant(self, at: int) -> np.ndarray[Any, Any] | None:
        """The elements of an input that is left out or the same in every run."""
        found = self.value(at)
        if found is None:
            return None
        if found.array is None:
            raise UnsupportedError(self.node.where, f"the input {found.name!r} is computed", "expected a constant")
        return found.array

    def result(self, at: int = 0) -> Value:
        return self.net.values[self.node.outputs[at]]

    def attr(self, name: str, default: Any = None) -> Any:
        found = self.node.attrs.get(name)
        return default if found is None else found

    def refuse(self, what: str) -> UnsupportedError:
        return UnsupportedError(self.node.where, what, "the C generator does not have this")

    # Parameters

    def _add(self, parameter: Parameter) -> str:
        self.parameters.append(parameter)
        return parameter.name

    def input(self, at: int, name: str) -> str:
        """Take an input as a pointer."""
        return self.take(self.node.inputs[at], name)

    def take(self, key: str, name: str) -> str:
        found = self.net.values[key]
        if found.array is not None:
            return self.table(found.array, name, found.name)
        return self._add(Parameter(name, found.ctype, "in", key))

    def table(self, array: np.ndarray[Any, Any], name: str, label: str = "") -> str:
        """Take a constant array as a pointer."""
        return self._add(Parameter(name, CTYPES[array.dtype.name], "const", np.ascontiguousarray(array), label))

    def output(self, name: str = "y", at: int | None = None) -> str:
        """Take the result as a pointer: the output number ``at``, or what the last node of ``post`` gives."""
        key = self.node.results[0] if at is None else self.node.outputs[at]
        return self._add(Parameter(name, self.net.values[key].ctype, "out", key))

    def scratch(self, count: int, name: str, ctype: str = "float") -> str:
        """Take memory that is free to use while the function runs."""
        return self._add(Parameter(name, ctype, "scratch", count))

    # The body

    def add(self, *lines: str) -> None:
        self.body += indent(lines, self._depth)

    def open(self, *heads: str) -> None:
        """Begin a block inside nested loops."""
        for head in heads or ("",):
            self.add(head)
            self._depth += 1
        self.body[-1] = f"{self.body[-1]} {{" if heads else f"{'    ' * (self._depth - 1)}{{"
        self._open.append(max(len(heads), 1))

    def close(self) -> None:
        """End the innermost block."""
        self.body.append(f"{'    ' * (self._depth - 1)}}}")
        self._depth -= self._open.pop()

    # Results

    def store(self, value: str, into: str, groups: Sequence[tuple[Sequence[int], str]]) -> list[str]:
        """Statements that send a result through the nodes of ``post`` and store it.

        ``groups`` say where the element lies: pairs of dimensions of the output that are taken together, and their index in C.
        """
        lines: list[str] = []
        key = self.node.outputs[0]
        self._current = value
        for node in self.node.post:
            if not self._current.isidentifier():
                lines.append(self._name(key))
            operands = [self._current if one == key else self.operand(one, groups) if one else "" for one in node.inputs]
            self._current = expression(node, operands, [self.net.values[one].dtype if one else "" for one in node.inputs], self.net)
            key = node.outputs[0]
        return [*lines, f"{into} = {self._current};"]

    def _name(self, key: str) -> str:
        name = f"v{next(self._names)}"
        line = f"const {self.net.values[key].ctype} {name} = {self._current};"
        self._current = name
        return line

    def operand(self, key: str, groups: Sequence[tuple[Sequence[int], str]]) -> str:
        """An operand of an elementwise node: a number, or an element of a pointer."""
        value = self.net.values[key]
        if value.array is not None and value.size == 1:
            return literal(value.array.reshape(-1)[0], value.dtype)
        known = next((p.name for p in self.parameters if p.kind == "in" and p.what == key), None)
        if known is None and value.array is not None:
            known = next((p.name for p in self.parameters if p.kind == "const" and p.what is value.array), None)
        name = known or self.take(key, f"r{sum(p.name[0] == 'r' for p in self.parameters)}")
        index = place(value.shape, self.result().shape, groups)
        if index is None:
            raise self.refuse(f"{value.name!r} of the shape {value.shape} does not fit the loops")
        return f"{name}[{index}]"


def strides_of(shape: Sequence[int], out: Sequence[int]) -> list[int]:
    """The strides with which a shape is broadcast to another: 0 where it has one element for all."""
    own = [math.prod(shape[at + 1 :]) for at in range(len(shape))]
    lead = len(out) - len(shape)
    return [0] * lead + [0 if size == 1 else stride for size, stride in zip(shape, own, strict=True)]


def place(shape: Sequence[int], out: Sequence[int], groups: Sequence[tuple[Sequence[int], str]]) -> str | None:
    """The index of the operand's element for an element of the output; None where a group cannot be taken together."""
    if len(shape) > len(out):
        return None
    strides, found = strides_of(shape, out), []
    for dims, name in groups:
        live = [(out[at], strides[at]) for at in dims if out[at] != 1]
        if not live:
            continue
        step = live[-1][1]
        expected = step
        for size, stride in reversed(live):
            if stride != expected:
                return None
            expected = stride * size
        found.append((name, step))
    return terms(*found)


def collapse(dims: Sequence[int], strides: Sequence[Sequence[int]]) -> tuple[list[int], list[list[int]]]:
    """Fewer loops for the same elements: dimensions of one element go, and neighbours that all operands step through evenly are one.

    >>> collapse([2, 3, 4], [[12, 4, 1], [0, 0, 1]])
    ([6, 4], [[4, 1], [0, 1]])
    """
    sizes: list[int] = []
    steps: list[list[int]] = [[] for _ in strides]
    for at, size in enumerate(dims):
        if size == 1:
            continue
        if sizes and all(own[-1] == given[at] * size for own, given in zip(steps, strides, strict=True)):
            sizes[-1] *= size
            for own, given in zip(steps, strides, strict=True):
                own[-1] = given[at]
        else:
            sizes.append(size)
            for own, given in zip(steps, strides, strict=True):
                own.append(given[at])
    return sizes, steps
