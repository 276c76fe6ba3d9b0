"""Averages over windows, which are called in several ways: made alike, so that runs at different sizes make the same calls."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from dovetail.graph import Graph, Value

__all__ = ["PAIR", "RULES", "by_rule", "settle", "window_counts"]

#: The calls that adaptive averages make: windows where the sizes divide.
PAIR = {"avg_pool", "resample"}

#: How the elements of a window at the border are counted, and whether those of the padding are among them.
RULES = {"without padding": False, "with padding": True}


def window_counts(window: Any, spatial: Sequence[int], padding: bool) -> Any:
    """How many elements each window holds, with or without those of the padding; what lies beyond it never counts."""
    total: Any = np.ones(())
    for n, k, s, p, o in zip(spatial, window.kernel, window.stride, window.padding, window.outs, strict=True):
        spans = [(i * s - p, min(i * s - p + k, n + p)) for i in range(o)]
        total = np.multiply.outer(total, [b - a if padding else min(b, n) - max(a, 0) for a, b in spans])
    return total


def by_rule(graph: Graph) -> None:
    """Put the name of a rule in the place of a constant of counts, which there is at some sizes only."""
    named = set()
    for call in graph.calls:
        count = call.args.get("count") if call.op == "avg_pool" else None
        if isinstance(count, Value) and count.kind == "constant" and count.tensor is not None:
            window, spatial = call.args["window"], call.args["input"].shape[2:]
            given = np.broadcast_to(count.tensor.numpy(), window.outs)
            found = [r for r, padding in RULES.items() if np.array_equal(given, window_counts(window, spatial, padding))]
            if found:
                call.args["count"] = found[0]
                named.add(id(count))
    read = {id(v) for call in graph.calls for v in call.inputs()}
    graph.captured[:] = [v for v in graph.captured if id(v) not in named or id(v) in read]


def settle(graphs: list[Graph]) -> None:
    """Where runs call averages in two ways, write them all in one.

    Adaptive averages are windows where the sizes divide; windows are all of one size where the sizes fit.
    """
    for calls in zip(*(g.calls for g in graphs), strict=True):
        spec = next((c.args["specs"][0] for c in calls if c.op == "resample"), None)
        rule = next((c.args["count"] for c in calls if c.op == "avg_pool" and isinstance(c.args["count"], str)), None)
        for call in calls:
            if call.op == "avg_pool" and spec is not None:
                sizes, outs = call.args["input"].shape[2:], call.args["window"].outs
                call.args = {
                    "input": call.args["input"],
                    "specs": tuple(spec._replace(kind="mean", size=n, out=m, factor=None) for n, m in zip(sizes, outs, strict=True)),
                    "transposed": False,
                }
                call.op, call.promotes = "resample", None
            elif rule is not None and call.args["count"] == math.prod(call.args["window"].kernel):
                call.args["count"] = rule
