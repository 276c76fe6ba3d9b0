"""Operators that only move elements. Where each comes from is asked of the importer's own operator, on the numbers of the elements."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import dovetail as dv

from ...importer.values import arrays
from ..kernel import Kernel, collapse, strides_of
from ..text import literal, loop, terms
from .table import generator

__all__: list[str] = []

_INDICES = "ijklmnop"


def _origin(k: Kernel, at: int) -> np.ndarray[Any, Any]:
    """For each element of a result the number of the input's element."""
    x = k.needs(0)
    if k.node.call is None:
        raise k.refuse("this form of the operator")
    given: list[Any] = [dv.arange(x.size).reshape(x.shape)]
    for place in range(1, len(k.node.inputs)):
        other = k.constant(place)
        given.append(None if other is None else dv.from_numpy(other.copy()))
    return np.asarray(arrays(k.node.call(*given)[at]))


@generator("DepthToSpace", "Expand", "GatherElements", "GatherND", "Slice", "SpaceToDepth", "Split", "Tile", "Transpose")
def move(k: Kernel) -> None:
    written = [at for at, key in enumerate(k.node.outputs) if key]
    k.title = f"{k.node.op}: {k.needs(0).shape} -> {', '.join(str(k.result(at).shape) for at in written)}"
    k.input(0, "x")
    for number, at in enumerate(written):
        _copy(k, _origin(k, at), k.output(f"y{number}" if len(written) > 1 else "y", at), number)


def _copy(k: Kernel, origin: np.ndarray[Any, Any], target: str, number: int) -> None:
    """Copy by loops where the elements lie evenly in the input, by a table otherwise."""
    shape, start = list(origin.shape), int(origin.reshape(-1)[0])
    steps = [int(np.take(origin, 1, axis).reshape(-1)[0]) - start if size > 1 else 0 for axis, size in enumerate(shape)]
    even = np.full((), start)
    for size, step in zip(shape, steps, strict=True):
        even = even[..., None] + np.arange(size) * step
    if not np.array_equal(even, origin):
        table = k.table(origin.reshape(-1).astype(np.int32), f"at{number}", "places")
        k.add(loop("i", origin.size), f"    {target}[i] = x[{table}[i]];")
        return
    sizes, [source, goal] = collapse(shape, [steps, strides_of(shape, shape)])
    if sizes and source[-1] == 1:
        *sizes, last = sizes
        left, right = terms(target, *zip(_INDICES, goal[:-1], strict=False)), terms("x", *zip(_INDICES, source[:-1], strict=False), start)
        line = f"memcpy({left}, {right}, {last} * sizeof({k.needs(0).ctype}));"
    else:
        line = f"{target}[{terms(*zip(_INDICES, goal, strict=False))}] = x[{terms(*zip(_INDICES, source, strict=False), start)}];"
    k.open(*(loop(_INDICES[at], size) for at, size in enumerate(sizes)))
    k.add(line)
    k.close()


@generator("Concat")
def concat(k: Kernel) -> None:
    y, place = k.result(), 0
    axis = k.attr("axis", 1) % len(y.shape)
    k.title = f"Concat along {axis}: {y.shape}"
    inner = math.prod(y.shape[axis + 1 :])
    names = [(k.input(at, f"x{at}"), k.needs(at).shape[axis] * inner) for at in range(len(k.node.inputs))]
    k.output()
    k.open(loop("i", math.prod(y.shape[:axis])))
    for name, size in names:
        left = terms("y", ("i", y.shape[axis] * inner), place)
        k.add(f"memcpy({left}, {name} + i * {size}, {size} * sizeof({y.ctype}));")
        place += size
    k.close()


@generator("Pad")
def pad(k: Kernel) -> None:
    """A constant around the input, or a copy of it along each axis."""
    x, y, mode = k.needs(0), k.result(), k.attr("mode", "constant")
    k.title = f"Pad ({mode}): {x.shape} -> {y.shape}"
    k.input(0, "x")
    k.output()
    if mode != "constant":
        _copy(k, _origin(k, 0), "y", 0)
        return
    amounts, value, axes, rank = k.constant(1), k.constant(2), k.constant(3), len(x.shape)
    if amounts is None:
        raise k.refuse("pads that are left out")
    dims = list(range(rank)) if axes is None else [int(axis) % rank for axis in axes.reshape(-1)]
    begin = dict(zip(dims, amounts.reshape(-1)[: len(dims)].tolist(), strict=True))
    spans = []  # where the input begins in the output, what of it is cut off, how much is left
    for at, (size, whole) in enumerate(zip(x.shape, y.shape, strict=True)):
        first, skipped = max(begin.get(at, 0), 0), max(-begin.get(at, 0), 0)
        spans.append((first, skipped, min(size - skipped, whole - first)))
    k.add(loop("i", y.size), f"    y[i] = {literal(0 if value is None else value.reshape(-1)[0], x.dtype)};")
    if min(count for _, _, count in spans) <= 0:
        k.add("(void)x;")
        return
    left, right = strides_of(y.shape, y.shape), strides_of(x.shape, x.shape)
    sizes, [goal, source] = collapse([count for _, _, count in spans], [left, right])
    first = sum(span[0] * step for span, step in zip(spans, left, strict=True))
    skipped = sum(span[1] * step for span, step in zip(spans, right, strict=True))
    k.open(*(loop(_INDICES[at], size) for at, size in enumerate(sizes)))
    k.add(f"y[{terms(*zip(_INDICES, goal, strict=False), first)}] = x[{terms(*zip(_INDICES, source, strict=False), skipped)}];")
    k.close()
