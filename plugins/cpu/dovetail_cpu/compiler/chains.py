"""Chains of functions that work element by element, each put together into one call of the native interpreter of chains.

A chain that follows a product of matrices runs on each part of the product as soon as it is finished, in the same call (its epilogue).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from heapq import heapify, heappop, heappush
from typing import Any

import numpy as np

from .. import _native
from .steps import Step

__all__ = ["fused"]

from .tape import Tape

_SMALL = 1 << 14  # bytes: up to here the kept results of a chain lie in one array
_NAMES = {True: frozenset(_native.chain.functions(True)), False: frozenset(_native.chain.functions(False))}
_TYPES = (np.dtype(np.float32), np.dtype(np.float64))
_PRODUCTS = ("linear", "matmul", "matmul_nt", "matmul_tn")  # that the native module can follow with a chain


class _Unit:
    """A step, or several that may become one: what it reads, and as a bit mask which units must run before it."""

    def __init__(self, at: int, first: int, kind: Any) -> None:
        self.at, self.first, self.kind = at, first, kind
        self.steps: list[Step] = []
        self.product = False  # the first step is a product of matrices, which the chain of the others follows
        self.before = 0
        self.made: set[int] = set()

    def chain(self) -> list[Step]:
        """The steps that work element by element."""
        return self.steps[self.product :]


def fused(steps: list[Step], tape: Tape, own: set[int], kept: Iterable[int] = ()) -> tuple[list[Step], list[str]]:
    """The steps with chains joined, and a line for each chain.

    `own` are the registers that must hold arrays of their own; `kept` those that only other lists read: they may become rows of one array,
    which ``tape.rows`` notes.
    """
    units = _grouped(steps, tape)
    outside: dict[int, set[int]] = {}
    for u in units:
        for s in u.steps:
            for i in s.ins:
                if i not in u.made:
                    outside.setdefault(i, set()).add(u.at)
    found, lines = [], []
    for u in _ordered(units):
        if len(u.steps) < 2:
            found += u.steps
            continue
        made = [s.outs[0] for s in u.chain()]
        results = [o for o in made if o in own or o in outside]
        rows = [o for o in made if o in kept and o not in results]
        if len(rows) == 1 or (rows and tape.arrays[rows[0]].nbytes > _SMALL):
            results, rows = results + rows, []
        first = u.steps[0].outs[0]  # of a product: is it wanted for itself?
        found.append(_joined(u, tape, results, rows, first in own or first in outside or first in kept))
        names = [s.name for s in u.steps]
        lines.append(" + ".join(names) if len(names) < 8 else f"{' + '.join(names[:3])} + … ({len(names)} ops)")
    return _with_rows(found, tape, own), lines


def _with_rows(steps: list[Step], tape: Tape, own: set[int]) -> list[Step]:
    """Before a step that reads a row of another list's array: taking it out."""
    made, out = {o for s in steps for o in s.outs}, []
    for s in [*steps, Step("", tuple, sorted(own), [])]:
        for i in s.ins if s.name != "chain" else ():
            if i in tape.rows and i not in made:
                shared, row = tape.rows[i]
                out.append(Step("row", _row(row, tape.arrays[i].shape), [shared], [i]))
                made.add(i)
        out.append(s)
    return out[:-1]


def _row(row: int, shape: Any) -> Callable[[Any], Any]:
    return lambda a: a[row].reshape(shape)


def _grouped(steps: list[Step], tape: Tape) -> list[_Unit]:
    units: list[_Unit] = []
    maker: dict[int, _Unit] = {}
    open_groups: list[_Unit] = []
    wall = 0  # the units that all later ones must wait for
    drawn = 0
    for k, s in enumerate(steps):
        needs = wall
        for i in s.ins:
            if i in maker:
                needs |= 1 << maker[i].at
        changes = s.effect and not s.outs
        if changes:
            needs = (1 << len(units)) - 1
            open_groups = []
        elif s.effect:
            needs |= drawn
        kind = None if s.effect else _kind(s, tape)
        unit = _place(needs, kind, s, open_groups, units)
        product = unit is None and _product(s, tape)
        if unit is None:
            unit = _Unit(len(units), k, product or kind)
            units.append(unit)
            if unit.kind is not None:
                open_groups = [*open_groups[-7:], unit]
        needs &= ~(1 << unit.at)
        for other in [u for u in units if needs >> u.at & 1]:
            needs |= other.before
        unit.before |= needs
        bit = 1 << unit.at
        for u in units:
            if u.before & bit:
                u.before |= unit.before
        unit.steps.append(s)
        unit.product = unit.product or bool(product)
        unit.made.update(s.outs)
        for o in s.outs:
            maker[o] = unit
        if changes:
            wall = bit
        if s.effect:
            drawn = bit
    return units


def _place(needs: int, kind: Any, s: Step, groups: list[_Unit], units: list[_Unit]) -> _Unit | None:
    """The newest group that a step can join: none of what the step needs from elsewhere may need the group."""
    for g in reversed(groups):
        if g.kind != kind or kind is None or (g.product and not g.made.intersection(s.ins)):
            continue
        if not any(needs >> u.at & 1 and u.before >> g.at & 1 for u in units if u is not g):
            return g
    return None


def _product(s: Step, tape: Tape) -> Any:
    """Shape and type of a product of matrices that a chain can follow in the same call; None for another step."""
    if s.effect or s.name not in _PRODUCTS or len(s.outs) != 1 or len(s.ins) != (3 if s.name == "linear" else 2):
        return None
    out, arrays = tape.arrays[s.outs[0]], [tape.arrays[i] for i in s.ins]
    if out.__class__ is not np.ndarray or not out.size or not out.flags.c_contiguous or out.dtype not in _TYPES:
        return None
    if any(a is not None and (a.__class__ is not np.ndarray or a.dtype is not out.dtype) for a in arrays) or arrays[1].ndim != 2:
        return None
    return out.shape, out.dtype


def _kind(s: Step, tape: Tape) -> Any:
    """Shape and type of a step that can be part of a chain; None for another."""
    if len(s.outs) != 1:
        return None
    out = tape.arrays[s.outs[0]]
    if out.__class__ is not np.ndarray or not out.size or not out.flags.c_contiguous or out.dtype not in _TYPES:
        return None
    name, operands = _function(s, tape)
    if name not in _NAMES[out.dtype == np.float32]:
        return None
    for i in operands:
        v = tape.arrays[i]
        if i in tape.fixed and v.__class__ is not np.ndarray:
            if v.__class__ not in (int, float) and not isinstance(v, np.floating | np.integer):
                return None
            if np.isfinite(v) and not np.isfinite(out.dtype.type(v)):
                return None
        elif v.__class__ is not np.ndarray or v.dtype is not out.dtype or v.ndim > out.ndim:
            return None
    return out.shape, out.dtype


def _function(s: Step, tape: Tape) -> tuple[str, list[int]]:
    if s.name in ("gelu", "gelu_grad"):
        tanh = tape.arrays[s.ins[-1]] == "tanh"
        return s.name.replace("gelu", "gelu_tanh") if tanh else s.name, s.ins[:-1]
    return s.name, s.ins


def _ordered(units: list[_Unit]) -> list[_Unit]:
    """The units so that each comes after those that it needs, otherwise as they were."""
    waiting = {u.at: bin(u.before).count("1") for u in units}
    ready = [(u.first, u.at) for u in units if not waiting[u.at]]
    heapify(ready)
    out = []
    while ready:
        unit = units[heappop(ready)[1]]
        out.append(unit)
        for u in units:
            if u.before >> unit.at & 1:
                waiting[u.at] -= 1
                if not waiting[u.at]:
                    heappush(ready, (u.first, u.at))
    assert len(out) == len(units)
    return out


def _joined(unit: _Unit, tape: Tape, results: list[int], rows: list[int], keep: bool) -> Step:
    """One step for a group: the program of the chain, with places for operands, constants, temporaries and results.

    `keep` says that the product of matrices which the chain follows is a result too.
    """
    shape, dtype = unit.kind
    steps = unit.chain()
    arguments, operands, constants = _operands(steps, tape)
    outs = [*rows, *results]
    temporary, count = _temporaries(steps, tape, {*outs})
    place = {i: k for k, i in enumerate([*operands, *constants])}
    first = len(place)
    place.update({o: first + t for o, t in temporary.items()})
    place.update({o: first + count + k for k, o in enumerate(outs)})
    code = []
    for s in steps:
        name, ins = _function(s, tape)
        code.append((name, place[s.outs[0]], place[ins[0]], place[ins[-1]]))
    kinds = [*range(len(rows)), *[-1] * len(results)]
    native = _native.chain(code, list(constants.values()), list(operands.values()), count, kinds, list(shape), dtype == np.float32)
    slots = list(results)
    if rows:
        shared = tape.new(None)
        tape.rows.update({r: (shared, k) for k, r in enumerate(rows)})
        slots.insert(0, shared)
    base = {i: tape.base[i] for s in steps for i in s.ins if i in tape.fixed}

    def call(*arrays: Any) -> Any:
        found = native(*arrays)
        if found is not NotImplemented:
            return found
        known = dict(base)  # one by one, where operands lie as the chain cannot read them
        for i, (at, row) in operands.items():
            known[i] = arrays[at] if row < 0 else arrays[at][row].reshape(shape)
        for s in steps:
            known[s.outs[0]] = s.function(*[known[i] for i in s.ins])
        made = [np.stack([known[r].reshape(-1) for r in rows])] if rows else []
        made += [known[r] for r in results]
        return made if len(made) > 1 else made[0]

    if not unit.product:
        return Step("chain", call, arguments, slots)
    first = unit.steps[0]
    place, many = arguments.index(first.outs[0]), len(first.ins)
    name, after = first.name, native.after

    def both(*arrays: Any) -> Any:
        found = after(name, place, keep, *arrays)
        if found is not NotImplemented:
            return found
        rest, made = arrays[many:], first.function(*arrays[:many])
        found = call(*rest[:place], made, *rest[place:])
        return [made, *(found if found.__class__ is list else [found])] if keep else found

    return Step("product", both, [*first.ins, *arguments[:place], *arguments[place + 1 :]], [first.outs[0], *slots] if keep else slots)


def _operands(steps: list[Step], tape: Tape) -> tuple[list[int], dict[int, tuple[int, int]], dict[int, float]]:
    """The registers that a group is called with, what it reads of them (argument, and row or -1), and its constants."""
    arguments: list[int] = []
    operands: dict[int, tuple[int, int]] = {}
    constants: dict[int, float] = {}
    made = {o for s in steps for o in s.outs}
    for i in dict.fromkeys(i for s in steps for i in _function(s, tape)[1] if i not in made):
        if i in tape.fixed and tape.arrays[i].__class__ is not np.ndarray:
            constants[i] = float(tape.arrays[i])
            continue
        source, row = tape.rows.get(i, (i, -1))
        if source not in arguments:
            arguments.append(source)
        operands[i] = (arguments.index(source), row)
    return arguments, operands, constants


def _temporaries(steps: list[Step], tape: Tape, outs: set[int]) -> tuple[dict[int, int], int]:
    """A place for each value that does not leave the group, used again after the last step that reads it; and how many there are."""
    last = {i: k for k, s in enumerate(steps) for i in s.ins}
    places: dict[int, int] = {}
    free: list[int] = []
    count = 0
    for k, s in enumerate(steps):
        free += [places[i] for i in {*_function(s, tape)[1]} if i in places and last[i] == k]
        out = s.outs[0]
        if out not in outs:
            if not free:
                free.append(count)
                count += 1
            places[out] = free.pop()
            if out not in last:
                free.append(places[out])
    return places, count
