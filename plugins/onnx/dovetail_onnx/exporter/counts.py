"""Runs in which as many rows are found as we say: masks, nonzero and detections give sizes that are no constants."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dovetail as dv
from dovetail.graph.raw import observing

__all__ = ["RULES", "counting", "varies"]

#: How many rows there are to be where so many were found: few, and about as many.
RULES: tuple[Callable[[int], int], ...] = (lambda n: 2 if n > 2 else n + 1, lambda n: n - 1 if n > 3 else n + 2)


def varies(op: str, indices: Any = None) -> bool:
    """Whether values decide how many rows a result has, as the lowering of the op says; an index does so where it is one mask."""
    from dovetail import plugins

    if op == "index" and not (len(indices) == 1 and indices[0].dtype is dv.bool):
        return False
    key = f"{op}@onnx"
    return key in plugins.lowerings and getattr(plugins.lowerings.load(key), "varies", False)


def counting(rule: Callable[[int], int]) -> Any:
    """A block in which these ops give other numbers of rows; a trace begun inside it records them so."""
    return observing(_Rows(rule))


class _Rows:
    """The observer: rows are left out at the end, or the last ones repeated."""

    def __init__(self, rule: Callable[[int], int]) -> None:
        self.rule = rule

    def __call__(self, op: Any, args: Any, run: Callable[[], Any]) -> Any:
        out = run()
        if not varies(op.name, args[2] if op.name == "index" else None):
            return out
        wanted = self.rule(out.shape[0])
        spare = out[-1:] if out.shape[0] else dv.zeros((1, *out.shape[1:]), dtype=out.dtype)
        return out[:wanted].clone() if wanted <= out.shape[0] else dv.cat([out, *[spare] * (wanted - out.shape[0])])
