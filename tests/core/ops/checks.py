"""What is compared, and how strictly: values, gradients against finite differences, kept values."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

import dovetail as dv
from dovetail.autograd.engine import Walk, late
from dovetail.autograd.functional import grad
from dovetail.autograd.node import Leaf, Node, Output, Tensor, leaf, wrap
from dovetail.testing.samples.calls import flat

__all__ = [
    "EPS", "alike", "check_gradient", "check_second", "cotangents", "differentiable", "gradients", "kept_apart", "nodes", "unkept",
]  # fmt: skip

EPS = {"float64": 1e-12, "float32": 1e-5, "float16": 2e-3, "bfloat16": 2e-2, "complex128": 1e-12, "complex64": 1e-5}
"""Tolerance of a value by its type, relative to 1 + |value|: rounding, and nothing that could hide a wrong formula."""

_STEP, _GRADIENT = 1e-5, 3e-6  # central differences in float64 are good to about 1e-10 · |f'''|
_WHOLE = 30  # up to so many elements each one is moved; above, some elements and some random directions


def alike(got: Any, want: Any, what: str = "value", tol: float | None = None, dtype: bool = True) -> None:
    """Assert that two arrays have one shape, one kind of type and the same values."""
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape, f"{what}: shape {got.shape}, expected {want.shape}"
    if dtype:
        kinds = {"i": "int", "u": "int", "f": "float", "V": "float", "b": "bool", "c": "complex"}
        assert kinds[got.dtype.kind] == kinds[want.dtype.kind], f"{what}: type {got.dtype}, expected the kind of {want.dtype}"
    if got.dtype.kind in "biu" and want.dtype.kind in "biu":
        np.testing.assert_array_equal(got, want, err_msg=what)
        return
    tol = EPS[got.dtype.name if got.dtype.name in EPS else "float64"] if tol is None else tol
    wide = np.complex128 if "c" in got.dtype.kind + want.dtype.kind else np.float64
    a, b = got.astype(wide), want.astype(wide)
    with np.errstate(all="ignore"):
        off = ~((abs(a - b) <= tol * (1 + abs(b))) | (a == b) | (np.isnan(a) & np.isnan(b)))
    if off.any():
        at = tuple(int(i) for i in np.argwhere(off)[0])
        raise AssertionError(f"{what}: at {at} {a[at]!r}, expected {b[at]!r} (tolerance {tol:g}; {off.sum()} of {off.size} differ)")


# --- gradients -----------------------------------------------------------------------------------------------------


def differentiable(result: Any) -> list[Tensor]:
    """The results that have a history."""
    return [t for t in flat(result) if isinstance(t, Tensor) and t._n is not None]


def cotangents(outs: Sequence[Any], seed: int = 5) -> list[Any]:
    """A fixed random array for each result."""
    draw = np.random.RandomState(seed)
    made = []
    for o in outs:
        w = draw.uniform(0.5, 1.5, o.shape) * np.where(draw.uniform(size=o.shape) < 0.3, -1, 1)
        if o.dtype.kind == "c":
            w = w + 1j * draw.uniform(-1, 1, o.shape)
        made.append(np.asarray(w).astype(o.dtype))
    return made


def gradients(result: Any, leaves: Sequence[Tensor], create_graph: bool = False) -> list[Any]:
    """The gradients of a result's differentiable parts, with fixed random cotangents."""
    outs = differentiable(result)
    return list(grad(outs, leaves, [wrap(w) for w in cotangents([o._a for o in outs])], create_graph=create_graph, allow_unused=True))


def _directions(moved: Sequence[Any]) -> Iterator[list[Any]]:
    """Changes of the inputs to try: each element alone, or a few elements and three random directions."""
    draw = np.random.RandomState(11)
    places = [(k, i) for k, a in enumerate(moved) for i in range(a.size)]
    if len(places) > _WHOLE:
        for _ in range(3):
            yield [draw.uniform(-1, 1, a.shape) * (1 + 1j if a.dtype.kind == "c" else 1) for a in moved]
        places = [places[i] for i in draw.choice(len(places), 8, replace=False)]
    for k, i in places:
        for unit in (1, 1j) if moved[k].dtype.kind == "c" else (1,):
            d = [np.zeros_like(a) for a in moved]
            d[k].reshape(-1)[i] = unit
            yield d


def _inner(a: Any, b: Any) -> float:
    return float(np.sum((np.conj(a) * b).real))


def _against_differences(value: Callable[[], float], moved: Sequence[Any], found: Sequence[Any], what: str) -> None:
    """Compare gradients with central differences of a scalar function of arrays that are moved in place."""
    before = [a.copy() for a in moved]
    for d in _directions(moved):
        ends = []
        for sign in (1, -1):
            for a, b, step in zip(moved, before, d, strict=True):
                a[...] = b + sign * _STEP * step
            ends.append(value())
        for a, b in zip(moved, before, strict=True):
            a[...] = b
        numeric = (ends[0] - ends[1]) / (2 * _STEP)
        analytic = sum(_inner(g, step) for g, step in zip(found, d, strict=True))
        size = 1 + abs(numeric) + sum(float(np.abs(g * step).sum()) for g, step in zip(found, d, strict=True))
        if not abs(numeric - analytic) <= _GRADIENT * size + 1e-10 * abs(ends[0]):
            where = [tuple(int(i) for i in np.argwhere(x)[0]) for x in d if np.count_nonzero(x) == 1]
            raise AssertionError(
                f"{what}: {analytic!r} by the rule, {numeric!r} by finite differences, "
                f"{f'at element {where[0]}' if where else 'along a random direction'} of inputs {[a.shape for a in moved]}"
            )


def check_gradient(call: Callable[[], Any], leaves: Sequence[Tensor]) -> None:
    """The gradient of a call with respect to its leaves, contracted with a random cotangent, against finite differences."""
    result = call()
    outs = differentiable(result)
    assert outs, "no result requires a gradient: say grad=False in the row, or give the op a rule"
    ws = cotangents([o._a for o in outs])
    picks = [i for i, t in enumerate(flat(result)) if isinstance(t, Tensor) and t._n is not None]
    found = [np.zeros_like(x._a) if g is None else g._a for x, g in zip(leaves, gradients(result, leaves), strict=True)]
    for x, g in zip(leaves, found, strict=True):
        assert g.shape == x._a.shape and g.dtype == x._a.dtype, f"gradient {g.shape} {g.dtype} for an input {x._a.shape} {x._a.dtype}"

    def value() -> float:
        with dv.no_grad():
            made = flat(call())
        return sum(_inner(w, made[i]._a) for w, i in zip(ws, picks, strict=True))

    _against_differences(value, [x._a for x in leaves], found, "gradient")


def check_second(call: Callable[[], Any], leaves: Sequence[Tensor]) -> bool:
    """The gradient of the gradient, with respect to inputs and cotangents; False where the op is linear in both."""
    outs = differentiable(call())
    seeds = [wrap(w) for w in cotangents([o._a for o in outs])]
    for s in seeds:
        leaf(s)
    everything = [*leaves, *seeds]

    def first(recorded: bool) -> list[Any]:
        return list(grad(differentiable(call()), leaves, seeds, create_graph=recorded, allow_unused=True))

    plain, graphed = first(False), first(True)
    for k, (a, b) in enumerate(zip(plain, graphed, strict=True)):
        if a is not None and b is not None:
            alike(b._a, a._a, f"gradient {k} under create_graph", tol=1e-9)
    used = [k for k, g in enumerate(graphed) if g is not None and g._n is not None]
    assert used, "the gradient has no gradient: say grad2=False with a `why`, or write the rule with public ops"
    vs = cotangents([graphed[k]._a for k in used], seed=6)
    found = grad([graphed[k] for k in used], everything, [wrap(v) for v in vs], allow_unused=True)
    arrays = [np.zeros_like(t._a) if g is None else g._a for t, g in zip(everything, found, strict=True)]

    def value() -> float:
        made = first(False)
        return sum(_inner(v, made[k]._a) for v, k in zip(vs, used, strict=True))

    _against_differences(value, [t._a for t in everything], arrays, "second gradient")
    return True


# --- the graph -----------------------------------------------------------------------------------------------------


def nodes(outs: Sequence[Tensor]) -> list[Node]:
    """Every node behind these tensors."""
    found: dict[int, Node] = {}
    stack = [o._n for o in outs]
    while stack:
        edge = stack.pop()
        node = edge.node if edge.__class__ is Output else edge
        if node is None or node.__class__ is Leaf or id(node) in found:
            continue
        found[id(node)] = node
        stack.extend(node.edges)
    return list(found.values())


def _saved(made: Sequence[Node]) -> list[Any]:
    return [a for n in made for v in n.saved or () for a in (v if isinstance(v, list | tuple) else [v]) if isinstance(a, np.ndarray)]


@contextmanager
def kept_apart(outs: Sequence[Tensor]) -> Iterator[None]:
    """Inside, a rule that returns memory that was kept for it (or that a result holds) is an error."""
    plans = {id(n.plan): n.plan for n in nodes(outs)}
    before = {k: p.backward for k, p in plans.items()}
    held = [o._a for o in outs]

    def watch(plan: Any, run: Any) -> Any:
        def backward(g: Any, saved: Any) -> Any:
            given = [x._a for x in (g if isinstance(g, list | tuple) else [g]) if x is not None]
            kept = [a for v in saved for a in (v if isinstance(v, list | tuple) else [v]) if isinstance(a, np.ndarray)]
            grads = run(g, saved)
            for r in grads:
                if r is not None and not any(np.may_share_memory(r._a, x) for x in given):
                    assert not any(np.shares_memory(r._a, a) for a in (*kept, *held)), f"{plan.op.name}: a rule returns a kept value"
            return grads

        return backward

    walk, late.walk = late.walk, Walk.go  # a compiled twin would run the rules itself
    try:
        for k, plan in plans.items():
            plan.backward = watch(plan, before[k])
        yield
    finally:
        late.walk = walk
        for k, plan in plans.items():
            plan.backward = before[k]


def unkept(call: Callable[..., Any], args: Any, kwargs: Any, made: list[Any]) -> list[int]:
    """Positions of arrays that outlive their call although no rule asked for them and no result is a view of them.

    `args`, `kwargs` and `made` are emptied on the way: nothing here may hold an input.
    """
    result = call(*args, **kwargs)
    args.clear()
    kwargs.clear()
    outs = [t for t in flat(result) if isinstance(t, Tensor)]
    legal = [*_saved(nodes(outs)), *(t._a for t in outs)]
    watched = [(k, weakref.ref(t._a)) for k, t in enumerate(made) if t._a.size and not any(np.may_share_memory(t._a, a) for a in legal)]
    del legal
    made.clear()
    alive = [k for k, ref in watched if ref() is not None]
    if alive:
        gc.collect()
        alive = [k for k, ref in watched if ref() is not None]
    return alive
