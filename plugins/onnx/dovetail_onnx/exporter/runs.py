"""Several runs of a model at different sizes, laid over each other: what differs is a number that depends on the sizes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

import dovetail as dv
from dovetail.errors import ShapeError, UnsupportedError
from dovetail.graph import Call, Graph, Value, trace

from .arguments import Inputs, leaves, multiple
from .averages import PAIR, by_rule, settle
from .counts import RULES, counting, varies

__all__ = ["Runs", "Varied", "record"]

#: How many units each dimension is larger in each run; a dimension's row is unlike the others'.
_STEPS = [(0, *p) for p in ((1, 2, 3, 5), (2, 1, 5, 3), (3, 5, 2, 1), (5, 3, 1, 2), (3, 2, 1, 5), (5, 1, 2, 3))]
_UNITS = [u * s for u in (1, 2, 4, 8, 16, 32, 64) for s in (1, -1)]


class Varied:
    """Numbers, or arrays, that differ between the runs."""

    __slots__ = ("values",)

    def __init__(self, values: Sequence[Any]) -> None:
        self.values = tuple(values)

    def __repr__(self) -> str:
        return f"one of {self.values}"


class Runs:
    """The recorded runs; ``graph`` is the first, whose values stand for those of all. ``sizes`` has each run's named dimensions.

    ``varied`` says that some sizes are decided by values.
    """

    def __init__(self, graphs: list[Graph], sizes: list[dict[str, int]]) -> None:
        self.graphs, self.sizes, self.graph, self.varied = graphs, sizes, graphs[0], _varied(graphs[0])
        self.same: dict[int, Value] = {}  # a value of any run → the first run's
        self.of: dict[int, list[Value]] = {}  # a value of the first run → that of every run
        for group in zip(*(list(_values(g)) for g in graphs), strict=True):
            self.of[id(group[0])] = list(group)
            self.same.update((id(v), group[0]) for v in group)

    def shape(self, value: Value) -> list[Any]:
        """The sizes of a value, Varied where the runs differ."""
        rows = zip(*(v.shape for v in self.of[id(value)]), strict=True)
        return [row[0] if len(set(row)) == 1 else Varied(row) for row in rows]

    def arrays(self, value: Value) -> list[np.ndarray]:
        """What a captured value is in each run."""
        return [np.asarray(v.tensor.detach().numpy()) for v in self.of[id(value)] if v.tensor is not None]

    def args(self, at: int) -> dict[str, Any]:
        """The arguments of a call, with Varied in place of what differs."""
        calls = [g.calls[at] for g in self.graphs]
        return {name: self._over([c.args[name] for c in calls], calls[0], name) for name in calls[0].args}

    def outputs(self) -> Any:
        """The values that the function returned."""
        found = [[self.same[id(v)] for _, v in leaves(g.outputs, kind=Value)] for g in self.graphs]
        if any(len(f) != len(found[0]) or any(a is not b for a, b in zip(f, found[0], strict=True)) for f in found):
            raise UnsupportedError("export", "the model returns other values at other sizes", "one graph serves all sizes")
        return self.graph.outputs

    def _over(self, xs: list[Any], call: Call | None, name: str) -> Any:
        first = xs[0]
        if isinstance(first, Value):
            return self.same[id(first)]
        if isinstance(first, tuple | list):
            if len({len(x) for x in xs}) > 1:
                lengths = sorted({len(x) for x in xs})
                what = f"{name} has {lengths} entries at different sizes"
                raise UnsupportedError(place(call), what, "a graph has a fixed number of values", "keep that dimension fixed")
            parts = [self._over(list(each), call, name) for each in zip(*xs, strict=True)]
            return type(first)(*parts) if hasattr(first, "_fields") else type(first)(parts)
        if isinstance(first, dict):
            return {k: self._over([x[k] for x in xs], call, name) for k in first}
        if isinstance(first, slice):
            return slice(*(self._over([getattr(x, f) for x in xs], call, name) for f in ("start", "stop", "step")))
        if isinstance(first, np.ndarray):
            return first if all(np.array_equal(first, x) for x in xs) else Varied(xs)
        if isinstance(first, int | float | np.number) and not isinstance(first, bool):
            return first if all(x == first or x != x != first != first for x in xs) else Varied(xs)
        if any(type(x) is not type(first) or x != first for x in xs):
            what = f"{name} is {first!r} at some sizes and {next(x for x in xs if x != first)!r} at others"
            raise UnsupportedError(place(call), what, "one graph serves all sizes", "keep that dimension fixed")
        return first


def place(call: Call | None) -> str:
    """Where a call was made, for messages."""
    if call is None:
        return "export"
    return f"export: {call.op} in {call.module}" if call.module else f"export: {call.op}"


def _values(graph: Graph) -> Any:
    return itertools.chain(graph.inputs, graph.captured, *(c.outputs for c in graph.calls))


def record(model: Any, inputs: Inputs, look: Callable[[Graph], None], besides: Sequence[dict[str, int]] = ()) -> Runs:
    """Run the model at the given sizes and, where dimensions are free, at some more; otherwise once more with other values.

    ``look`` sees the first run before there are others; ``besides`` are sizes at which the model is run too. Raises an
    UnsupportedError where the runs make different calls: the model then looks at sizes or values, and one graph cannot say what it does.
    """
    if not inputs.base:
        graphs = [_trace(model, inputs.resized({}))]
        look(graphs[0])
        graphs.append(_again(model, inputs, {}, 1))
        _alike(graphs[0], graphs[1], "with other values of the same sizes")
        more = [_counted(model, inputs, {}, rule, graphs[0]) for rule in RULES] if _varied(graphs[0]) else []
        graphs += filter(None, more)
        return Runs(graphs, [{} for _ in graphs])
    # Sizes of one broadcast, and squeeze away: a free dimension is never seen at that size.
    base = {name: max(size, 2) for name, size in inputs.base.items()}
    first = _trace(model, inputs.resized(base))
    look(first)
    known = {_say(base): first}
    steps = {name: _stride(model, inputs, base, name, known) for name in base}
    rows = {name: _STEPS[k % len(_STEPS)] for k, name in enumerate(base)}
    sizes = [{n: base[n] + steps[n](rows[n][k]) for n in base} for k in range(5)]
    graphs, varied = [first], _varied(first)
    for k, each in enumerate(sizes[1:], 1):
        counted = _counted(model, inputs, each, RULES[k % 2], first) if varied and k > 2 else None
        graphs.append(counted or known.get(_say(each)) or _again(model, inputs, each, k))
        _alike(first, graphs[-1], f"at {_say(each)}")
    for each in besides:
        graphs.append(_again(model, inputs, each, len(graphs)))
        _alike(first, graphs[-1], f"at {_say(each)}")
    settle(graphs)
    return Runs(graphs, [*sizes, *besides])


def _varied(graph: Graph) -> bool:
    """Whether values decide how many rows something in it has."""
    return any(varies(call.op, call.args.get("indices")) for call in graph.calls)


def _counted(model: Any, inputs: Inputs, sizes: dict[str, int], rule: Any, first: Graph) -> Graph | None:
    """A run in which ops whose results have as many rows as values say give fewer rows, or more, than they found.

    So no number of detections is taken for a constant, however many all examples have. Where a model does not run so, nothing is learned;
    where it makes other calls, one graph cannot say what it does.
    """
    try:
        with counting(rule):
            graph = _trace(model, inputs.resized(sizes))
    except Exception:  # what is cut may not fit together any more
        return None
    _alike(first, graph, "where values select another number of rows")
    return graph


def _trace(model: Any, arguments: Any) -> Graph:
    with dv.no_grad():
        graph = trace(model, *arguments[0], **arguments[1])
    by_rule(graph)
    return graph


def _again(model: Any, inputs: Inputs, sizes: dict[str, int], turn: int) -> Graph:
    """Once more with other values, or the same ones where the model takes no others."""
    try:
        return _trace(model, inputs.resized(sizes, turn))
    except Exception:
        return _trace(model, inputs.resized(sizes))


def _stride(model: Any, inputs: Inputs, base: dict[str, int], name: str, known: dict[str, Graph]) -> Callable[[int], int]:
    """How far a dimension is from its size after some steps, such that the model makes the same calls; the runs are kept in `known`.

    Long strides are tried first, since halves of halves of neighbouring sizes are the same number; one of them is one off, so that
    the strides have nothing in common. A model that does not run at the neighbouring size has short strides, of one or more.
    """
    reason: Any = None
    far = max(base[name] // 8 | 1, 9)
    long = [] if base[name] < 16 else [far] if base[name] < 64 else [-far, far]
    tries: list[tuple[Callable[[int], int], tuple[int, ...]]] = [(partial(_far, far), (1, 5, -1 if far < 0 else 1)) for far in long]
    tries += [(unit.__mul__, (1, 5)) for unit in _UNITS if base[name] + 5 * unit >= 2]
    unit = multiple(name)
    if unit:  # only its multiples are sizes
        tries = [((unit * n).__mul__, (1, 5)) for n in (base[name] // unit // 8 | 1, 1, 2, 4)]
        long = []
    for k, (step, counts) in enumerate(tries):
        try:
            for at, count in enumerate(counts):
                sizes = base | {name: base[name] + (count if at == 2 else step(count))}
                found = known[_say(sizes)] = known.get(_say(sizes)) or _trace(model, inputs.resized(sizes))
                _alike(known[_say(base)], found, f"at {name} = {sizes[name]}")
            return step
        except Exception as error:  # a model may refuse a size with any error
            reason = reason if k > len(long) else error
    if isinstance(reason, UnsupportedError) and str(reason).startswith("export"):
        raise reason
    what = f"dimension {name!r} cannot change from {base[name]}: {type(reason).__name__}: {reason}"
    raise ShapeError(
        "export", what, "expected the model to run at other sizes", "fix that dimension, or give equal ones one name"
    ) from reason


def _far(stride: int, count: int) -> int:
    return count * stride + (count == 3)  # so that sizes are odd in other runs than those of another dimension


def _alike(a: Graph, b: Graph, when: str) -> None:
    """Check that two runs made the same calls on the same values."""
    for one, other in itertools.zip_longest(a.calls, b.calls):
        if one and other and {one.op, other.op} == PAIR and one.module == other.module:
            continue
        if one is None or other is None or (one.op, one.module, one.inplace) != (other.op, other.module, other.inplace):
            where = place(one or other)
            ops = [c.op if c else "nothing more" for c in (other, one)]
            what = f"{when} the model calls {ops[0]}, and at first {ops[1]}"
            raise UnsupportedError(where, what, "expected the same calls for all inputs", "take the branch out of the model")
        if len(one.outputs) != len(other.outputs):
            what = f"{when} it gives {len(other.outputs)} results, and at first {len(one.outputs)}"
            raise UnsupportedError(place(one), what, "a graph has a fixed number of values", "keep that dimension fixed")
    if len(a.captured) != len(b.captured) or len(list(_values(a))) != len(list(_values(b))):
        raise UnsupportedError("export", f"{when} the model reads other tensors", "expected the same for all inputs")
    order = {id(v): k for k, v in enumerate(_values(a))}
    others = {id(v): k for k, v in enumerate(_values(b))}
    for one, other in zip(a.calls, b.calls, strict=True):
        if [order[id(v)] for v in one.inputs()] != [others[id(v)] for v in other.inputs()]:
            raise UnsupportedError(place(one), f"{when} it is called on other values than at first", "expected the same for all inputs")


def _say(sizes: dict[str, int]) -> str:
    return ", ".join(f"{k} = {v}" for k, v in sizes.items())
