"""From recorded calls to nodes: arguments are filled in, types promoted, lowerings called, and writes in place undone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import dovetail as dv
from dovetail.errors import DovetailError, UnknownNameError, UnsupportedError
from dovetail.graph import Call, Value

from .builder import Builder, Pair, Ref, Unmade
from .runs import Runs, Varied, place
from .sizes import FreeSize, Unsolved, make, same, solve, solve_float
from .unlowered import reason
from .views import Memory

__all__ = ["Lowerer", "MissingLowerings", "Unlowered", "missing"]


@dataclass(frozen=True)
class Unlowered:
    """An op of a model that has no lowering: where it is called, how often, what would supply one, and why there is none."""

    op: str
    modules: tuple[str, ...]
    count: int
    hook: str
    reason: str = ""

    def __str__(self) -> str:
        where = f" in {', '.join(m or 'the function' for m in self.modules)}"
        why = f" ({self.reason})" if self.reason else ""
        return f"{self.op}: {self.count} call{'s' * (self.count > 1)}{where}{why}; {self.hook}"


class MissingLowerings(UnsupportedError):
    """Ops of a model have no lowering; ``missing`` lists all of them."""

    def __init__(self, found: list[Unlowered]) -> None:
        self.missing = found
        what = f"{len(found)} op{'s have' if len(found) > 1 else ' has'} no lowering to ONNX"
        super().__init__("export", what, "; ".join(map(str, found)), "")


def missing(calls: list[Call]) -> list[Unlowered]:
    """The ops among the calls for which no plugin that is installed has a lowering."""
    from dovetail import plugins

    counts = Counter(c.op for c in calls)
    found = []
    for op, count in counts.items():
        if f"{op}@onnx" in plugins.lowerings:
            continue
        modules = tuple(dict.fromkeys(c.module for c in calls if c.op == op))
        found.append(Unlowered(op, modules, count, f'a plugin can bring it: [lowerings.{_key(op)}] with format = "onnx"', reason(op)))
    return found


def _key(op: str) -> str:
    return f'"{op}"' if "/" in op else op


class Lowerer:
    """Walks through the recorded calls and writes nodes; ``ref(value)`` is what stands for a value at this point of the run."""

    def __init__(self, runs: Runs, builder: Builder, names: list[str], dims: list[dict[int, str]]) -> None:
        self.runs, self.g = runs, builder
        self.memory = Memory(self)
        self.functions: dict[str, Callable[..., Any]] = {}
        self.named: list[FreeSize] = []
        self.counts: list[FreeSize] = []  # sizes that values decide, the newest first
        known: set[str] = set()
        for value, name, free in zip(runs.graph.inputs, names, dims, strict=True):
            ref = Ref(name, value.dtype)
            for axis, dim in free.items():
                values = tuple(each[dim] for each in runs.sizes)
                if dim not in known and len(set(values)) > 1:
                    known.add(dim)
                    self.named.append(FreeSize(values, builder.dim(ref, axis), dim))
            self.shaped(ref, value, name)
            self.memory.set(value, ref)

    def shaped(self, ref: Ref, value: Value, label: str = "") -> Ref:
        """Note the shape of a value: its sizes are numbers, or read from the value itself by the graph."""
        sizes = self.runs.shape(value)

        def size(axis: int, s: Any) -> Any:
            return make(s.values, self.g.dim(ref, axis), f"{label or value.name}.shape[{axis}]") if isinstance(s, Varied) else s

        ref.shape = tuple(size(axis, s) for axis, s in enumerate(sizes))
        known = {s.values for s in self.counts} if self.runs.varied else None
        for s in ref.shape if known is not None else ():
            if isinstance(s, FreeSize) and s.values not in known and solve(s.values, self.named) is None:
                self.counts.insert(0, s)
        return ref

    def run(self) -> None:
        """Lower every call."""
        for at, call in enumerate(self.runs.graph.calls):
            args = self.runs.args(at)
            refs = self.lower(call, args, self.memory.ref)
            if call.inplace and refs[0] is not None:
                self.memory.write(args[call.arrays[0]], call.outputs[0], refs[0])
                continue
            for value, ref in zip(call.outputs, refs, strict=True):
                if ref is not None:
                    self.memory.set(value, ref)
                    self.memory.derive(value, call, args)

    def lower(self, call: Call, args: dict[str, Any], read: Callable[[Value], Ref]) -> list[Ref | None]:
        """The nodes of one call, and what stands for its results."""
        self.g.path, self.g.call = call.module, call
        filled = {name: self._filled(x, read) for name, x in args.items()}
        if any(r.dtype.is_complex and not isinstance(r, Pair) for r in _refs(filled)):
            remedy = "take its real and imaginary parts, and view_as_complex of them"
            raise UnsupportedError(place(call), "a complex input has no counterpart in ONNX", "", remedy)
        local = [s for ref in _refs(filled) for s in ref.shape or () if isinstance(s, FreeSize)]
        if "sides" in filled:
            filled["sides"] = self._sides(call, filled["input"], filled["sides"], local)
        filled = {name: self._solved(x, call, name, local) for name, x in filled.items()}
        try:
            out = self._written(call, self._promoted(call, filled))
        except Unsolved as error:  # sizes do not know which call asked for them
            if not str(error).startswith("export: the size ") and not str(error).startswith("export: whether "):
                raise
            raise Unsolved(place(call), str(error).removeprefix("export: ")) from error
        except DovetailError:
            raise
        except Exception as error:
            what = f"its lowering failed: {type(error).__name__}: {error}"
            raise UnsupportedError(place(call), what, "the call was " + str(call).strip()) from error
        outs = list(out) if isinstance(out, tuple | list) else [out]
        outs += [None] * (len(call.outputs) - len(outs))
        return [None if r is None else self._result(r, v) for r, v in zip(outs, call.outputs, strict=True)]

    def _written(self, call: Call, args: dict[str, Any]) -> Any:
        """Call the lowering; where an argument is complex, that of pairs, or the real one for both parts."""
        function = self.function(call.op)
        if not any(isinstance(r, Pair) for r in _refs(args)):
            return function(self.g, **args)
        from ..lowerings import complex as pairs

        if call.op in pairs.COMPLEX:
            return pairs.COMPLEX[call.op](self.g, **args)
        if call.op in pairs.PARTED:
            return pairs.parted(self.g, function, args)
        if not function.__module__.endswith("lowerings.complex"):
            raise UnsupportedError(place(call), "complex numbers have no counterpart in ONNX", "", "compute with real and imaginary parts")
        return function(self.g, **args)

    def function(self, op: str) -> Callable[..., Any]:
        """The lowering of an op, imported when it is first met."""
        if op not in self.functions:
            from dovetail import plugins

            try:
                self.functions[op] = plugins.lowerings.load(f"{op}@onnx")
            except UnknownNameError as error:
                raise MissingLowerings(missing(self.runs.graph.calls)) from error
        return self.functions[op]

    def _result(self, ref: Ref, value: Value) -> Ref:
        if isinstance(ref, Pair):
            return Pair(*(self.shaped(Ref(part.name, part.dtype), value) for part in (ref.re, ref.im)))
        if ref.dtype != value.dtype:
            ref = self.g.cast(ref, value.dtype)
        return self.shaped(Ref(ref.name, value.dtype, arrays=ref.arrays), value)

    def _filled(self, x: Any, read: Callable[[Value], Ref]) -> Any:
        if isinstance(x, Value):
            return read(x)
        if isinstance(x, tuple | list):
            parts = [self._filled(v, read) for v in x]
            return type(x)(*parts) if hasattr(x, "_fields") else type(x)(parts)
        return x

    def _solved(self, x: Any, call: Call, name: str, local: list[FreeSize]) -> Any:
        """Sizes in place of numbers that vary."""
        if isinstance(x, Varied) and not isinstance(x.values[0], np.ndarray):
            return self.number(x.values, f"{place(call)}", f"{name} is", local)
        if isinstance(x, tuple | list):
            parts = [self._solved(v, call, name, local) for v in x]
            return type(x)(*parts) if hasattr(x, "_fields") else type(x)(parts)
        if isinstance(x, slice):
            return slice(*(self._solved(v, call, name, local) for v in (x.start, x.stop, x.step)))
        return x

    def _sides(self, call: Call, input: Ref, sides: Any, local: list[FreeSize]) -> list[Any]:
        """How much is padded, by the size that the result has: that says more of its dimension than a few zeros and ones do.

        Where both sides vary, one is half of what is missing, rounded down: so a U-Net brings back what its poolings lost.
        """
        found = []
        for (before, after), size, out in zip(sides, input.shape, self.runs.shape(call.outputs[0]), strict=True):
            if isinstance(before, Varied) or isinstance(after, Varied):
                total = self._solved(out, call, "the padded size", local) - size
                half = total // 2
                if not isinstance(before, Varied):
                    after = total - before
                elif not isinstance(after, Varied):
                    before = total - after
                elif isinstance(half, FreeSize) and half.values in (before.values, after.values):
                    before, after = (half, total - half) if half.values == before.values else (total - half, half)
            found.append((before, after))
        return found

    def number(self, values: Any, where: str, what: str, local: list[FreeSize] | None = None) -> FreeSize:
        """Solve a number that varies; the error names the op, the module and the number."""
        whole = all(isinstance(v, int | np.integer) for v in values)
        found = same(values, (*(local or ()), *self.counts)) if whole and self.counts else None
        if found is None:
            found = solve([int(v) for v in values], self.named, local or []) if whole else solve_float(values, self.named, local or [])
        if found is None:  # refused when it is needed, since not every lowering needs every argument
            at = "; ".join(f"{v} at {', '.join(f'{k} = {n}' for k, n in s.items())}" for v, s in zip(values, self.runs.sizes, strict=True))
            remedy = "keep that dimension fixed, name it by what it divides by ('32*h'), or compute the number from x.shape"
            error = Unsolved(where, f"{what} {at}", "expected an expression of the named dimensions", remedy)

            def refuse(g: Builder) -> Ref:
                raise error

            return FreeSize(values, refuse, f"({what} {values})", not whole)
        return found

    def _promoted(self, call: Call, args: dict[str, Any]) -> dict[str, Any]:
        """Cast the array arguments to their common type, as the op itself does; numbers become constants of it."""
        if call.promotes is None:
            return args
        operands = [args[n] for n in call.arrays if args[n] is not None]
        flat = [x for o in operands for x in (o if isinstance(o, list | tuple) else (o,))]
        kind = common_type(flat)
        if call.promotes == "float" and not (kind.is_floating_point or kind.is_complex):
            kind = dv.get_default_dtype()

        def cast(x: Any) -> Any:
            if isinstance(x, list | tuple):
                return type(x)(cast(v) for v in x)
            if kind.is_complex and x is not None:
                from ..lowerings.complex import as_pair

                return as_pair(self.g, x, kind)
            return x if x is None else self.g.cast(x, kind) if isinstance(x, Ref) else self.g.ref(x, kind)

        return {n: cast(x) if n in call.arrays else x for n, x in args.items()}

    def constant(self, value: Value) -> Ref:
        """What stands for a parameter, buffer or constant."""
        arrays = self.runs.arrays(value)
        first = arrays[0]
        if all(a is first or (a.shape == first.shape and _equal(a, first)) for a in arrays):
            name = value.name if value.kind != "constant" else ""
            if value.dtype.is_complex:
                parts = (
                    self.g.const(part, name=name and f"{name}.{label}") for part, label in ((first.real, "real"), (first.imag, "imag"))
                )
                return Pair(*parts)
            return Ref(self.g.const(first, name=name).name, value.dtype, tuple(first.shape), arrays[:1])
        from .constants import varying

        before, self.g.path = self.g.path, ""
        try:
            ref: Ref = varying(self, arrays, value.dtype)
        except UnsupportedError as error:  # refused when it is needed: the counts of an average are only looked at
            ref = Unmade(error, value.dtype)
        self.g.path = before
        ref.arrays = arrays
        return self.shaped(ref, value)


def _equal(a: Any, b: Any) -> bool:
    return bool(np.array_equal(a, b, equal_nan=a.dtype.kind in "fc"))


def _refs(x: Any) -> list[Ref]:
    if isinstance(x, Ref):
        return [x]
    if isinstance(x, dict):
        x = tuple(x.values())
    return [r for v in x for r in _refs(v)] if isinstance(x, tuple | list) else []


def common_type(operands: list[Any]) -> Any:
    """The type that tensors and numbers have together: those with dimensions count most, numbers least."""
    groups: list[list[Any]] = [[], [], []]
    for x in operands:
        if isinstance(x, Ref):
            groups[0 if x.ndim else 1].append(dv.zeros((1,) * bool(x.ndim), dtype=x.dtype))
        else:
            groups[2].append((1.5 if x.real else 1) if isinstance(x, FreeSize) else x)
    order = [x for group in groups for x in group]
    seen = order[0]
    for x in order[1:]:
        kind = dv.result_type(seen, x)
        ndim = isinstance(seen, dv.Tensor) and seen.ndim
        seen = dv.zeros((1,) if ndim or (isinstance(x, dv.Tensor) and x.ndim) else (), dtype=kind)
    return seen.dtype if isinstance(seen, dv.Tensor) else dv.result_type(seen, seen)
