"""The pickled batches of CIFAR, read by a closed list of opcodes: dicts, lists, texts, numbers and NumPy arrays of numbers.

Nothing that a file names is imported or called: the few global names that NumPy's arrays are written with stand for builders here,
and any other name or opcode is refused.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from dovetail.errors import FormatError

__all__ = ["read_pickle"]

_MARK = object()


class _Refused(Exception):
    pass


class _Array:
    """An array that is being built: ``_reconstruct`` makes it, its state fills it."""

    value: np.ndarray | None = None

    def fill(self, state: Any) -> _Array:
        _, shape, dtype, fortran, data = state
        data = data.encode("latin-1") if isinstance(data, str) else data
        if not isinstance(dtype, _Dtype) or not isinstance(data, bytes) or not all(isinstance(n, int) and n >= 0 for n in shape):
            raise _Refused("an array of something else than numbers")
        kind = dtype.kind()
        if len(data) != math.prod(shape) * kind.itemsize:
            raise _Refused(f"an array of shape {shape} and type {kind} in {len(data):,} bytes")
        self.value = np.frombuffer(data, kind).reshape(shape, order="F" if fortran else "C").copy()
        return self


class _Dtype:
    """An element type that is being built."""

    def __init__(self, code: str, *_: Any) -> None:
        self.code, self.order = code, "|"

    def fill(self, state: Any) -> None:
        self.order = str(state[1])

    def kind(self) -> np.dtype:
        if self.code not in ("u1", "i1", "i2", "i4", "i8", "f4", "f8", "b1") or self.order not in "|<>=":
            raise _Refused(f"an array of type {self.order}{self.code}")
        return np.dtype(self.order.replace("|", "") + self.code)


_GLOBALS: dict[str, Callable[..., Any] | None] = {
    "numpy.core.multiarray _reconstruct": lambda *_: _Array(),
    "numpy._core.multiarray _reconstruct": lambda *_: _Array(),
    "numpy.core.numeric _frombuffer": lambda data, dtype, shape, order: _Array().fill((1, shape, dtype, order == "F", data)),
    "numpy._core.numeric _frombuffer": lambda data, dtype, shape, order: _Array().fill((1, shape, dtype, order == "F", data)),
    "numpy ndarray": None,
    "numpy dtype": _Dtype,
    "_codecs encode": lambda text, encoding="latin-1": text.encode("latin-1"),  # how Python 3 writes bytes in protocol 2
}


class _Global:
    def __init__(self, name: str) -> None:
        if name not in _GLOBALS:
            raise _Refused(f"the name {name.replace(' ', '.')!r}")
        self.name, self.build = name, _GLOBALS[name]


class _Machine:
    """The stack, the memo and the position of a reader."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def take(self, count: int) -> bytes:
        if count > len(self.data) - self.at:
            raise _Refused("a file that ends too early")
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, form: str) -> int:
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def line(self) -> str:
        end = self.data.index(b"\n", self.at)
        return self.take(end + 1 - self.at)[:-1].decode("utf-8")

    def marked(self) -> list[Any]:
        at = next(i for i in range(len(self.stack) - 1, -1, -1) if self.stack[i] is _MARK)
        items = self.stack[at + 1 :]
        del self.stack[at:]
        return items

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def set_items(self, pairs: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, dict):
            raise _Refused("items for what is no dict")
        target.update(zip(pairs[::2], pairs[1::2], strict=True))

    def extend(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, list):
            raise _Refused("items for what is no list")
        target.extend(items)

    def reduce(self) -> None:
        arguments, called = self.stack.pop(), self.stack.pop()
        if not isinstance(called, _Global) or called.build is None or not isinstance(arguments, tuple):
            raise _Refused("a call of something that is no builder of arrays")
        self.push(called.build(*arguments))

    def build(self) -> None:
        state = self.stack.pop()
        if not isinstance(self.stack[-1], _Array | _Dtype):
            raise _Refused("a state for what is no array")
        self.stack[-1].fill(state)


def _long(machine: _Machine) -> None:
    machine.push(int.from_bytes(machine.take(machine.number("B")), "little", signed=True))


def _last(machine: _Machine, count: int) -> None:
    items = tuple(machine.stack[len(machine.stack) - count :])
    if len(items) != count or _MARK in items:
        raise _Refused("a tuple of what is not there")
    del machine.stack[len(machine.stack) - count :]
    machine.push(items)


def _named(machine: _Machine) -> None:
    name, module = machine.stack.pop(), machine.stack.pop()
    machine.push(_Global(f"{module} {name}"))


def _pair(machine: _Machine) -> list[Any]:
    value, key = machine.stack.pop(), machine.stack.pop()
    return [key, value]


# Python 2 wrote texts as byte strings: they are read as Latin-1, as torchvision does.
_OPCODES: dict[bytes, Callable[[_Machine], Any]] = {
    b"\x80": lambda m: m.number("B"),
    b"\x95": lambda m: m.number("<Q"),
    b"(": lambda m: m.push(_MARK),
    b"0": lambda m: m.stack.pop(),
    b"N": lambda m: m.push(None),
    b"\x88": lambda m: m.push(True),
    b"\x89": lambda m: m.push(False),
    b"}": lambda m: m.push({}),
    b"]": lambda m: m.push([]),
    b")": lambda m: m.push(()),
    b"K": lambda m: m.push(m.number("B")),
    b"M": lambda m: m.push(m.number("<H")),
    b"J": lambda m: m.push(m.number("<i")),
    b"G": lambda m: m.push(m.number(">d")),
    b"\x8a": _long,
    b"U": lambda m: m.push(m.take(m.number("B")).decode("latin-1")),
    b"T": lambda m: m.push(m.take(m.number("<I")).decode("latin-1")),
    b"X": lambda m: m.push(m.take(m.number("<I")).decode("utf-8")),
    b"\x8c": lambda m: m.push(m.take(m.number("B")).decode("utf-8")),
    b"C": lambda m: m.push(m.take(m.number("B"))),
    b"B": lambda m: m.push(m.take(m.number("<I"))),
    b"\x96": lambda m: m.push(m.take(m.number("<Q"))),
    b"q": lambda m: m.memo.__setitem__(m.number("B"), m.stack[-1]),
    b"r": lambda m: m.memo.__setitem__(m.number("<I"), m.stack[-1]),
    b"\x94": lambda m: m.memo.__setitem__(len(m.memo), m.stack[-1]),
    b"h": lambda m: m.push(m.memo[m.number("B")]),
    b"j": lambda m: m.push(m.memo[m.number("<I")]),
    b"c": lambda m: m.push(_Global(f"{m.line()} {m.line()}")),
    b"\x93": _named,
    b"t": lambda m: m.push(tuple(m.marked())),
    b"\x85": lambda m: _last(m, 1),
    b"\x86": lambda m: _last(m, 2),
    b"\x87": lambda m: _last(m, 3),
    b"u": lambda m: m.set_items(m.marked()),
    b"s": lambda m: m.set_items(_pair(m)),
    b"e": lambda m: m.extend(m.marked()),
    b"a": lambda m: m.extend([m.stack.pop()]),
    b"R": _Machine.reduce,
    b"b": _Machine.build,
}


def _finished(value: Any, left: list[int], depth: int = 0) -> Any:
    """The value with its arrays in place of their builders; ``left`` is how many more values there may be."""
    left[0] -= 1
    if depth > 8 or left[0] < 0:
        raise _Refused("lists nested deeper than 8, or more values than bytes")
    if isinstance(value, dict):
        return {key: _finished(item, left, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finished(item, left, depth + 1) for item in value]
    if isinstance(value, _Array) and value.value is not None:
        return value.value
    if isinstance(value, str | bytes | int | float | None):
        return value
    raise _Refused("something that is no plain value")


def read_pickle(path: str | Path) -> dict[str, Any]:
    """The dict in a pickle file of CIFAR's shape; a FormatError for anything else."""
    try:
        machine = _Machine(Path(path).read_bytes())
    except OSError as error:
        raise FormatError(path, None, f"cannot be read: {error.strerror}") from error
    start = 0
    try:
        while (code := machine.take(1)) != b".":
            start = machine.at - 1
            if code not in _OPCODES:
                raise _Refused(f"the opcode {code!r}")
            _OPCODES[code](machine)
        found = _finished(machine.stack[-1], [len(machine.data)])
    except _Refused as refused:
        raise FormatError(path, start, f"holds {refused}; expected a dict of lists, texts and arrays, as CIFAR's batches are") from None
    except (ValueError, TypeError, LookupError, StopIteration, AttributeError, struct.error, RecursionError) as error:
        raise FormatError(path, start, f"is no whole pickle of plain values ({type(error).__name__}: {error})") from error
    if not isinstance(found, dict):
        raise FormatError(path, 0, f"holds a {type(found).__name__}; expected a dict, as CIFAR's batches are")
    return found
