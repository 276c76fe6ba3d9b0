"""Writing in place, without places: each write makes new values of the memory, of its owner and of all views of it."""

from __future__ import annotations

from typing import Any

from dovetail.errors import UnsupportedError
from dovetail.graph import Call, Value

from .builder import Ref
from .runs import place

__all__ = ["Memory"]


class Memory:
    """Which Ref stands for a value now.

    A view remembers the call that made it. A write to it is carried back to what it is a view of, by the same call on a tensor of
    positions; other views of the same memory are made again when they are next read.
    """

    def __init__(self, lowerer: Any) -> None:
        self.lowerer = lowerer
        self.refs: dict[int, Ref] = {}
        self.stamps: dict[int, int] = {}  # the write to its memory after which a value's Ref was made
        self.writes: dict[int, int] = {}  # memory → how often it was written
        self.makers: dict[int, tuple[Value, Call, dict[str, Any], int]] = {}  # a view → its base, the call, and which result
        self.renamed: dict[int, Value] = {}  # the result of a write in place → the value it is another name of
        self.captured: dict[int, Value] = {}

    def set(self, value: Value, ref: Ref) -> None:
        """Say what stands for a value."""
        self.refs[id(value)] = ref
        self.stamps[id(value)] = self.writes.get(value.memory, 0)

    def owner(self, value: Value) -> Value:
        """The value under the name that it first had."""
        while id(value) in self.renamed:
            value = self.renamed[id(value)]
        return value

    def derive(self, value: Value, call: Call, args: dict[str, Any]) -> None:
        """Note that a value is a view, where it shares memory with the call's first tensor."""
        base = args.get(call.arrays[0]) if call.arrays else None
        if isinstance(base, Value) and base.memory == value.memory:
            self.makers[id(value)] = (self.owner(base), call, args, call.outputs.index(value))

    def ref(self, value: Value) -> Ref:
        """What stands for a value now; made again where its memory was written since."""
        value = self.owner(value)
        found = self.refs.get(id(value))
        if found is None:
            found = self.lowerer.constant(value)
            self.set(value, found)
        elif self.stamps[id(value)] < self.writes.get(value.memory, 0) and id(value) in self.makers:
            base, call, args, at = self.makers[id(value)]
            g = self.lowerer.g
            before = g.path, g.call
            found = self._remade(call, args, base, self.ref(base))[at]
            g.path, g.call = before
            self.set(value, found)
        return found

    def _remade(self, call: Call, args: dict[str, Any], base: Value, ref: Ref) -> list[Any]:
        """The results of a call with something else in place of its base."""
        found: list[Any] = self.lowerer.lower(call, args, lambda v: ref if self.owner(v) is base else self.ref(v))
        return found

    def write(self, target: Value, result: Value, ref: Ref) -> None:
        """A call changed a value in place; `ref` is what it holds now."""
        target = self.owner(target)
        self.renamed[id(result)] = target
        self.ref(target)  # a constant is made before it is written
        chain = [(target, ref)]
        while id(chain[-1][0]) in self.makers:
            value, new = chain[-1]
            base, call, args, at = self.makers[id(value)]
            chain.append((base, self._put(call, args, base, at, new)))
        self.writes[target.memory] = self.writes.get(target.memory, 0) + 1
        for value, new in chain:
            self.set(value, new)

    def _put(self, call: Call, args: dict[str, Any], base: Value, at: int, new: Ref) -> Ref:
        """The base of a view with `new` in its place."""
        g = self.lowerer.g
        old = self.ref(base)
        if call.op in ("as_strided", "view_dtype", "view_as_real"):
            raise UnsupportedError(place(call), "a view of this kind is written in place", "ONNX has no memory", "write to a copy")
        if call.op in ("alias", "clone", "cast"):
            return self.lowerer.shaped(Ref(new.name, old.dtype), base)
        count = g.Size(old)
        positions = g.Reshape(g.Range(g.const(0), count, g.const(1)), g.Shape(old))
        positions.shape, positions.dtype = old.shape, old.dtype  # the call is lowered as it was, on integers
        whole = self._remade(call, args, base, positions)[at]
        flat = g.ScatterElements(g.Reshape(old, [-1]), g.Reshape(Ref(whole.name, g.const(0).dtype), [-1]), g.Reshape(new, [-1]), axis=0)
        return self.lowerer.shaped(Ref(g.Reshape(flat, g.Shape(old)).name, old.dtype), base)
