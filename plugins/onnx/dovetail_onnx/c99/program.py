"""A Net as a C program: kernels, memory, the calls in order, and the header that declares what others may call."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dovetail.errors import UnsupportedError

from .constants import Constants
from .graph import CTYPES, Net, Node, Value
from .kernel import Kernel, Parameter
from .ops import generators
from .plan import Block, arrange
from .text import comment, identifier, indent, unique

__all__ = ["Port", "Program", "arena_of", "unsupported"]


def unsupported(net: Net) -> list[Node]:
    """The nodes for whose operator there is no generator."""
    return [node for node in net.nodes if node.op not in generators()]


@dataclass
class Port:
    """An input or output of the program: its name in C, in capitals for macros, the shape of one sample, and its type."""

    name: str
    macro: str
    value: Value
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        return self.value.size


class Program:
    """The text of a program. ``name`` begins everything that others see; ``batch`` leaves the first dimension of 1 out of the shapes."""

    def __init__(self, net: Net, name: str, batch: bool) -> None:
        self.net, self.name, self.upper = net, name, name.upper()
        self.taken: set[str] = {"sample", "weights", "arena", "loaded"}
        self.constants = Constants(self.taken)
        names: set[str] = set()
        macros: set[str] = {"MEMORY", "WEIGHTS"}
        self.inputs = [self._port(net.values[key].name, net.values[key], batch, names, macros) for key in net.inputs]
        self.outputs = [self._port(label, net.values[key], batch, names, macros) for label, key in net.outputs]
        self.kernels = [self._kernel(node) for node in net.nodes]
        self.memory: dict[str, int] = {}
        self._places: dict[str, str] = {}
        self._bind()
        self._functions: dict[tuple[str, str, str], str] = {}
        self._titles: dict[tuple[str, str, str], str] = {}
        self.calls = [self._call(at, kernel) for at, kernel in enumerate(self.kernels)]

    def _port(self, label: str, value: Value, batch: bool, names: set[str], macros: set[str]) -> Port:
        name = unique(identifier(label.lower(), "value"), names)
        if value.dtype not in CTYPES:
            raise UnsupportedError("to_c", f"{label!r} has the type {value.dtype}", f"the C program has {', '.join(CTYPES)}")
        shape = value.shape[1:] if batch and value.shape[:1] == (1,) else value.shape
        return Port(name, unique(name.upper(), macros), value, shape)

    def _kernel(self, node: Node) -> Kernel:
        kernel = Kernel(self.net, node)
        for key in (*node.operands, *node.results):
            if self.net.values[key].size == 0:
                raise UnsupportedError(node.where, f"the value {self.net.values[key].name!r} has no elements", "the C generator skips none")
        generators()[node.op](kernel)
        return kernel

    # Memory

    def _bind(self) -> None:
        """Give every value its place: the caller's arrays, constants, or the static memory."""
        net, last = self.net, {}
        for port, key in zip(self.inputs, net.inputs, strict=True):
            self._places[key] = port.name
        for at, kernel in enumerate(self.kernels):
            for parameter in kernel.parameters:
                if parameter.kind == "in":
                    last[net.root(parameter.what)] = at
        made = {key for kernel in self.kernels for parameter in kernel.parameters if parameter.kind == "out" for key in [parameter.what]}
        self.copies: list[str] = []
        for port, (_, key) in zip(self.outputs, net.outputs, strict=True):
            root = net.root(key)
            if root in made and root not in self._places:
                self._places[root] = port.name
            else:
                self.copies.append(f"memcpy({port.name}, {self._source(root)}, {port.size} * sizeof({port.value.ctype}));")
        blocks: dict[str, list[Block]] = {}
        for at, kernel in enumerate(self.kernels):
            for parameter in kernel.parameters:
                if parameter.kind == "scratch":
                    blocks.setdefault(parameter.ctype, []).append(Block(f"{at}/{parameter.name}", parameter.what, at, at))
                elif parameter.kind == "out" and parameter.what not in self._places:
                    size = net.values[parameter.what].size
                    blocks.setdefault(parameter.ctype, []).append(Block(parameter.what, size, at, last.get(parameter.what, at)))
        for ctype, found in blocks.items():
            self.memory[ctype] = arrange(found)
            for block in found:
                self._places[block.key] = f"{arena_of(ctype)} + {block.offset}"

    def _source(self, root: str) -> str:
        array = self.net.values[root].array
        return self._places[root] if array is None else self.constants.add(array, self.net.values[root].name)

    # Functions

    def _call(self, at: int, kernel: Kernel) -> tuple[Kernel, str, list[Any]]:
        """Enter the kernel's function, if no equal one is there; its name and what it is called with."""
        arguments: list[Any] = []
        for parameter in kernel.parameters:
            if parameter.kind == "const":
                arguments.append((self.constants.add(parameter.what, parameter.label),))
            elif parameter.kind == "scratch":
                arguments.append(self._places[f"{at}/{parameter.name}"])
            else:
                root = self.net.root(parameter.what)
                arguments.append(self._places[root] if root in self._places else (self._source(root),))
        signature = ", ".join(map(_declared, kernel.parameters)) or "void"
        body = "\n".join(kernel.body)
        kind = "int" if kernel.fails else "void"
        key = (kind, signature, body)
        if key not in self._functions:
            self._functions[key] = unique(f"{identifier(kernel.stem)}_{1 + len(self._functions)}", self.taken)
            self._titles[key] = comment(kernel.title)
        return kernel, self._functions[key], arguments

    def functions(self) -> Iterator[str]:
        """The kernels."""
        for (kind, signature, body), name in self._functions.items():
            yield f"/* {self._titles[kind, signature, body]} */"
            yield f"static {kind} {name}({signature})"
            yield "{"
            yield body
            yield "}"
            yield ""

    def sample(self) -> Iterator[str]:
        """The function for one sample."""
        yield f"static int sample({self._arguments('')})"
        yield "{"
        yield "    int failed = 0;"
        for kernel, name, arguments in self.calls:
            given = ", ".join(self.constants.reference(one[0]) if isinstance(one, tuple) else one for one in arguments)
            what = comment(kernel.node.where.removeprefix("node "))
            yield f"    {'failed |= ' if kernel.fails else ''}{name}({given}); /* {what} */"
        yield from indent(self.copies)
        yield from (f"    (void){port.name};" for port in self.inputs)
        yield "    return failed;"
        yield "}"

    def _arguments(self, lead: str) -> str:
        given = [f"const {port.value.ctype} *{port.name}" for port in self.inputs]
        given += [f"{port.value.ctype} *{port.name}" for port in self.outputs]
        return ", ".join(([lead] if lead else []) + given)

    @property
    def prototype(self) -> str:
        return f"int {self.name}_run({self._arguments('size_t n')})"


def _declared(parameter: Parameter) -> str:
    constant = "const " if parameter.kind in ("in", "const") else ""
    return f"{constant}{parameter.ctype} *restrict {parameter.name}"


def arena_of(ctype: str) -> str:
    return "arena" if ctype == "float" else f"arena_{ctype.replace(' ', '_')}"
