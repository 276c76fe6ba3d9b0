"""Multi-tensor updates: the parameters of a group are updated together, small ones through one flat buffer.

An algorithm states its arithmetic once, on flat blocks (`@update`). Parameters of one type and device whose counters
agree form a Bunch: their states are views into flat arrays, their values and gradients are gathered, updated block by
block (a block and its scratch stay in the processor's cache) and scattered back. A large parameter is a Bunch of its
own and is updated where it lies. A Bunch is dissolved, and its members regrouped, when only some of them have
gradients or somebody replaced a state.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from operator import is_not
from typing import Any

import numpy as np

from ..autograd.node import Leaf, tick, wrap
from ..device import device_of, xp
from ..dtypes import float64, get_default_dtype
from .optimizer import Optimizer

__all__ = ["UPDATES", "MultiTensorOptimizer", "Update", "update"]

BLOCK = 1 << 15  # elements that are worked on at a time: with states and scratch they fit the cache
SMALL = 1 << 16  # up to this size parameters are gathered
FLAT = 1 << 18  # and no more than this many elements together

UPDATES: dict[str, Update] = {}


class Update:
    """The arithmetic of an algorithm: a reference on blocks, and kernels from outside that take whole lists.

    A kernel in ``table[device type, NumPy dtype]`` is called ``kernel(params, grads, states, maximize=..., l2=...,
    **settings)`` with lists of raw arrays (states: one list per state name) and changes params and states in place; one
    that returns NotImplemented declines, and the reference serves.
    """

    def __init__(self, reference: Callable[..., None]) -> None:
        self.name, self.reference = reference.__name__, reference
        self.table: dict[tuple[str, Any], Callable[..., Any]] = {}


def update(reference: Callable[..., None]) -> Update:
    """Make an Update of ``f(np, p, g, t, u, *states, **settings)``, which changes the block p and the states in place.

    np is the array module; t and u are scratch. g is the gradient, negated and with ``l2 · p`` added where that is asked
    for (a setting ``l2``, which the function does not get); it must not be changed.
    """
    made = UPDATES[reference.__name__] = Update(reference)
    return made


def _real(a: Any) -> Any:
    """A complex array as real numbers, which is how complex parameters are updated."""
    return a.view(np.dtype(f"f{a.dtype.itemsize // 2}")) if a.dtype.kind == "c" else a


class Bunch:
    """Parameters that are updated as one."""

    def __init__(self, params: list[Any], states: list[dict[str, Any]], form: Form, counts: Any, fresh: bool) -> None:
        first = params[0]._a
        self.params, self.states, self.arrays = params, states, [p._a for p in params]
        self.np, self.kind, self.device = xp(first), first.dtype, device_of(first).type
        self.fresh = fresh  # no step was taken yet
        self.box: list[Any] = [0, 0, None, None]  # the version box of all states: a change from outside is seen here
        self.gathered = len(params) > 1 or not first.flags.c_contiguous
        bounds = np.cumsum([0] + [a.size for a in self.arrays]).tolist()
        self.places = [slice(i, j) for i, j in pairwise(bounds)]
        self.own: list[tuple[tuple[str, Any], ...]] = [() for _ in params]
        self.counts = {}
        for name, (value, kind) in zip(form.counts, counts, strict=True):
            row = self.counts[name] = np.full(len(params), value, kind)
            self._give(name, [row[i : i + 1].reshape(()) for i in range(len(params))])
        flats = [self._flat_state(name, form.start.get(name, 0)) for name in form.names]
        self._lay_out(bounds[-1], flats)

    def _give(self, name: str, views: list[Any]) -> None:
        """Put a state into the parameters' dicts."""
        for i, (state, view) in enumerate(zip(self.states, views, strict=True)):
            t = state[name] = wrap(view, None, self.box)
            self.own[i] += ((name, t),)

    def _flat_state(self, name: str, start: Any) -> Any:
        """One flat array of a state, holding what the parameters had so far."""
        had = [state.get(name) for state in self.states]
        if not self.gathered and had[0] is not None:
            a = had[0]._a
            if a.flags.c_contiguous and a.dtype == self.kind and a.shape == self.arrays[0].shape:
                self._give(name, [a])
                return a.reshape(-1)
        flat = self.np.full(self.places[-1].stop, complex(start, start) if self.kind.kind == "c" else start, self.kind)
        views = [flat[place].reshape(a.shape) for place, a in zip(self.places, self.arrays, strict=True)]
        for view, old in zip(views, had, strict=True):
            if old is not None:
                view[...] = old._a
        self._give(name, views)
        return flat

    def _lay_out(self, total: int, flats: list[Any]) -> None:
        """Cut everything into blocks: (place, p, g, t, u, states), g being a buffer."""
        np_, kind = self.np, self.kind
        size = max(total, 1) if self.device != "cpu" else min(BLOCK, max(total, 1))
        p = np_.empty(total, kind) if self.gathered else self.arrays[0].reshape(-1)
        g = np_.empty(total if self.gathered else size, kind)
        t, u = np_.empty(size, kind), np_.empty(size, kind)
        self.blocks = []
        for i in range(0, total, size):
            j = min(i + size, total)
            own = g[i:j] if self.gathered else g[: j - i]
            self.blocks.append((slice(i, j), *(_real(x) for x in (p[i:j], own, t[: j - i], u[: j - i], *(f[i:j] for f in flats)))))
        if self.gathered:
            self.p_views = [p[place].reshape(a.shape) for place, a in zip(self.places, self.arrays, strict=True)]
            self.g_views = [g[place].reshape(a.shape) for place, a in zip(self.places, self.arrays, strict=True)]

    def intact(self, state: dict[Any, Any]) -> bool:
        """Whether arrays and states are still those that were laid out."""
        if self.box[1]:
            return False
        for p, a, own, mine in zip(self.params, self.arrays, self.own, self.states):
            if p._a is not a or (own and state.get(p) is not mine):
                return False
            for name, t in own:
                if mine.get(name) is not t:
                    return False
        return True

    def run(self, rule: Update, grads: list[Any], maximize: bool, settings: dict[str, Any]) -> None:
        """Apply the update once."""
        kernel = rule.table.get((self.device, self.kind)) if rule.table else None
        if kernel is None or not self._by_kernel(kernel, grads, maximize, settings):
            self._by_reference(rule.reference, grads, maximize, settings)
        self.fresh, now = False, tick()
        for p in self.params:
            box = p._v
            box[0], box[2] = now, "optimizer.step"
            box[1] += 1

    def _by_reference(self, reference: Callable[..., None], grads: list[Any], maximize: bool, settings: dict[str, Any]) -> None:
        np_, l2 = self.np, settings.pop("l2", 0)
        copy, gathered = np_.copyto, self.gathered
        if gathered:
            for view, a in zip(self.p_views, self.arrays):
                copy(view, a)
            for view, a in zip(self.g_views, grads):
                copy(view, a)
        else:
            flat = _real(np_.ascontiguousarray(grads[0]).reshape(-1))
        for place, p, g, t, u, *states in self.blocks:
            if not gathered:
                own, g = g, flat[place] if flat.dtype == self.kind else flat[2 * place.start : 2 * place.stop]
            else:
                own = g
            if maximize:
                g = np_.negative(g, out=own)
            if l2 != 0:
                np_.multiply(p, l2, out=t)
                g = np_.add(g, t, out=own)
            reference(np_, p, g, t, u, *states, **settings)
        if gathered:
            for a, view in zip(self.arrays, self.p_views):
                copy(a, view)

    def _by_kernel(self, kernel: Callable[..., Any], grads: list[Any], maximize: bool, settings: dict[str, Any]) -> bool:
        names = [name for name, _ in self.own[0] if name not in self.counts]
        states = [[dict(own)[name]._a for own in self.own] for name in names]
        return kernel(self.arrays, grads, states, maximize=maximize, **settings) is not NotImplemented


class Form:
    """What an algorithm keeps for each parameter of a group: tensors like it (names), their start values, 0-d counters."""

    __slots__ = ("counts", "names", "start")

    def __init__(self, names: tuple[str, ...], counts: tuple[str, ...], start: dict[str, Any]) -> None:
        self.names, self.counts, self.start = names, counts, start


class Layout:
    """The bunches of a group's parameters, and those that had no gradient so far."""

    def __init__(self, params: list[Any], form: Form) -> None:
        self.params, self.form = list(params), form
        self.bunches: list[Bunch] = []
        self.idle = list(params)

    def serves(self, params: list[Any], form: Form) -> bool:
        """Whether the group's list and form are still those of this layout."""
        same = len(params) == len(self.params) and not any(map(is_not, params, self.params))
        return same and form.names == self.form.names

    def ready(self, state: Any) -> list[tuple[Bunch, list[Any]]]:
        """The bunches that have gradients, with them; regrouped where need be."""
        found, kept = [], []
        for bunch in self.bunches:
            grads, missing = _grads(bunch.params)
            if missing == len(grads):
                kept.append(bunch)
            elif missing or not bunch.intact(state):
                self.idle += bunch.params
            else:
                kept.append(bunch)
                found.append((bunch, grads))
        if self.idle:
            grads, missing = _grads(self.idle)
            if missing < len(grads):
                fresh = self._arrange([p for p, g in zip(self.idle, grads, strict=True) if g is not None], state)
                self.idle = [p for p, g in zip(self.idle, grads, strict=True) if g is None]
                kept += fresh
                found += [(bunch, _grads(bunch.params)[0]) for bunch in fresh]
        self.bunches = kept
        return found

    def _arrange(self, params: list[Any], state: Any) -> list[Bunch]:
        """Group parameters by type, device and counters; a large one stays alone."""
        form = self.form
        keeps = bool(form.names or form.counts)
        small: dict[Any, tuple[list[Any], list[Any]]] = {}
        sizes: dict[Any, int] = {}
        ready: list[tuple[Any, list[Any], list[Any]]] = []
        for p in params:
            own = state[p] if keeps else {}
            counts = tuple(_count(own.get(name), form.start.get(name, 0.0)) for name in form.counts)
            fresh = all(own.get(name) is None for name in form.names)
            key = (p._a.dtype, str(device_of(p._a)), counts, fresh)
            if p._a.size > SMALL:
                ready.append((key, [p], [own]))
                continue
            if key in small and sizes[key] + p._a.size > FLAT:
                ready.append((key, *small.pop(key)))
            if key not in small:
                small[key], sizes[key] = ([], []), 0
            small[key][0].append(p)
            small[key][1].append(own)
            sizes[key] += p._a.size
        ready += [(key, *lists) for key, lists in small.items()]
        return [Bunch(members, dicts, form, key[2], key[3]) for key, members, dicts in ready]


def _count(had: Any, start: float) -> tuple[float, Any]:
    """A counter's value and type: what it was, or the start in the default type."""
    if had is not None:
        return float(had._a), had._a.dtype
    return start, float64.np if get_default_dtype() is float64 else np.dtype(np.float32)


def _grads(params: Sequence[Any]) -> tuple[list[Any], int]:
    """The raw gradients, None where there is none, and how often that is."""
    found: list[Any] = []
    missing = 0
    for p in params:
        n = p._n
        g = n.grad if n.__class__ is Leaf else p.grad
        if g is None:
            missing += 1
            found.append(None)
        else:
            found.append(g._a)
    return found, missing


class MultiTensorOptimizer(Optimizer):
    """An optimizer whose update is elementwise: a subclass names its `rule`, its form and its settings of a step."""

    rule: Update

    def _form(self, group: dict[str, Any]) -> Form:
        """What is kept for each parameter."""
        raise NotImplementedError

    def _settings(self, group: dict[str, Any], bunch: Bunch) -> dict[str, Any]:
        """Advance the bunch's counters and return what the rule needs."""
        raise NotImplementedError

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient; ``closure`` evaluates the loss anew and its value is returned."""
        loss = None if closure is None else self._evaluate(closure)
        while len(self._layouts) < len(self.param_groups):
            self._layouts.append([])
        for i, group in enumerate(self.param_groups):
            params, form = group["params"], self._form(group)
            layouts = self._layouts[i]
            if len(layouts) != 1 or not layouts[0].serves(params, form):
                layouts = self._layouts[i] = [Layout(part, form) for part in _once_each(params)]
            for layout in layouts:
                layout.form = form
                for bunch, grads in layout.ready(self.state):
                    bunch.run(self.rule, grads, group["maximize"], self._settings(group, bunch))
        return loss


def _once_each(params: list[Any]) -> list[list[Any]]:
    """Split a list in which parameters may be repeated into lists without repetition."""
    parts: list[list[Any]] = [[]]
    seen: dict[int, int] = {}
    for p in params:
        k = seen[id(p)] = seen.get(id(p), -1) + 1
        if k == len(parts):
            parts.append([])
        parts[k].append(p)
    return parts
