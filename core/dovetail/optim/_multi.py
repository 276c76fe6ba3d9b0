"""Multi-tensor updates: the parameters of a group are updated together, small ones through one flat buffer.

An algorithm states its arithmetic once, on flat blocks (`@update`). Parameters of one type and device whose counters
agree form a Bunch: their states are views into flat arrays, their values and gradients are gathered, updated block by
block (a block and its scratch stay in the processor's cache) and scattered back. A large parameter is a Bunch of its
own and is updated where it lies. A Bunch is dissolved, and its members regrouped, when only some of them have
gradients or somebody replaced a state.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from operator import attrgetter, is_not
from typing import Any

import numpy as np

from ..autograd.node import Leaf, Tensor, tick, wrap
from ..device import device_of, xp
from ..errors import UnsupportedError
from ..ops._override import of_plugin
from ..ops.kernels import update_table
from .optimizer import Optimizer, counter_type, number

__all__ = ["UPDATES", "Bunch", "MultiTensorOptimizer", "Update", "lerp", "mean_square", "moments", "update"]

BLOCK = 1 << 15  # elements that are worked on at a time: with states and scratch they fit the cache
SMALL = 1 << 16  # up to this size parameters are gathered
FLAT = 1 << 18  # and no more than this many elements together

UPDATES: dict[str, Update] = {}
_ARRAY = attrgetter("_a")


class Update:
    """The arithmetic of an algorithm: a reference on blocks, and kernels from outside that take whole lists.

    A kernel in ``table[device type, NumPy dtype]`` is called ``kernel(params, grads, states, maximize=..., l2=...,
    **settings)`` with lists of raw arrays (states: one list per state name) and changes params and states in place; one
    that returns NotImplemented declines, and the reference serves.
    """

    def __init__(self, reference: Callable[..., None], optional: dict[str, str]) -> None:
        code = reference.__code__
        count = code.co_argcount
        self.name, self.reference, self.optional = reference.__name__, reference, optional
        self.states, self.settings = code.co_varnames[5:count], code.co_varnames[count : count + code.co_kwonlyargcount]
        self.table = update_table(self.name)
        UPDATES[self.name] = self


def update(**optional: str) -> Callable[[Callable[..., None]], Update]:
    """Make an Update of ``f(np, p, g, t, u, states..., *, settings...)``, which changes the block p and the states in place.

    np is the array module; t and u are scratch. g is the gradient, negated and with ``l2 · p`` added where that is asked
    for; it must not be changed. The function's parameters name the states and settings; ``optional`` says of which
    setting of a group it depends whether a state is kept.
    """
    return partial(Update, optional=optional)


def lerp(np: Any, a: Any, b: Any, weight: float, t: Any) -> None:
    """Move a towards b by this part of the way, computed from the nearer end."""
    np.subtract(b, a, out=t)
    if weight < 0.5:
        t *= weight
        a += t
    else:
        t *= 1 - weight
        np.subtract(b, t, out=a)


def mean_square(np: Any, a: Any, g: Any, keep: float, t: Any) -> None:
    """The running mean of squares: a = keep · a + (1 - keep) g²."""
    np.multiply(g, g, out=t)
    t *= 1 - keep
    a *= keep
    a += t


def moments(np: Any, p: Any, g: Any, t: Any, mean: Any, square: Any, beta1: float, beta2: float, decay: float) -> None:
    """What Adam's kin begin with: the decay of p by a factor, and the running means of the gradient and of its square."""
    if decay != 1:
        p *= decay
    lerp(np, mean, g, 1 - beta1, t)
    mean_square(np, square, g, beta2, t)


def _real(a: Any) -> Any:
    """A complex array as real numbers, which is how complex parameters are updated."""
    return a.view(np.dtype(f"f{a.dtype.itemsize // 2}")) if a.dtype.kind == "c" else a


class Bunch:
    """Parameters that are updated as one.

    states: their dicts; names: the tensors kept in them, None for each that the algorithm has and the group does without;
    counts: the counters' names, values and types; start: the first values of states that do not begin with zeros.
    """

    def __init__(self, params: list[Any], states: list[dict[str, Any]], names: list[Any], counts: Any, start: dict[str, Any]) -> None:
        first = params[0]._a
        self.params, self.states, self.names = params, states, [name for name in names if name is not None]
        self.fresh = _fresh(states[0], self.names) if states else True
        self.arrays = [p._a for p in params]
        self.np, self.kind, self.device = xp(first), first.dtype, device_of(first).type
        self.box: list[Any] = [0, 0, None, None]  # the version box of all states: a change from outside is seen here
        self.gathered = len(params) > 1 or not first.flags.c_contiguous
        self.bounds = np.cumsum([0] + [a.size for a in self.arrays]).tolist()
        self.kept: tuple[list[Any], list[str], list[Any]] = ([], [], [])  # a dict of states, a name, what was put there
        self.counts = {}
        for name, value, kind in counts:
            row = self.counts[name] = np.full(len(params), value, kind)
            self._give(name, [row[i : i + 1].reshape(()) for i in range(len(params))])
        self.flats = [None if name is None else self._flat_state(name, start.get(name, 0)) for name in names]
        self.blocks: list[Any] = []  # laid out when first needed: kernels do without, and the buffers are as large as the parameters

    def _give(self, name: str, views: list[Any]) -> None:
        """Put a state into the parameters' dicts."""
        for state, view in zip(self.states, views, strict=True):
            state[name] = wrap(view, None, self.box)
            for column, value in zip(self.kept, (state, name, state[name]), strict=True):
                column.append(value)

    def _views(self, flat: Any) -> list[Any]:
        """A flat array's parts, each in its parameter's shape."""
        return [flat[i:j].reshape(a.shape) for (i, j), a in zip(pairwise(self.bounds), self.arrays, strict=True)]

    def _flat_state(self, name: str, start: Any) -> Any:
        """One flat array of a state, holding what the parameters had so far."""
        had = [state.get(name) for state in self.states]
        if not self.gathered and had[0] is not None:
            a = had[0]._a
            if a.flags.c_contiguous and a.dtype == self.kind and a.shape == self.arrays[0].shape:
                self._give(name, [a])
                return a.reshape(-1)
        flat = self.np.full(self.bounds[-1], complex(start, start) if self.kind.kind == "c" else start, self.kind)
        views = self._views(flat)
        for view, old in zip(views, had, strict=True):
            if old is not None:
                view[...] = old._a
        self._give(name, views)
        return flat

    def _lay_out(self) -> None:
        """Cut everything, seen as real numbers, into blocks: (place, p, g, t, u, *states), g being a buffer."""
        total, wide = self.bounds[-1], 2 if self.kind.kind == "c" else 1
        size = max(total, 1) if self.device != "cpu" else min(BLOCK, max(total, 1))
        p = self.np.empty(total, self.kind) if self.gathered else self.arrays[0].reshape(-1)
        g, t, u = (self.np.empty(n, self.kind) for n in (total if self.gathered else size, size, size))
        if self.gathered:
            self.p_views, self.g_views = self._views(p), self._views(g)
        p, g, t, u = (_real(a) for a in (p, g, t, u))
        flats = [a if a is None else _real(a) for a in self.flats]
        for i in range(0, total * wide, size * wide):
            place = slice(i, min(i + size * wide, total * wide))
            scratch = slice(0, place.stop - i)
            states = [a if a is None else a[place] for a in flats]
            self.blocks.append((place, p[place], g[place if self.gathered else scratch], t[scratch], u[scratch], *states))

    def intact(self, state: dict[Any, Any]) -> bool:
        """Whether arrays and states are still those that were laid out."""
        dicts, names, tensors = self.kept
        return not (
            self.box[1]
            or any(map(is_not, map(_ARRAY, self.params), self.arrays))
            or any(map(is_not, map(state.get, self.params), self.states))
            or any(map(is_not, map(dict.get, dicts, names), tensors))
        )

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
        np_, gathered, l2, copy = self.np, self.gathered, settings.pop("l2"), self.np.copyto
        if not self.blocks:
            self._lay_out()
        if gathered:
            for view, a in zip(self.p_views, self.arrays):
                copy(view, a)
            for view, a in zip(self.g_views, grads):
                copy(view, a)
        else:
            flat = _real(np_.ascontiguousarray(grads[0]).reshape(-1))
        for place, p, buffer, t, u, *states in self.blocks:
            g = buffer if gathered else flat[place]
            if maximize:
                g = np_.negative(g, out=buffer)
            if l2 != 0:
                np_.multiply(p, l2, out=t)
                g = np_.add(g, t, out=buffer)
            reference(np_, p, g, t, u, *states, **settings)
        if gathered:
            for a, view in zip(self.arrays, self.p_views):
                copy(a, view)

    def _by_kernel(self, kernel: Callable[..., Any], grads: list[Any], maximize: bool, settings: dict[str, Any]) -> bool:
        states = [[state[name]._a for state in self.states] for name in self.names]
        return kernel(self.arrays, grads, states, maximize=maximize, **settings) is not NotImplemented


class Layout:
    """The bunches of a group's parameters, and those that had no gradient so far."""

    def __init__(self, params: list[Any], rule: Update, group: dict[str, Any]) -> None:
        self.params, self.optional = list(params), {setting: bool(group[setting]) for setting in rule.optional.values()}
        absent = [name for name, setting in rule.optional.items() if not group[setting]]
        self.names = [None if name in absent else name for name in rule.states]
        self.plain = [name for name in rule.settings if name in group and name != "lr"]  # what the rule takes as it stands
        self.bunches: list[Bunch] = []
        self.idle = list(params)

    def serves(self, params: list[Any], group: dict[str, Any]) -> bool:
        """Whether the group's parameters, and the states that they have, are still those of this layout."""
        for setting, wanted in self.optional.items():
            if bool(group[setting]) is not wanted:
                return False
        return len(params) == len(self.params) and not any(map(is_not, params, self.params))

    def ready(self, optimizer: MultiTensorOptimizer, group: dict[str, Any]) -> list[tuple[Bunch, list[Any]]]:
        """The bunches that have gradients, with them; regrouped where need be."""
        found, kept = [], []
        self.sparse: list[Any] = []  # the parameters whose gradient is sparse: others update them
        for bunch in self.bunches:
            grads, missing = _grads(bunch.params, self.sparse)
            if missing == len(grads):
                kept.append(bunch)
            elif missing or not bunch.intact(optimizer.state):
                self.idle += bunch.params
            else:
                kept.append(bunch)
                found.append((bunch, grads))
        if self.idle:
            grads, missing = _grads(self.idle, self.sparse)
            if missing < len(grads):
                ready = [p for p, g in zip(self.idle, grads, strict=True) if g is not None]
                self.idle = [p for p, g in zip(self.idle, grads, strict=True) if g is None]
                fresh = self._arrange(ready, optimizer.state, optimizer._start(group))
                kept += fresh
                found += [(bunch, _grads(bunch.params, [])[0]) for bunch in fresh]
        self.bunches = kept
        return found

    def _arrange(self, params: list[Any], state: Any, start: dict[str, Any]) -> list[Bunch]:
        """Group parameters by type, device and counters; a large one stays alone."""
        counters = [name for name in start if name not in self.names]
        keeps = bool(counters or any(self.names))
        made: list[tuple[Any, list[Any]]] = []
        last: dict[Any, list[Any]] = {}  # the bunch of small ones that is being filled, and the elements for which it has room
        room: dict[Any, int] = {}
        for p in params:
            own, size = state[p] if keeps else {}, p._a.size
            counts = tuple((name, *_count(own.get(name), start[name])) for name in counters)
            key = (p._a.dtype, str(device_of(p._a)), counts, _fresh(own, self.names))
            if size > SMALL:
                made.append((key, [p]))
            elif size <= room.get(key, -1):
                last[key].append(p)
                room[key] -= size
            else:
                last[key], room[key] = [p], FLAT - size
                made.append((key, last[key]))
        return [Bunch(ps, [state[p] for p in ps if keeps], self.names, key[2], start) for key, ps in made]


def _fresh(state: dict[str, Any], names: list[Any]) -> bool:
    """Whether no step was taken yet."""
    return all(state.get(name) is None for name in names)


def _count(had: Any, start: float) -> tuple[float, Any]:
    """A counter's value and type: what it was, or the start in the default type."""
    return (start, counter_type()) if had is None else (float(had._a), had._a.dtype)


def _grads(params: Sequence[Any], sparse: list[Any]) -> tuple[list[Any], int]:
    """The raw gradients, None where there is none, and how often that is; parameters of which it is sparse are added to `sparse`."""
    found: list[Any] = []
    missing = 0
    for p in params:
        n = p._n
        g = n.grad if n.__class__ is Leaf else p.grad
        if g is None:
            missing += 1
            found.append(None)
        elif g.__class__ is not Tensor and g.is_sparse:
            missing += 1
            found.append(None)
            sparse.append(p)
        else:
            found.append(g._a)
    return found, missing


class MultiTensorOptimizer(Optimizer):
    """An optimizer whose update is elementwise: a subclass names its `rule`, and computes what that takes beyond the group's settings."""

    rule: Update

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        fused, differentiable = defaults.get("fused"), defaults["differentiable"]
        name = type(self).__name__
        if fused and differentiable:
            raise UnsupportedError(name, "`fused` does not support `differentiable`")
        if fused and defaults["foreach"]:
            raise UnsupportedError(name, "`fused` and `foreach` cannot be `True` together.")
        if differentiable:
            what = "differentiable=True is not supported"
            raise UnsupportedError(name, what, "steps are not recorded", "write the update with ops on tensors, or use autograd.grad")
        super().__init__(params, defaults)
        if fused and not all(p.is_floating_point() for p in self._every()):
            raise UnsupportedError(name, "`fused=True` requires all the params to be floating point Tensors")

    def _start(self, group: dict[str, Any]) -> dict[str, float]:
        """The counters, and the states that do not begin with zeros, each with its first value."""
        return {"step": 0.0}

    def _rates(self, group: dict[str, Any], lr: float, step: int, bunch: Bunch) -> dict[str, Any]:
        """What the rule takes beyond the group's settings; step is the number of this step, from 1."""
        return {"lr": lr}

    def _settings(self, group: dict[str, Any], bunch: Bunch, plain: list[str]) -> dict[str, Any]:
        """Count the step; what the rule takes: settings of the group, as they stand or taken apart, and its rates."""
        step, lr, decay = 0, number(group["lr"]), number(group.get("weight_decay", 0))
        if "step" in bunch.counts:
            bunch.counts["step"] += 1
            step = bunch.counts["step"].item(0)
        settings = {name: group[name] for name in plain}
        if "betas" in group:
            settings["beta1"], settings["beta2"] = group["betas"]
        if "decoupled_weight_decay" in group:
            decoupled = group["decoupled_weight_decay"]
            settings["decay"], decay = (1 - lr * decay, 0) if decoupled else (1, decay)
        settings.update(self._rates(group, lr, step, bunch), l2=decay)
        return settings

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient; ``closure`` evaluates the loss anew and its value is returned."""
        loss = None if closure is None else self._evaluate(closure)
        for i, group in enumerate(self.param_groups):
            params = group["params"]
            layouts = self._layouts.get(i, ())
            if len(layouts) != 1 or not layouts[0].serves(params, group):
                layouts = self._layouts[i] = [Layout(part, self.rule, group) for part in _once_each(params)]
            for layout in layouts:
                ready = layout.ready(self, group)
                if layout.sparse:
                    of_plugin("step")(self, group, dict.fromkeys(layout.sparse))
                for bunch, grads in ready:
                    bunch.run(self.rule, grads, group["maximize"], self._settings(group, bunch, layout.plain))
        return loss


def _once_each(params: list[Any]) -> list[list[Any]]:
    """Split a list in which parameters may be repeated into lists without repetition."""
    parts: list[dict[Any, None]] = [{}]
    for p in params:
        if all(p in part for part in parts):
            parts.append({})
        next(part for part in parts if p not in part)[p] = None
    return [list(part) for part in parts]
