"""A pickle's opcodes, interpreted against a closed list of builders: what a file names is looked up here and never imported.

The format: https://github.com/python/cpython/blob/main/Lib/pickletools.py. Of its opcodes those are known that PyTorch's files use, in
any protocol; one that could do more (INST, OBJ, EXT, PERSID …) is refused like one that does not exist.
"""

from __future__ import annotations

import struct
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

from ..errors import DeviceError, DovetailError, FormatError
from .torch_limits import DICTS, GROUPS, Builder, key_of, set_state

__all__ = ["Interpreter"]

LIMIT, _SPARE = 100_000_000, 100_000  # bytes of one pickle, and what may be copied beyond those that were read
_SIZED: set[Any] = {*DICTS, *GROUPS, str, bytes, bytearray}
_WRONG = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError, struct.error, DovetailError)


class Interpreter:
    """Reads pickles from a file; `known` are the globals by name, `persistent` gives what a persistent id stands for.

    `start` is the place in the whole file at which `file` begins, for errors.
    """

    def __init__(
        self, path: str, file: BinaryIO, known: Mapping[str, Any], persistent: Callable[[Any], Any], start: int, text: str
    ) -> None:
        self.path, self.file, self.known, self.persistent, self.start, self.text = path, file, known, persistent, start, text

    def wrong(self, reason: str) -> FormatError:
        """The error for what was just read."""
        return FormatError(self.path, self.start + self.file.tell(), reason)

    def load(self) -> Any:
        """The value of the next pickle. Raises a FormatError for one that PyTorch does not write for tensors and plain values."""
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.left, self.copied = LIMIT, 0
        while (code := self.take(1)) != b".":
            step = _STEPS.get(code)
            if step is None:
                raise self.wrong(f"has the pickle opcode {code!r}, which PyTorch's files of tensors and plain values do not use")
            try:
                step(self)
            except (FormatError, DeviceError):
                raise
            except _WRONG as error:
                raise self.wrong(f"has a malformed pickle: opcode {code!r} cannot be carried out ({error})") from None
        if self.marks or len(self.stack) != 1:
            raise self.wrong("has a malformed pickle: it ends without one value")
        return self.stack.pop()

    def take(self, count: int) -> bytes:
        """The next bytes."""
        self.left -= count
        data = self.file.read(count) if count >= 0 <= self.left else b""
        if len(data) != count:
            raise self.wrong(f"ends inside a pickle, or has one of more than {LIMIT} bytes; is the file whole?")
        return data

    def number(self, code: str) -> Any:
        """The next number, packed as `struct` calls it."""
        return struct.unpack(code, self.take(struct.calcsize(code)))[0]

    def line(self) -> str:
        """The next line of text."""
        data = self.file.readline(1000)
        self.left -= len(data)
        return data[:-1].decode("ascii")

    def since_mark(self) -> list[Any]:
        """What was put on the stack since the last mark."""
        items, self.stack = self.stack, self.marks.pop()
        return items

    def gather(self, make: Callable[[list[Any]], Any]) -> None:
        """What lies above the mark becomes one value."""
        made = make(self.since_mark())
        self.stack.append(made)

    def find(self, module: str, name: str) -> Any:
        """What a global stands for. Raises a FormatError that names one that is not on the list."""
        full = f"{'builtins' if module == '__builtin__' else module}.{name}"
        if "." in str(name) or full not in self.known:
            what = f"names {full[:200]!r}, which is not among what tensors and plain values need, and is not run"
            remedy = "with PyTorch, save the module's state_dict() (or plain values) instead of the object, and load that file"
            raise self.wrong(f"{what}; {remedy}")
        found = self.known[full]
        return found() if callable(found) else found  # a type that is made when it is first asked for

    def charge(self, *values: Any) -> None:
        """Count what is about to be copied: a file that has one long value copied again and again is refused."""
        self.copied += sum(len(v) for v in values if v.__class__ in _SIZED)
        if self.copied > LIMIT - self.left + _SPARE:
            raise self.wrong("has more copied than it holds; expected each value once")

    def build(self) -> None:
        """A builder and its arguments on the stack become a value."""
        arguments, builder = self.stack.pop(), self.stack.pop()
        if builder.__class__ is not Builder or arguments.__class__ is not tuple:
            raise self.wrong(
                f"has a malformed pickle: it calls a {type(builder).__name__}, which is not a builder of tensors or plain values"
            )
        self.charge(arguments, *arguments)
        try:
            self.stack.append(builder.call(*arguments))
        except FormatError:
            raise
        except _WRONG as error:
            raise self.wrong(f"has arguments for {builder.name!r} that cannot be right ({error})") from None

    def put(self, items: list[Any]) -> None:
        """Keys and values into the dict on the stack."""
        target = self.stack[-1]
        if target.__class__ not in DICTS or len(items) % 2:
            raise ValueError(f"items of a {type(target).__name__}")
        for k, v in zip(items[::2], items[1::2], strict=True):
            target[key_of(k)] = v

    def extend(self, kind: type, items: list[Any]) -> None:
        """Elements into the list or set on the stack."""
        target: Any = self.stack[-1]
        if target.__class__ is not kind:
            raise ValueError(f"elements of a {type(target).__name__}")
        if kind is list:
            target.extend(items)
        else:
            target.update(map(key_of, items))

    def tuple_of(self, count: int) -> None:
        """The last values on the stack become a tuple."""
        if len(self.stack) < count:
            raise IndexError("the stack is empty")
        self.stack[-count:] = [tuple(self.stack[-count:])]


def _build_state(machine: Interpreter) -> None:
    state = machine.stack.pop()
    target = machine.stack[-1]
    machine.charge(state)
    if target.__class__ is not OrderedDict:
        raise machine.wrong(f"sets the state of a {type(target).__name__}; only that of an OrderedDict is read")
    set_state(target, state)


def _text(machine: Interpreter, data: bytes) -> Any:
    return data if machine.text == "bytes" else data.decode(machine.text)


Step = Callable[[Interpreter], Any]


def _push(make: Step) -> Step:
    return lambda m: m.stack.append(make(m))


def _empty(kind: type) -> Step:
    return _push(lambda m: kind())


def _number(packed: str) -> Step:
    return _push(lambda m: m.number(packed))


def _lengthy(size: str, made: Callable[[Interpreter, bytes], Any]) -> Step:
    return _push(lambda m: made(m, m.take(m.number(size))))


def _keep(index: Step) -> Step:
    return lambda m: m.memo.update({index(m): m.stack[-1]})


def _mark(m: Interpreter) -> None:
    m.marks.append(m.stack)
    m.stack = []


def _unicode(m: Interpreter, data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")


# What each opcode does.
_STEPS: dict[bytes, Step] = {
    **{code: _push(make) for code, make in ((b"N", lambda m: None), (b"\x88", lambda m: True), (b"\x89", lambda m: False))},
    **{code: _empty(kind) for code, kind in ((b"]", list), (b"}", dict), (b")", tuple), (b"\x8f", set))},
    **{code: _number(packed) for code, packed in ((b"J", "<i"), (b"K", "<B"), (b"M", "<H"), (b"G", ">d"))},
    **{code: _lengthy(size, _unicode) for code, size in ((b"X", "<I"), (b"\x8c", "<B"), (b"\x8d", "<Q"))},
    **{code: _lengthy(size, _text) for code, size in ((b"U", "<B"), (b"T", "<i"))},
    **{code: _lengthy(size, lambda m, data: data) for code, size in ((b"C", "<B"), (b"B", "<I"), (b"\x8e", "<Q"))},
    b"\x96": _lengthy("<Q", lambda m, data: bytearray(data)),
    b"\x8a": _lengthy("<B", lambda m, data: int.from_bytes(data, "little", signed=True)),
    b"h": _push(lambda m: m.memo[m.number("<B")]),
    b"j": _push(lambda m: m.memo[m.number("<I")]),
    b"q": _keep(lambda m: m.number("<B")),
    b"r": _keep(lambda m: m.number("<I")),
    b"\x94": _keep(lambda m: len(m.memo)),
    b"\x80": lambda m: m.number("<B"),  # the protocol
    b"\x95": lambda m: m.number("<Q"),  # a frame: the same opcodes
    b"(": _mark,
    b"t": lambda m: m.gather(tuple),
    b"\x91": lambda m: m.gather(lambda items: frozenset(map(key_of, items))),
    b"\x85": lambda m: m.tuple_of(1),
    b"\x86": lambda m: m.tuple_of(2),
    b"\x87": lambda m: m.tuple_of(3),
    b"a": lambda m: m.extend(list, [m.stack.pop()]),
    b"e": lambda m: m.extend(list, m.since_mark()),
    b"\x90": lambda m: m.extend(set, m.since_mark()),
    b"s": lambda m: m.put([m.stack.pop(), m.stack.pop()][::-1]),
    b"u": lambda m: m.put(m.since_mark()),
    b"c": _push(lambda m: m.find(m.line(), m.line())),
    b"\x93": _push(lambda m: m.find(*[m.stack.pop(), m.stack.pop()][::-1])),
    b"R": Interpreter.build,
    b"\x81": Interpreter.build,  # a new object of a class: the same for the classes on the list
    b"b": _build_state,
    b"Q": _push(lambda m: m.persistent(m.stack.pop())),
}
