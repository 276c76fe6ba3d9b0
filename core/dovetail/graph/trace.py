"""trace(): run a function once and write down every op call that it makes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..autograd.modes import observing
from ..autograd.node import CLASSES, Tensor, wrap
from ..nn._hooks import PATH
from ..nn.module import Module
from .graph import Call, Graph, Value, leaves, mapped

__all__ = ["trace"]


def trace(fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Graph:
    """Run ``fn(*args, **kwargs)`` and return the Graph of the op calls in that run.

    Tensors among the arguments (also inside lists, tuples and dicts) become the graph's inputs. A tensor that the
    function reads from elsewhere becomes a parameter or buffer, by its dotted name where ``fn`` is a Module, or a
    constant; so does what it makes without an op (``dv.rand(3)``, ``from_numpy``). The graph holds for the traced
    shapes, and for the branches that this run took.

    >>> import dovetail as dv
    >>> layer = dv.nn.Linear(3, 2)
    >>> g = trace(layer, dv.ones(4, 3))
    >>> [c.op for c in g.calls], sorted(g.parameters())
    (['linear'], ['bias', 'weight'])
    """
    recorder = _Recorder(fn)
    args, kwargs = mapped((args, kwargs), recorder.input)
    with observing(recorder):
        out = fn(*args, **kwargs)
    outputs = mapped(out, recorder.value)
    for value in recorder.captured:
        box = None if value.tensor is None else value.tensor._v
        value.changed = box is not None and box[1] != recorder.before.get(id(box), box[1])
    return Graph(recorder.inputs, recorder.calls, recorder.captured, outputs)


class _Recorder:
    """The observer that writes calls down. Values are known by their arrays, which it keeps alive."""

    expands = True  # functions that are ops for their kernels' sake are written down as what they are made of, which exporters know

    def __init__(self, fn: Any) -> None:
        self.inputs: list[Value] = []
        self.calls: list[Call] = []
        self.captured: list[Value] = []
        self.known: dict[int, tuple[Value, int]] = {}  # array → its value, and the count of its silent changes then
        self.explained: dict[int, int] = {}  # version box → how many of its changes were made by recorded calls
        self.alive: list[Any] = []
        self.names: dict[str, int] = {}
        self.memories: dict[int, int] = {}  # version box, which views share → a number
        self.members: dict[int, tuple[str, str, Any]] = {}
        self.paths: dict[int, str] = {}
        self.before: dict[int, int] = {}  # version box of a parameter or buffer → its changes before the run
        if isinstance(fn, Module):
            tables: Any = (("parameter", fn.named_parameters()), ("buffer", fn.named_buffers()))
            self.members = {id(t._a): (name, kind, t) for kind, named in tables for name, t in named}
            self.before = {id(t._v): t._v[1] for _, _, t in self.members.values()}
            self.paths = {id(m): name for name, m in fn.named_modules()}

    def __call__(self, op: Any, args: Any, run: Callable[[], Any]) -> Any:
        inplace = op.name.endswith("_") and not op.name.startswith("_")
        name = op.name[:-1] if inplace else op.name
        recorded = {p: mapped(a, self.value) for p, a in zip(op.params, args, strict=True)}
        touched = {id(t._v): t._v for t in leaves(list(args), Tensor)}
        counts = {key: box[1] for key, box in touched.items()}
        if inplace:
            self.keep(args[op.arrays[0]])
        out = run()
        for key, box in touched.items():
            if box[1] != counts[key]:
                self.explained[key] = self.explained.get(key, 0) + box[1] - counts[key]
        outs = list(out) if isinstance(out, tuple) else [out]
        values = [self.new(t, name, "result") for t in outs]
        arrays = tuple(op.params[i] for i in op.arrays)
        self.calls.append(Call(name, recorded, values, self.path(), inplace, op.version, arrays, op.dtypes))
        return out

    def input(self, t: Any) -> Any:
        """Note an argument; a tensor that is passed twice is two inputs, so the second is an alias of it."""
        if t.__class__ not in CLASSES:
            return t
        if id(t._a) in self.known:
            t = wrap(t._a[...], t._n, t._v)
        self.inputs.append(self.new(t, f"input{len(self.inputs)}", "input"))
        return t

    def new(self, t: Any, name: str, kind: str) -> Value:
        """Give a tensor a value of its own."""
        count = self.names[name] = self.names.get(name, 0) + 1
        unique = name if count == 1 else f"{name}_{count - 1}"
        memory = self.memories.setdefault(id(t._v), len(self.memories))
        value = Value(unique, kind, tuple(t._a.shape), t.dtype, t if kind not in ("input", "result") else None, memory=memory)
        self.know(t, value)
        return value

    def know(self, t: Any, value: Value) -> None:
        self.known[id(t._a)] = (value, self.silent(t))
        self.alive += [t._a, t._v]

    def silent(self, t: Any) -> int:
        """How many changes of its memory no recorded call explains: a fill with random numbers, an optimizer's step."""
        box = t._v
        return 0 if box[0] == float("inf") else box[1] - self.explained.get(id(box), 0)

    def value(self, t: Any) -> Any:
        """The value of a tensor that is read, captured now if it was not met before or has changed unseen."""
        if t.__class__ not in CLASSES:
            return t
        found, silent = self.known.get(id(t._a), (None, 0))
        if found is None:
            name, kind, member = self.members.get(id(t._a), ("constant", "constant", t))
            found = self.new(member, name, kind)
            self.captured.append(found)
        elif silent != self.silent(t):
            found = self.new(wrap(t._a.copy()), "constant", "constant")
            self.captured.append(found)
            self.know(t, found)
        return found

    def keep(self, target: Any) -> None:
        """Before a call changes memory: a constant there keeps the value that it has now."""
        for v in self.captured:
            if v.kind == "constant" and not v.written and v.tensor is not None and v.tensor._v is target._v:
                v.tensor, v.written = wrap(v.tensor._a.copy()), True

    def path(self) -> str:
        """The dotted path of the module whose forward is running."""
        if not PATH.modules:
            return ""
        inner = PATH.modules[-1]
        return self.paths.get(id(inner), type(inner).__name__)
