"""The compiled twin of the core's op calls: handed its parts, it serves calls and backward() (``DOVETAIL_TWIN=0`` leaves it out)."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from typing import Any

import numpy as np

from dovetail.autograd import engine
from dovetail.graph import raw
from dovetail.nn import Parameter

from . import _native

__all__ = ["make"]


def make() -> dict[str, Any]:
    """Give the compiled functions by the names of those that they stand for; none where NumPy hides what it needs."""
    variable = getattr(raw.hush, "__self__", None)
    if raw.IGNORE is None or variable is None:
        return {}
    calls = _native.twin({
        "Tensor": raw.Tensor, "Parameter": Parameter, "Node": raw.Node, "Leaf": raw.Leaf, "Plan": raw.Plan, "state": raw.STATE,
        "clock": raw.tick.__self__, "variable": variable, "ignore": raw.IGNORE, "one": raw.one, "two": raw.two, "dispatch": raw.dispatch,
        "view_of": raw.view_of, "finish_many": raw.finish_many, "array": raw.array, "afresh": raw.afresh, "share": raw.share,
        "note_view": raw.note_view, "late": engine.late, "go": raw.Walk.go, "finish": raw.Walk.finish, "freed": engine.freed,
        "stale": engine.stale, "after": engine.after, "fitted": engine.fitted,
    })  # fmt: skip
    return {**calls, "product": product, "transformed": _native.box_muller, "blocks": blocks, **{name: _or_python(name) for name in _DRAWS}}


_DRAWS = ("below", "doubles", "exchanged", "fractions", "scaled")  # what is done to random draws; each gives None where it is Python's


def _or_python(name: str) -> Callable[..., Any]:
    """The native function of that name, and the core's where it gives none."""
    native, python = getattr(_native, name), getattr(raw, name)

    def serve(*arguments: Any) -> Any:
        out = native(*arguments)
        return python(*arguments) if out is None else out

    return wraps(python)(serve)


def product(a: Any, b: Any) -> Any:
    """The product of two arrays of matrices, whose type is the same."""
    out = _native.matmul(a, b) if a.__class__ is b.__class__ is np.ndarray else NotImplemented
    return a @ b if out is NotImplemented else out


@cache
def _lies_as_known() -> bool:
    """Whether NumPy keeps the state of its Mersenne Twister as it does today: the key, and the place of the next draw."""
    from numpy.random import MT19937  # here an engine was made, and it costs nothing more

    engine = MT19937(5)
    engine.random_raw(3)
    key, place = _native.twister(engine.ctypes.state_address)
    told = engine.state["state"]
    return bool(place == told["pos"] and np.array_equal(key, told["key"]))


def blocks(engine: Any, draw: Any, count: int) -> Any:
    """The next ``count`` blocks of 624 draws, where NumPy's engine has none left of a block."""
    out = _native.blocks(engine.ctypes.state_address, count) if _lies_as_known() else None
    return raw.blocks(engine, draw, count) if out is None else out
