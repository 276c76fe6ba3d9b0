"""The compiled twin of the core's op calls: handed its parts, it serves calls and backward() (``DOVETAIL_TWIN=0`` leaves it out)."""

from __future__ import annotations

from typing import Any

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
    return {**calls, "transformed": _native.box_muller, "exchanged": exchanged, "fractions": fractions}


def exchanged(n: int, words: Any) -> Any:
    """The permutation that ``randperm`` makes of its draws."""
    out = _native.exchanged(n, words)
    return raw.exchanged(n, words) if out is None else out


def fractions(words: Any) -> Any:
    """Draws as numbers of [0, 1)."""
    out = _native.fractions(words)
    return raw.fractions(words) if out is None else out
