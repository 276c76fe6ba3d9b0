"""A function that is recorded at its first call and replayed at later ones: raw kernels in a row, one node for the gradient."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from operator import itemgetter
from typing import Any

from dovetail import Tensor, get_default_dtype
from dovetail.autograd.engine import late
from dovetail.errors import GradError, UnsupportedError
from dovetail.graph.raw import (
    CLASSES,
    COLD,
    GLOBAL,
    GRAD,
    IGNORE,
    STATE,
    Leaf,
    Node,
    Output,
    alias,
    attend,
    changed,
    enable_grad,
    grad,
    hush,
    observing,
    restore,
    tick,
    wrap,
)  # fmt: skip
from dovetail.nn import Module

from .chains import fused
from .signature import Result, filled, look, template
from .steps import Step, bound
from .tape import Tape
from .watch import Refused, Watch

__all__ = ["Compiled"]

_PROGRAMS = 16  # calls with ever new shapes or numbers stay as they are from here on


class Compiled:
    """What `compile` makes of a callable. `report` says what became of each kind of call."""

    def __init__(self, fn: Callable[..., Any], strict: bool = False) -> None:
        self.fn, self.strict, self.everywhere = fn, strict, GLOBAL
        self.table: dict[Any, list[Program]] = {}
        self.refused: dict[Any, str] = {}
        self.report: list[str] = []

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        word = STATE.word
        if word & COLD:
            word = attend(word)
        if word > GRAD or self.everywhere._watched or late.inspect is not None:
            return self.fn(*args, **kwargs)
        tensors: list[Any] = []
        key: list[Any] = [word, get_default_dtype()]
        try:
            look(args, key, tensors)
            if kwargs:
                look(kwargs, key, tensors)
            signature = tuple(key)
            programs = self.table.get(signature, ())
        except (Refused, TypeError) as error:
            return self._eager(str(error), args, kwargs)
        for program in programs:
            if program.holds():
                return program(tensors)
        if signature in self.refused or len(self.report) >= _PROGRAMS:
            return self.fn(*args, **kwargs)
        return self._record(signature, args, kwargs, tensors)

    def _eager(self, why: str, args: Any, kwargs: Any) -> Any:
        if self.strict:
            raise UnsupportedError("compile", f"the call cannot be compiled as a whole: {why}", "", "leave fullgraph out")
        if why not in self.refused:
            self.refused[why] = why
            self.report.append(f"runs as it is: {why}")
        return self.fn(*args, **kwargs)

    def _record(self, signature: Any, args: Any, kwargs: Any, tensors: list[Any]) -> Any:
        """Run the function and keep a program of the run, or the reason why there is none."""
        watch = Watch(self.fn, self.strict)
        try:
            for part in (*args, *kwargs.values()):
                if isinstance(part, Module):
                    watch.visit(part)
            tape, since, word = Tape(watch, tensors), tick(), STATE.word
            with observing(tape), watch:
                out = self.fn(*args, **kwargs)
            if STATE.word != word:
                watch.refuse("it changes the mode of the thread")
            watch.finish()
            program = None if watch.reason else Program(self, watch, tape, (args, kwargs), tensors, out, since)
        except Refused as error:
            if self.strict:
                remedy = "leave fullgraph out, and it runs as it is"
                raise UnsupportedError("compile", f"the call cannot be compiled as a whole: {error}", "", remedy) from None
            watch.reason, program = str(error), None
        if program is None or watch.reason:
            self.refused[signature] = watch.reason
            self.report.append(f"runs as it is: {watch.reason}")
        else:
            self.table.setdefault(signature, []).append(program)
            self.report.append(program.summary)
        return out


class Program:
    """A recorded run: steps on registers, how its results are made, and the steps of its gradient. Also the plan of its node."""

    kept = ()
    op: Any
    cls: Any = type("CompiledFunction", (), {})
    name, frees = "CompiledFunction", True

    def __init__(self, owner: Compiled, watch: Watch, tape: Tape, call: Any, inputs: list[Any], out: Any, since: int) -> None:
        self.op, self.watch, self.owner = self, watch, owner
        self.call = template(call, lambda t: Result(next(i for i, x in enumerate(inputs) if x is t)), (Module,))
        self.inputs = tape.inputs
        self.sources: list[Any] = []  # what each result is: ("input", i), ("state", tensor) or ("register", r)
        self.results: list[Any] = []
        self.template = template(out, lambda t: self._result(t, tape, inputs, watch))
        if watch.reason:
            return
        self._check(tape, inputs, watch)
        state = list(watch.tensors.values())
        self.states = [[t, t._a, t._n, (t._a.shape, t._a.dtype, t._a.strides)] for t in state]
        self.captured = list(tape.captured.items())
        self.written = [(self._owner(tape, at), name) for at, name in tape.written]
        self.differentiable = [k for k, t in enumerate(self.results) if t._n is not None and self.sources[k][0] == "register"]
        edges: dict[Any, Any] = {}
        for kind, t in [*(("input", t) for t in inputs), *(("state", t) for t in state)]:
            if t._n is not None:
                edges.setdefault(_end(t._n), (kind, next(i for i, x in enumerate(inputs) if x is t) if kind == "input" else t))
        backward = self._backward(tape, since, watch)
        if watch.reason:
            return
        used = [e for e in edges if any(e in found for _, _, found in backward.values())]
        self.edges = [edges[e] for e in used]
        self._assemble(tape, backward, used)

    def _result(self, t: Any, tape: Tape, inputs: list[Any], watch: Watch) -> Result:
        """Where a tensor in the results comes from."""
        for k, known in enumerate(self.results):
            if known is t:
                return Result(k)
        if any(t is x for x in inputs):
            source: Any = ("input", next(i for i, x in enumerate(inputs) if x is t))
        elif any(t is x for x in watch.tensors.values()):
            source = ("state", t)
        else:
            source = ("register", tape.find(t))
            family = tape.memory.get(id(t._v), set())
            if t.__class__ is not Tensor or t._n.__class__ is Leaf:
                watch.refuse("it returns a leaf, or a tensor of another kind")
            if family & {*tape.inputs, *tape.captured} or any(t._v is r._v for r in self.results):
                watch.refuse("it returns a view of an argument, of the state, or of another result")
        self.results.append(t)
        self.sources.append(source)
        return Result(len(self.results) - 1)

    @staticmethod
    def _check(tape: Tape, inputs: list[Any], watch: Watch) -> None:
        tape.still()
        boxes = {id(t._v) for t in inputs}
        if any(id(t._v) in boxes for t in watch.tensors.values()):
            watch.refuse("an argument is part of the state too")
        for _, box in tape.alive:
            if box.__class__ is list and tape.counts.get(id(box), box[1]) != box[1]:
                watch.refuse(f"a tensor is changed by something that is no op ({box[2]})")

    def _owner(self, tape: Tape, at: int) -> Any:
        return tape.captured[at] if at in tape.captured else tape.inputs.index(at)

    def _backward(self, tape: Tape, since: int, watch: Watch) -> dict[Any, Any]:
        """The steps of the gradient for each choice of results that may receive one."""
        roots, found = self.differentiable, {}
        if len(roots) > 3:
            watch.refuse(f"{len(roots)} results require a gradient")
        with observing(tape), watch.rules():
            for n in range(1, len(roots) + 1) if not watch.reason else ():
                for chosen in combinations(range(len(roots)), n):
                    steps, slots, ends = tape.backward([self.results[roots[k]] for k in chosen], since)
                    found[tuple(k in chosen for k in range(len(roots)))] = (steps, slots, ends)
        if found:
            tape.still()
        return found

    def _assemble(self, tape: Tape, backward: dict[Any, Any], used: list[Any]) -> None:
        """Leave out what nothing needs, fuse, and bind the steps to registers."""
        outs = {s[1] for s in self.sources if s[0] == "register"}
        parts, saved = [], set()
        for mask, (steps, given, ends) in backward.items():
            targets = [ends.get(e) for e in used]
            wanted = {t for t in targets if t is not None}
            steps = _needed(steps, wanted)
            saved |= _outside(steps, wanted, tape, given)
            parts.append((mask, steps, given, targets, wanted))
        forward = _needed(tape.steps, outs | saved)
        counts, lines = [len(forward), 0], []
        families = {s: f for f in tape.memory.values() for s in f}
        kept = {s for i in saved for s in families.get(i, {i})}
        forward, more = fused(forward, tape, outs, saved)
        lines += more
        saved, lists = set(), []
        for mask, steps, given, targets, wanted in parts:
            counts[1] += len(steps)
            steps, more = fused(steps, tape, wanted, ())
            lines += more
            saved |= _outside(steps, wanted, tape, given)
            lists.append((mask, steps, given, targets, wanted))
        used = dict.fromkeys([*self.inputs, *tape.captured, *outs, *saved])
        for steps in (forward, *(x[1] for x in lists)):
            used.update(dict.fromkeys(i for s in steps for i in (*s.ins, *s.outs)))
        for _, _, given, targets, _ in lists:
            used.update(dict.fromkeys([*given, *(t for t in targets if t is not None)]))
        at = {i: k for k, i in enumerate(used)}
        self.base = [tape.base[i] for i in at]
        self.steps, self.saved = bound(forward, tape, outs | saved, at), [at[i] for i in saved]
        self.take = _taker(self.saved)
        self.inside: dict[Any, Any] = {}
        for mask, steps, given, targets, wanted in lists:
            made = {o for s in steps for o in s.outs}
            ends = [(None if t is None else at[t], t in made) for t in targets]
            self.inside[mask] = (bound(steps, tape, wanted, at), [at[i] for i in given], ends)
        self.guarded_inputs = [i for i, s in enumerate(self.inputs) if s in kept]
        self.guarded_states = [t for s, t in self.captured if s in kept]
        self.guarded_results = [k for k, s in enumerate(self.sources) if s[0] == "register" and s[1] in kept]
        self.captured = [(at[s], t) for s, t in self.captured]
        families.update({i: {i} | families.get(i, set()) for i in outs})
        self.copied = {k for k, s in enumerate(self.sources) if s[0] == "register" and families[s[1]] & tape.fixed}
        for i in {i for k in self.copied for i in families[self.sources[k][1]] & tape.fixed & {*at}}:
            self.base[at[i]] = tape.base[i].copy()  # the caller of the first run has the constant itself
        self.inputs = [at[s] for s in self.inputs]
        self.sources = [(kind, at[what]) if kind == "register" else (kind, what) for kind, what in self.sources]
        self.pure = not any(s.effect for s in tape.steps)
        self.simple = self.template.__class__ is Result
        self.results = [t._n is not None for t in self.results]
        calls = len(self.steps), sum(len(p[0]) for p in self.inside.values())
        self.summary = f"{counts[0]} ops forward and {counts[1]} backward in {calls[0]} and {calls[1]} calls"
        if lines:
            self.summary += "; fused: " + "; ".join(lines)

    # --- replay ---------------------------------------------------------------------------------------------------

    def holds(self) -> bool:
        """Whether the state is what it was when the run was recorded."""
        for state in self.states:
            t, a, n, form = state
            if t._a is not a or t._n is not n:
                b = t._a
                if (t._n is None) is not (n is None) or b.__class__ is not a.__class__ or (b.shape, b.dtype, b.strides) != form:
                    return False
                state[1], state[2] = b, t._n
        return self.watch.holds()

    def __call__(self, inputs: list[Any]) -> Any:
        regs = self.base.copy()
        for slot, t in zip(self.inputs, inputs, strict=True):
            regs[slot] = t._a
        for slot, t in self.captured:
            regs[slot] = t._a
        token = hush(IGNORE)
        try:
            for step in self.steps:
                step(regs)
        finally:
            restore(token)
        for t, name in self.written:
            changed((inputs[t] if t.__class__ is int else t)._v, f"{name}_")
        outs: list[Any] = []
        for k, (kind, what) in enumerate(self.sources):
            if kind == "register":
                a = regs[what]
                outs.append(wrap(a.copy() if k in self.copied else a))
            else:
                outs.append(inputs[what] if kind == "input" else what)
        if self.inside:
            self._attach(regs, inputs, outs)
        return outs[0] if self.simple else filled(self.template, outs)

    def _attach(self, regs: list[Any], inputs: list[Any], outs: list[Any]) -> None:
        """One node behind the results."""
        edges = tuple([(inputs[what] if kind == "input" else what)._n for kind, what in self.edges])
        boxes = [inputs[i]._v for i in self.guarded_inputs]
        boxes += [t._v for t in self.guarded_states]
        boxes += [outs[k]._v for k in self.guarded_results]
        saved = (self.take(regs), inputs)
        roots = self.differentiable
        if len(roots) == 1:
            t = outs[roots[0]]
            t._n = Node(self, edges, saved, boxes, t._a.shape, t._a.dtype)
            return
        node = Node(self, edges, saved, boxes, (), None, len(roots))
        for k, at in enumerate(roots):
            outs[at]._n = Output(node, k, outs[at]._a)

    def backward(self, g: Any, saved: Any) -> tuple[Any, ...]:
        """The gradients of the edges: the recorded rules on raw arrays."""
        gs = g if g.__class__ is list else [g]
        steps, given, targets = self.inside[tuple([h is not None for h in gs])]
        regs = self.base.copy()
        for slot, a in zip(self.saved, saved[0], strict=True):
            regs[slot] = a
        for slot, h in zip(given, [h for h in gs if h is not None], strict=True):
            if h.__class__ not in CLASSES:
                raise GradError("compile", f"the gradient of a compiled function is a {type(h).__name__}", "expected a Tensor")
            regs[slot] = h._a
        token = hush(IGNORE)
        try:
            for step in steps:
                step(regs)
        finally:
            restore(token)
        # what was kept, or given, stays its owner's
        return tuple([None if t is None else wrap(regs[t] if own else regs[t].view()) for t, own in targets])

    def again(self, node: Any, g: Any) -> tuple[Any, ...]:
        """With create_graph: run the function itself, recorded, and differentiate that."""
        if not (self.pure and self.watch.holds()):
            what = "a compiled function that draws random numbers or changes tensors in place cannot be differentiated twice"
            raise GradError("backward", what, "", "call the function without compile")
        inputs = [alias(wrap(t._a, t._n)) if t._n is not None else t for t in node.saved[1]]
        args, kwargs = filled(self.call, inputs)
        results: list[Any] = []
        with enable_grad():
            template(self.owner.fn(*args, **kwargs), lambda t: results.append(t) if all(t is not r for r in results) else None)
            gs = g if g.__class__ is list else [g]
            pairs = [(results[at], h) for at, h in zip(self.differentiable, gs, strict=True) if h is not None]
            ends = [inputs[what] if kind == "input" else what for kind, what in self.edges]
            return grad([r for r, _ in pairs], ends, [h for _, h in pairs], create_graph=True, allow_unused=True)


def _end(edge: Any) -> Any:
    """What a walk knows an edge by: an output by its node and number."""
    return (edge.node, edge.index) if edge.__class__ is Output else edge


def _needed(steps: list[Step], wanted: set[int]) -> list[Step]:
    """The steps that something needs, in order."""
    wanted, found = set(wanted), []
    for step in reversed(steps):
        if step.effect or any(o in wanted for o in step.outs):
            wanted.update(step.ins)
            found.append(step)
    return found[::-1]


def _outside(steps: list[Step], wanted: set[int], tape: Tape, given: list[int]) -> set[int]:
    """The registers that steps read and do not make."""
    made = {o for s in steps for o in s.outs} | {*given} | tape.fixed
    return ({i for s in steps for i in s.ins} | wanted) - made


def _taker(slots: list[int]) -> Callable[[list[Any]], tuple[Any, ...]]:
    if len(slots) == 1:
        return lambda regs: (regs[slots[0]],)
    return itemgetter(*slots) if slots else lambda regs: ()
