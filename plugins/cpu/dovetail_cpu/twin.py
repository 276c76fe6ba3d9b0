"""The compiled twin of the core's op calls: handed its parts, it serves calls and backward() (``DOVETAIL_TWIN=0`` leaves it out)."""

from __future__ import annotations

from typing import Any

from dovetail.autograd import engine
from dovetail.graph import raw
from dovetail.nn import Parameter

from . import _native

__all__ = ["make"]
_BLOCK, _MANY = 624, 32  # words of a Mersenne Twister's block; blocks that are worth a copy of its state


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
    draws = {
        "blocks": blocks,
        "fractions": fractions,
        "fractions53": fractions53,
        "transformed": _native.box_muller,
        "exchanged": exchanged,
    }
    return {**calls, **draws, "kept": kept}


def blocks(engine: Any, draw: Any, count: int) -> Any:
    """The draws of a Mersenne Twister's next blocks: many at once by vectors, on a copy of its state."""
    state = engine.state if count >= _MANY else {"state": {"pos": 0}}
    if state["state"]["pos"] != _BLOCK:
        return raw.blocks(engine, draw, count)
    words = _native.twisted(state["state"]["key"], count)
    engine.state = state
    return words


def exchanged(n: int, words: Any) -> Any:
    """The permutation that ``randperm`` makes of its draws."""
    out = _native.exchanged(n, words)
    return raw.exchanged(n, words) if out is None else out


def fractions(words: Any) -> Any:
    """Draws as numbers of [0, 1)."""
    out = _native.fractions(words)
    return raw.fractions(words) if out is None else out


def fractions53(words: Any) -> Any:
    """Pairs of draws as numbers of [0, 1), in float64."""
    out = _native.fractions53(words)
    return raw.fractions53(words) if out is None else out


def kept(input: Any, mask: Any, scale: float) -> Any:
    """What a mask leaves of an array, scaled."""
    out = _native.kept(input, mask, scale)
    return raw.kept(input, mask, scale) if out is None else out
