"""Lowerings of pooling and interpolation."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

import dovetail as dv

from ..exporter.averages import RULES, window_counts
from ..exporter.sizes import FreeSize, always
from ._common import arange, product, reduce, refuse

__all__: list[str] = []


def _is_short(window: Any, spatial: Any) -> bool:
    """Whether there are more windows than fit: the last one then reaches past the border."""
    for n, k, s, p, d, o in zip(spatial, *window, strict=True):
        usual = (n + 2 * p - d * (k - 1) - 1) // s + 1
        pairs = zip(_values(usual), _values(o), strict=False) if isinstance(usual, FreeSize) or isinstance(o, FreeSize) else [(usual, o)]
        if any(a != b for a, b in pairs):
            return True
    return False


def _values(x: Any) -> Any:
    return x.values if isinstance(x, FreeSize) else itertools.repeat(x)


def _tiled(g: Any, x: Any, window: Any, op: str) -> Any:
    """Windows side by side whose size is free: the dimensions are split, and their second halves reduced."""
    shape: list[Any] = list(x.shape[:2])
    for o, k in zip(window.outs, window.kernel, strict=True):
        shape += [o, k]
    parts = g.Reshape(x, g.sizes(shape))
    parts.shape = tuple(shape)
    return reduce(g, op, parts, tuple(range(3, len(shape), 2)), False)


def max_pool(g: Any, input: Any, window: Any) -> Any:
    if any(isinstance(k, FreeSize) for k in window.kernel):
        return _tiled(g, input, window, "ReduceMax")
    return _max(g, input, window, 1)


def _max(g: Any, x: Any, window: Any, outputs: int) -> Any:
    return g.node(
        "MaxPool", x, kernel_shape=tuple(window.kernel), strides=tuple(window.stride), pads=(*window.padding, *window.padding),
        dilations=tuple(window.dilation), ceil_mode=int(_is_short(window, x.shape[2:])), outputs=outputs,
    )  # fmt: skip


def max_pool_indices(g: Any, input: Any, y: Any, window: Any) -> Any:
    if any(isinstance(k, FreeSize) for k in window.kernel):
        raise refuse(g, "indices of an adaptive pooling over a free dimension", "fix that dimension")
    _, places = _max(g, input, window, 2)
    places.dtype = dv.int64
    return g.Mod(places, g.ref(product(input.shape[2:]), dv.int64))


def avg_pool(g: Any, input: Any, window: Any, count: Any) -> Any:
    if any(isinstance(k, FreeSize) for k in window.kernel):
        return _means(g, input, tuple(zip(input.shape[2:], window.outs, strict=True)), 2)
    full, short = math.prod(window.kernel), _is_short(window, input.shape[2:])
    how = {"kernel_shape": tuple(window.kernel), "strides": tuple(window.stride)}
    pads = (*window.padding, *window.padding)
    fixed = not any(isinstance(n, FreeSize) for n in (*input.shape[2:], *window.outs))
    if not short and isinstance(count, int) and count == full:
        return g.AveragePool(input, pads=pads, count_include_pad=1 if any(pads) else None, **how)
    if not fixed and isinstance(count, int) and not short:
        return g.Mul(g.AveragePool(input, pads=pads, count_include_pad=1 if any(pads) else None, **how), full / count)
    if not fixed and count in RULES:
        return g.AveragePool(input, pads=pads, count_include_pad=int(RULES[count]), ceil_mode=int(short), **how)
    if not fixed:
        raise refuse(g, "windows of an average whose counts follow no rule", "fix that dimension")
    each = zip(input.shape[2:], *window, strict=True)
    extra = [max(0, (o - 1) * s + k - n - 2 * p) for n, k, s, p, _, o in each]
    ends = [p + e for p, e in zip(window.padding, extra, strict=True)]
    padded = g.Pad(input, [0, 0, *window.padding, 0, 0, *ends], g.const(0, input.dtype)) if any((*window.padding, *ends)) else input
    each_holds = window_counts(window, input.shape[2:], RULES[count]) if isinstance(count, str) else np.asarray(count, np.float64)
    return g.Mul(g.AveragePool(padded, **how), g.const(full / each_holds, input.dtype))


def max_of_ranges(g: Any, input: Any, starts: Any, lengths: Any) -> Any:
    """Adaptive maximum: each block's elements side by side, and the largest of them."""
    spatial = input.shape[2:]
    if any(isinstance(n, FreeSize) for n in spatial) or not all(isinstance(s, np.ndarray) and s.ndim == 1 for s in starts):
        raise refuse(g, "adaptive pooling to sizes that do not divide a free dimension", "fix that dimension")
    rows = []
    for tap in np.ndindex(*(max(line) for line in lengths)):
        index: Any = np.zeros((), np.int64)
        for k, (start, length) in enumerate(zip(starts, lengths, strict=True)):
            line = start + np.minimum(tap[k], np.asarray(length) - 1)
            index = index[..., None] * spatial[k] + line
        rows.append(index)
    table = np.stack(rows)
    planes = g.Reshape(input, g.sizes([*input.shape[:2], -1]))
    found = g.Gather(planes, g.const(table), axis=2)  # (N, C, taps, *outs)
    found.shape = (*input.shape[:2], *table.shape)
    places = g.Unsqueeze(g.node("ArgMax", found, axis=2, keepdims=0), [2])
    where = g.Expand(g.const(table[None, None]), g.Shape(found))
    return reduce(g, "ReduceMax", found, 2, False), g.Squeeze(g.GatherElements(where, places, axis=2), [2])


def resample(g: Any, input: Any, specs: Any, transposed: bool) -> Any:
    """Interpolation, and averaging to a size that does not divide."""
    if transposed:
        raise refuse(g, "the gradient of an interpolation")
    lead = input.ndim - len(specs)
    if any(s.kind == "mean" for s in specs):
        return _means(g, input, [(n, s.out) for n, s in zip(input.shape[lead:], specs, strict=True)], lead)
    spec = next((s for s in specs if not (always(s.size, s.out) and s.factor is None)), specs[0])
    how: dict[str, Any] = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    if spec.kind == "nearest-exact":
        how |= {"coordinate_transformation_mode": "half_pixel", "nearest_mode": "round_prefer_ceil"}
    elif spec.kind in ("linear", "cubic"):
        mode = "align_corners" if spec.align_corners else "half_pixel"
        how = {"mode": spec.kind, "coordinate_transformation_mode": mode}
        if spec.kind == "cubic":
            how["cubic_coeff_a"] = -0.5 if spec.antialias else -0.75
    elif spec.kind != "nearest":
        raise refuse(g, f"interpolation of kind {spec.kind!r} has no counterpart in ONNX")
    if spec.antialias:
        if g.opset < 18:
            raise refuse(g, f"antialiasing needs opset 18, got {g.opset}", "export with a newer opset")
        how |= {"antialias": 1, "exclude_outside": 1}
    if any(s.factor is not None for s in specs) and not spec.align_corners:  # with it ONNX counts places from the unrounded size
        scales = np.array([1.0] * lead + [1.0 if s.factor is None else s.factor for s in specs], np.float32)
        if all(s.factor is not None or always(s.size, s.out) for s in specs):
            return g.Resize(input, None, g.const(scales), **how)
    return g.Resize(input, None, None, g.sizes([*input.shape[:lead], *(s.out for s in specs)]), **how)


def _means(g: Any, x: Any, pairs: Any, lead: int) -> Any:
    """Window i of m covers [⌊i·n/m⌋, ⌈(i+1)·n/m⌉): the difference of two running sums, over its length."""
    for axis, (n, m) in enumerate(pairs, lead):
        if always(n, m):
            continue
        if isinstance(n, int) and isinstance(m, int):
            i = np.arange(m)
            start, end = i * n // m, -((-(i + 1) * n) // m)
            inside = (np.arange(n) >= start[:, None]) & (np.arange(n) < end[:, None])
            weights = g.const(inside / (end - start)[:, None], x.dtype)
            moved = [k for k in range(len(pairs) + lead) if k != axis] + [axis]
            back = [moved.index(k) for k in range(len(moved))]
            product = g.MatMul(g.Transpose(x, perm=moved), g.Transpose(weights, perm=[1, 0]))
            x = g.Transpose(product, perm=back)
            continue
        i, size, outs = arange(g, m), g.ref(n, dv.int64), g.ref(m, dv.int64)
        start = g.Div(g.Mul(i, size), outs)
        end = g.Div(g.Add(g.Mul(g.Add(i, 1), size), g.Sub(outs, 1)), outs)
        sides = [0] * 2 * (len(pairs) + lead)
        sides[axis] = 1
        sums = g.CumSum(g.Pad(x, sides, g.const(0, x.dtype)), g.const(axis, dv.int64))
        total = g.Sub(g.Gather(sums, end, axis=axis), g.Gather(sums, start, axis=axis))
        count = g.Reshape(g.cast(g.Sub(end, start), x.dtype), [-1, *(1,) * (len(pairs) + lead - 1 - axis)])
        x = g.Div(total, count)
    return x
