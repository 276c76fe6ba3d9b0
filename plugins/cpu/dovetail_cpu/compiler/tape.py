"""The tape of a run: raw kernel calls on numbered registers, written down op by op, forward and then backward."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from dovetail.graph.raw import CLASSES, GRAD, HALF, OPS, STATE, Generator, Node, Plan, Walk, converted, current, producer, unwrap, wrap

from .steps import Step, cast_to, raw_call
from .watch import TENSORS, Watch

__all__ = ["Tape"]

_NDARRAY, _BOOL = np.ndarray, np.dtype(bool)
_SIZED = {"argwhere", "bincount", "histogram", "unique"}  # ops whose results have sizes that depend on values


class Tape:
    """The observer that writes a run down. Registers are known by the arrays in them, which it keeps alive."""

    def __init__(self, watch: Watch, inputs: list[Any]) -> None:
        self.watch = watch
        self.arrays: list[Any] = []  # what each register held in this run
        self.base: list[Any] = []  # what it starts with in each replay: constants
        self.steps: list[Step] = []
        self.known: dict[int, int] = {}  # array → register
        self.fixed: set[int] = set()  # registers of constants
        self.memory: dict[int, set[int]] = {}  # version box → the registers that share its memory
        self.counts: dict[int, int] = {}  # version box → the changes that are explained
        self.alive: list[Any] = []
        self.rows: dict[int, tuple[int, int]] = {}  # register → the register of an array that has it as a row; see fuse.py
        self.captured: dict[int, Any] = {}  # register → tensor of the state
        self.written: list[tuple[int, str]] = []  # registers of inputs and state that the run changes
        self.inputs = [self.new(t._a, t._v) for t in inputs]
        self.stamp = self._stamp()

    def new(self, array: Any, box: Any = None, start: Any = None) -> int:
        """A register for an array."""
        self.arrays.append(array)
        self.base.append(start)
        at = len(self.arrays) - 1
        self.known[id(array)] = at
        self.alive.append((array, box))
        if box is not None:
            self.memory.setdefault(id(box), set()).add(at)
            self.counts.setdefault(id(box), box[1])
        return at

    def constant(self, value: Any) -> int:
        """A register for a plain value or an array that is the same in each replay."""
        at = self.new(value, None, value)
        self.fixed.add(at)
        return at

    def find(self, t: Any) -> int:
        """The register of a tensor that is read."""
        at = self.known.get(id(t._a))
        if at is None:
            at = self._capture(t)
        if self.counts.get(id(t._v), t._v[1]) != t._v[1] and t._v[0] != float("inf"):
            self.watch.refuse("a tensor is changed by something that is no op")
        return at

    def _capture(self, t: Any) -> int:
        owner = self.watch.tensors.get(id(t._a))
        if id(t._a) in self.watch.made:
            at = self.constant(t._a)
            self.base[at] = t._a.copy()  # this run may yet change it
            self.memory.setdefault(id(t._v), set()).add(at)
            self.counts[id(t._v)] = t._v[1]
            self.alive.append((None, t._v))
            return at
        at = self.new(t._a, t._v)
        if owner is None:
            self.watch.refuse("it makes or reads a tensor that no op made", sys._getframe())
        else:
            self.captured[at] = owner
        return at

    def _stamp(self) -> tuple[Any, ...]:
        g = current()
        return id(g), id(getattr(g, "_block", None)), g._at, g._stale, g._normal

    def still(self) -> None:
        """Refuse draws that no op of the tape made."""
        if self._stamp() != self.stamp:
            self.watch.refuse("it draws random numbers outside an op", sys._getframe())

    # --- the observer ---------------------------------------------------------------------------------------------

    def __call__(self, op: Any, args: Any, run: Callable[[], Any]) -> Any:
        watch = self.watch
        if watch.reason:
            return run()
        self.still()
        inplace = op.name.endswith("_") and op.name not in OPS
        op = OPS[op.name[:-1]] if inplace else op
        made = None
        watch.quiet += 1
        try:
            try:
                made = self._prepare(op, args, inplace)
            except Exception as error:  # the call itself will say what is wrong with it
                note = error
            out = run()
            if made is None:
                watch.reason = watch.reason or f"{op.name} is called in a way that is not understood ({note})"
            elif not watch.reason:
                self._note(op, args, out, inplace, *made)
        finally:
            watch.quiet -= 1
        self.stamp = self._stamp()
        if watch.reason and watch.strict:
            reason, watch.reason = watch.reason, ""

            watch.refuse(reason, sys._getframe())
        return out

    def _prepare(self, op: Any, args: Any, inplace: bool) -> Any:
        """The registers of the arguments, what makes the raw arguments of them, and the implementation."""
        raw, _, mask, device, dtype = unwrap(op, args)
        if device != "cpu":
            self.watch.refuse(f"{op.name} runs on {device}")
        ins: list[int] = []
        shapes: list[Any] = []  # of each argument: how it is made of registers
        for i, (arg, value) in enumerate(zip(args, raw, strict=True)):
            shapes.append(self._argument(op, i, arg, value, ins))
        low = op.dtypes is not None and dtype in HALF
        impl = op.implementation("cpu", dtype, np.dtype(np.float32) if low else None) if op.table and not inplace else op.reference
        return ins, shapes, impl, dtype if low else None, raw, mask

    def _argument(self, op: Any, i: int, arg: Any, value: Any, ins: list[int]) -> Any:
        if arg.__class__ in CLASSES:
            if arg.__class__ not in TENSORS or value.__class__ is not _NDARRAY:
                self.watch.refuse(f"{op.name} reads a value, or a tensor of another kind")
            at = self.find(arg)
            if value is not arg._a:  # promoted
                target, source = value.dtype, at
                at = self.new(value)
                self.steps.append(Step("convert", lambda a: converted(a, target), [source], [at]))
            ins.append(at)
            return None
        if arg.__class__ in (tuple, list) and any(v.__class__ in CLASSES for v in arg):
            inner: list[Any] = []
            values = value if len(value) == len(arg) else arg
            parts = [self._argument(op, i, a, v, inner) for a, v in zip(arg, values, strict=True)]
            if any(p is not None for p in parts):
                self.watch.refuse(f"{op.name} reads a structure that is not understood")
            ins.extend(inner)
            return len(inner), value.__class__
        if arg.__class__ is Generator or (arg.__class__ is slice and any(v.__class__ in CLASSES for v in (arg.start, arg.stop, arg.step))):
            self.watch.refuse(f"{op.name} depends on a {type(arg).__name__}")
        ins.append(self.constant(value))
        return None

    def _note(
        self, op: Any, args: Any, out: Any, inplace: bool, ins: list[int], shapes: list[Any], impl: Any, low: Any, raw: Any, mask: int
    ) -> None:
        outs = list(out) if isinstance(out, tuple) else [out]
        node = producer(next((t._n for t in outs if t._n is not None), None))[0] if not inplace or outs[0]._n is not None else None
        if node is not None and node.plan is not impl.plans.get(mask) and node.plan in op.reference.plans.values():
            impl = op.reference  # the kernel declined
        if inplace:
            return self._write(op, args, outs[0], ins, shapes, impl, low, mask, node)
        function = raw_call(op, impl, shapes, low)
        shared = any(id(t._v) in self.memory for t in outs)
        slots = [self.new(t._a, t._v) for t in outs]
        extras = [self.new(None) for _ in op.saves]
        effect = self._stamp() != self.stamp  # it draws random numbers, and will do so again
        masks = op.name == "index" and any(getattr(i, "dtype", None) is _BOOL for i in raw[2])
        if masks or op.name in _SIZED or (op.name == "one_hot" and raw[1] < 0):
            self.watch.reason = f"{op.name} has a result whose size depends on values"
        if not effect and not shared and all(i in self.fixed for i in ins) and len(outs) == 1 and not op.saves:
            self.base[slots[0]] = outs[0]._a.copy()  # of constants alone: a constant
            self.fixed.add(slots[0])
        else:
            self.steps.append(Step(op.name, function, ins, slots + extras, effect))
        self._kept(op, node, ins, shapes, slots + extras)

    def _kept(self, op: Any, node: Any, ins: list[int], shapes: list[Any], outs: list[int]) -> None:
        """The registers of what a node keeps, by position: rules will read these arrays."""
        if node is None or node.__class__ is not Node or node.plan.__class__ is not Plan or not node.saved:
            return
        n, at = len(op.params), 0
        places: list[Any] = []
        for shape in shapes:
            many = 1 if shape is None else shape[0]
            places.append(ins[at] if shape is None else ins[at : at + many])
            at += many
        places += outs
        for ((i, what), _), value in zip(node.plan.kept, node.saved, strict=True):
            if what != "value":
                continue
            for slot, v in [(places[i], value)] if places[i].__class__ is int else zip(places[i], value, strict=False):
                if v.__class__ is _NDARRAY:
                    self.known.setdefault(id(v), slot)
                    self.alive.append((v, None))
                    if self.arrays[slot] is None and i >= n:
                        self.arrays[slot] = v

    def _write(self, op: Any, args: Any, out: Any, ins: list[int], shapes: list[Any], impl: Any, low: Any, mask: int, node: Any) -> None:
        """An in-place form: a new register where only the tensor itself sees the change, else the change itself."""
        target, box = args[op.arrays[0]], out._v
        old = self.known[id(target._a)]
        outside = any(s in self.captured or s in self.inputs for s in self.memory[id(box)])
        function = raw_call(op, impl, shapes, low)
        sharing = len(self.memory[id(box)]) > 1
        if not out._a.flags.c_contiguous:
            self.watch.reason = f"{op.name}_ changes a tensor in place that is not contiguous"
        elif out._n is not None and (outside or sharing):
            self.watch.reason = f"{op.name}_ changes a tensor in place that requires a gradient and has been seen outside"
        elif not outside and not sharing:
            self.memory[id(box)].discard(old)
            new = self.new(out._a, box)
            dtype = out._a.dtype
            self.steps.append(Step(op.name, lambda *a: cast_to(function(*a), dtype), ins, [new]))
            self._kept(op, node, ins, shapes, [new])
        elif self.memory[id(box)] & self.fixed:
            self.watch.reason = f"{op.name}_ changes a view of a constant"
        else:
            where = next((s for s in self.memory[id(box)] if s in self.captured or s in self.inputs), None)
            if where is not None:
                self.written.append((where, op.name))
            first = ins[0]
            store, name = op.store, op.name

            def change(a: Any, *rest: Any) -> tuple[()]:
                if store is not None:
                    store(a, *rest)
                else:
                    r = function(a, *rest)
                    if r is not a:
                        a[...] = r
                return ()

            if shapes[0] is not None or first != old:
                self.watch.reason = f"{name}_ changes a tensor in place in a way that is not understood"
            if store is not None and any(s is not None for s in shapes):
                self.watch.reason = f"{name}_ changes a tensor in place in a way that is not understood"
            self.steps.append(Step(name + "_", change, ins, [], True))
        self.counts[id(box)] = box[1]

    def effect(self, function: Callable[..., None], target: Any, *args: Any) -> None:
        """What an op's function did to a tensor beside its calls: done again in each replay."""
        if self.watch.reason:
            return
        if self.counts.get(id(target._v), target._v[1] - 1) != target._v[1] - 1:
            self.watch.refuse("a tensor is changed by something that is no op")
        self.counts[id(target._v)] = target._v[1]
        ins = [self.find(a) if a.__class__ in CLASSES else self.constant(a) for a in (target, *args)]
        if ins[0] in self.captured or ins[0] in self.inputs:
            self.written.append((ins[0], target._v[2]))
        self.steps.append(Step(f"{target._v[2]}'s statistics", lambda *raw: function(*raw) or (), ins, [], True))

    def drawn(self, made: Any, function: Callable[..., Any], *args: Any) -> None:
        """A tensor of random numbers that a function drew beside its calls: drawn anew in each replay."""
        if made._n is not None or made._v[0] == float("inf"):
            self.watch.refuse("it makes a leaf of random numbers", sys._getframe())
        if not self.watch.reason:
            ins = [self.find(a) if a.__class__ in CLASSES else self.constant(a) for a in args]
            self.steps.append(Step("draw", function, ins, [self.new(made._a, made._v)], True))
            self.stamp = self._stamp()

    # --- backward -------------------------------------------------------------------------------------------------

    def backward(self, roots: list[Any], since: int) -> tuple[list[Step], list[int], dict[Any, int]]:
        """Run the rules of the recorded nodes: their steps, the registers of the roots' gradients, and of the results by edge."""
        forward, self.steps = self.steps, []
        word = STATE.word
        try:
            given = [wrap(np.ones(t._a.shape, t._a.dtype)) for t in roots]
            slots = [self.new(g._a, g._v) for g in given]
            pairs = [(t._n, g) for t, g in zip(roots, given, strict=True)]
            STATE.word = word & ~GRAD
            walk = _Inside(True, False, (), pairs)
            walk.since, walk.ends, walk.refuse = since, {}, self.watch.refuse
            for edge, g in pairs:
                walk.send(edge, g)
            walk.go()
            found = {**walk.leaves, **walk.ends}
            return self.steps, slots, {edge: self.find(g) for edge, g in found.items()}
        finally:
            STATE.word = word
            self.steps = forward


class _Inside(Walk):
    """A backward that stops where the recorded run began."""

    since: int
    ends: dict[Any, Any]
    refuse: Callable[[str], None]

    def arrive(self, node: Any, g: Any) -> Any:
        if node.seq > self.since:
            if node.__class__ is not Node or node.plan.__class__ is not Plan:
                self.refuse(f"{node.name()} has hooks, or is no op")
                return None
            return g
        if g.__class__ is list:
            self.ends.update({(node, i): v for i, v in enumerate(g) if v is not None})
        else:
            self.ends[node] = g
        return None
