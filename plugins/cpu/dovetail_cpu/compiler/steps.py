"""The steps of a recorded run: raw kernel calls on numbered registers."""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import Any

import numpy as np

from dovetail.graph.raw import IMAGES, afresh, array, explain, lowered, raised

__all__ = ["Step", "bound", "cast_to", "raw_call"]

_NDARRAY = np.ndarray
_LARGE = 1 << 18  # bytes: from here on an array is let go as soon as nothing reads it any more


class Step:
    """One kernel call: what runs, the registers that it reads and those that it fills. `effect` is kept whatever needs it."""

    __slots__ = ("effect", "function", "ins", "name", "outs")

    def __init__(self, name: str, function: Callable[..., Any], ins: list[int], outs: list[int], effect: bool = False) -> None:
        self.name, self.function, self.ins, self.outs, self.effect = name, function, ins, outs, effect

    def bound(self) -> Callable[[list[Any]], None]:
        """The step as a function of the registers."""
        f, ins = self.function, self.ins
        if len(self.outs) != 1:
            outs = self.outs

            def many(r: list[Any]) -> None:
                for o, v in zip(outs, f(*[r[i] for i in ins]), strict=True):
                    r[o] = v

            return many
        out = self.outs[0]
        if len(ins) == 1:
            (i,) = ins

            def one(r: list[Any]) -> None:
                r[out] = f(r[i])

            return one
        if len(ins) == 2:
            i, j = ins

            def two(r: list[Any]) -> None:
                r[out] = f(r[i], r[j])

            return two
        get = itemgetter(*ins) if ins else lambda r: ()

        def more(r: list[Any]) -> None:
            r[out] = f(*get(r))

        return more


def cast_to(a: Any, dtype: Any) -> Any:
    """The array in this type: itself where it has it."""
    return a if a.dtype is dtype else a.astype(dtype)


def raw_call(op: Any, impl: Any, shapes: list[Any], low: Any) -> Callable[..., Any]:
    """An op's raw call as `dispatch` makes it: lists put together, half types raised, declined calls, errors explained."""
    forward, reference, saves = impl.forward, op.reference.forward, bool(op.saves)
    single, fresh = op.n_outputs == 1 and not saves, op.contiguous
    own = impl is not op.reference and impl.rules is not op.reference.rules

    def call(*raw: Any) -> Any:
        if low is not None:
            raw = tuple(raised(list(raw)))
        try:
            out = forward(*raw)
            if out is NotImplemented:
                if own:
                    raise RuntimeError(f"{op.name}: the kernel that served when the function was compiled declines the call")
                out = reference(*raw)
        except (ValueError, IndexError, MemoryError, TypeError, AttributeError) as error:
            explain(op, error, raw)
            raise
        if single:
            if out.__class__ is not _NDARRAY:
                out = array(out)
            if fresh and (fresh in IMAGES or not out.flags.c_contiguous):
                out = afresh(out, fresh, raw)
            return out if low is None else lowered(out, low)
        first = ([out[0]] if op.n_outputs == 1 else list(out[0])) if saves else list(out)
        first = [o if o.__class__ is _NDARRAY else array(o) for o in first]
        if fresh:
            first = [afresh(o, fresh, raw) for o in first]
        if low is not None:
            first = [lowered(o, low) for o in first]
        return [*first, *out[1:]] if saves else first

    if all(s is None for s in shapes):
        return call

    def gathered(*flat: Any) -> Any:
        raw, at = [], 0
        for s in shapes:
            if s is None:
                raw.append(flat[at])
                at += 1
            else:
                raw.append(s[1](flat[at : at + s[0]]))
                at += s[0]
        return call(*raw)

    return gathered


def bound(steps: list[Step], tape: Any, keep: set[int], at: dict[int, int]) -> list[Callable[[list[Any]], None]]:
    """The steps as functions of the registers, which `at` numbers anew; large arrays that are not to be kept are let go early."""
    last = {i: k for k, s in enumerate(steps) for i in (*s.ins, *s.outs)}
    dead: dict[int, list[int]] = {}
    for i, k in last.items():
        if i not in keep and i not in tape.fixed and getattr(tape.arrays[i], "nbytes", _LARGE) >= _LARGE:
            dead.setdefault(k, []).append(i)
    found: list[Callable[[list[Any]], None]] = []
    for k, s in enumerate(steps):
        found.append(Step(s.name, s.function, [at[i] for i in s.ins], [at[i] for i in s.outs]).bound())
        if k in dead:
            found.append(_drop([at[i] for i in dead[k]]))
    return found


def _drop(registers: list[int]) -> Callable[[list[Any]], None]:
    def drop(r: list[Any]) -> None:
        for i in registers:
            r[i] = None

    return drop
