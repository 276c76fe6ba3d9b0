"""Lowerings of indexing, gathering and scattering."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import dovetail as dv

from ..exporter.builder import Ref
from ..exporter.sizes import FreeSize
from ._common import END, arange, axes_of, flat, product, refuse
from .arithmetic import floor_divide

__all__: list[str] = []


def _parts(at: Any, ndim: int) -> list[Any]:
    """An index with the Ellipsis written out."""
    parts = list(at) if isinstance(at, tuple) else [at]
    used = sum(p is not None and p is not Ellipsis for p in parts)
    where = next((k for k, p in enumerate(parts) if p is Ellipsis), len(parts))
    return [*parts[:where], *[slice(None)] * (ndim - used), *(p for p in parts[where:] if p is not Ellipsis)]


def getitem(g: Any, input: Any, at: Any) -> Any:
    """Integers, slices, None and Ellipsis: one Slice, one Squeeze, one Unsqueeze."""
    slices: list[tuple[Any, Any, int, Any]] = []
    gone, new, axis, place = [], [], 0, 0
    for part in _parts(at, input.ndim):
        if part is None:
            new.append(place)
            place += 1
            continue
        if isinstance(part, slice):
            start, stop, step = (0 if part.start is None else part.start), (END if part.stop is None else part.stop), part.step or 1
            if isinstance(start, FreeSize) or start != 0 or isinstance(stop, FreeSize) or stop != END or step != 1:
                slices.append((start, stop, axis, step))
            place += 1
        else:
            end = END if isinstance(part, int) and part == -1 else part + 1
            slices.append((part, end, axis, 1))
            gone.append(axis)
        axis += 1
    out = input
    if slices:
        starts, stops, axes, steps = (list(each) for each in zip(*slices, strict=True))
        out = g.Slice(out, g.sizes(starts), g.sizes(stops), axes, g.sizes(steps))
    out = g.Squeeze(out, gone) if gone else out
    return g.Unsqueeze(out, new) if new else out


def index(g: Any, input: Any, at: Any, indices: Any) -> Any:
    """Index arrays and masks, after a basic step."""
    x = input
    if at is not None:
        x, basic = getitem(g, input, at), _parts(at, input.ndim)
        x = Ref(x.name, x.dtype, (None,) * sum(not isinstance(p, int | FreeSize) for p in basic))
    parts = _parts(tuple(indices), x.ndim - sum(_rank(p) - 1 for p in indices))
    arrays: list[Any] = []
    axes: list[int] = []
    axis = 0
    for part in parts:
        rank = _rank(part)
        if not isinstance(part, slice):
            arrays += _as_integers(g, part)
            axes += range(axis, axis + rank)
        axis += rank
    if len(arrays) == 1:
        return g.Gather(x, arrays[0], axis=axes[0])
    ranks = [a.ndim for a in arrays]
    together = arrays[0]
    for other in arrays[1:]:
        together = g.Add(together, other)  # for the shape that they broadcast to
    whole = g.Shape(together)
    table = g.Concat(*(g.Unsqueeze(g.Expand(a, whole), [-1]) for a in arrays), axis=-1)
    rest = [k for k in range(x.ndim) if k not in axes]
    found = g.GatherND(g.Transpose(x, perm=[*axes, *rest]), table)
    if axes != list(range(axes[0], axes[0] + len(axes))) or axes[0] == 0:
        return found  # apart from each other: their dimensions come first
    n, before = max(ranks), axes[0]
    return g.Transpose(found, perm=[*range(n, n + before), *range(n), *range(n + before, n + len(rest))])


def _rank(part: Any) -> int:
    """How many dimensions of the input a part of an index takes: a mask as many as it has."""
    return part.ndim if _is_mask(part) else 1


def _as_integers(g: Any, part: Any) -> list[Any]:
    """Index arrays of integers; a mask is the places where it is True."""
    ref = part if isinstance(part, Ref) else g.const(part)
    if ref.dtype is not dv.bool:
        return [g.cast(ref, dv.int64)]
    rows = g.NonZero(ref)
    found = [g.Gather(rows, np.int64(k), axis=0) for k in range(ref.ndim)]
    for one in found:
        one.shape = (None,)
    return found


def setitem(g: Any, input: Any, value: Any, at: Any, indices: Any, adding: bool) -> Any:
    """A copy with the value where the index points: the places are found by the same index on a tensor of positions."""
    value = g.cast(g.ref(value, input.dtype), input.dtype)
    scalar = value.shape is not None and not [n for n in value.shape if not (isinstance(n, int) and n == 1)]
    mask = indices[-1] if indices is not None and at is None and not adding and len(indices) else None
    if mask is not None and _is_mask(mask) and all(isinstance(p, slice) for p in indices[:-1]):
        ref = mask if isinstance(mask, Ref) else g.const(mask)
        lead = len(indices) - 1
        if scalar:
            spread = g.Reshape(value, []) if value.shape else value
            tail = input.ndim - lead - ref.ndim
            return g.Where(g.Unsqueeze(ref, [ref.ndim + k for k in range(tail)]) if tail else ref, spread, input)
    count = product(input.shape)
    positions = g.Reshape(arange(g, count), g.sizes(input.shape))
    positions.shape, positions.dtype = input.shape, dv.int64
    region = getitem(g, positions, ... if at is None else at) if indices is None else index(g, positions, at, indices)
    spread = g.Expand(value, g.Shape(region))
    out = g.ScatterElements(flat(g, input), flat(g, region), flat(g, spread), axis=0, reduction="add" if adding else None)
    return g.Reshape(out, g.sizes(input.shape))


def _is_mask(part: Any) -> bool:
    kind = getattr(part, "dtype", None)
    return kind is dv.bool or getattr(kind, "name", "") == "bool"


def gather(g: Any, input: Any, dim: int, index: Any, sparse_grad: bool) -> Any:
    if not input.ndim:
        return g.Reshape(g.Gather(g.Reshape(input, [1]), index), g.Shape(index))
    return g.GatherElements(input, index, axis=dim)


def index_select(g: Any, input: Any, dim: int, index: Any) -> Any:
    return g.Gather(input, index if index.ndim else g.Reshape(index, [1]), axis=dim)


def take(g: Any, input: Any, index: Any) -> Any:
    return g.Gather(flat(g, input), index, axis=0)


def argwhere(g: Any, input: Any) -> Any:
    return g.Transpose(g.NonZero(input), perm=[1, 0])


def one_hot(g: Any, input: Any, num_classes: int) -> Any:
    if num_classes < 0:
        raise refuse(g, "num_classes is not given, and the largest value decides", "give num_classes")
    return g.OneHot(input, g.const([num_classes], dv.int64), g.const([0, 1], dv.int64), axis=-1)


def embedding(g: Any, weight: Any, index: Any, padding_idx: int, scale_grad_by_freq: bool) -> Any:
    return g.Gather(weight, index, axis=0)


def embedding_grad(g: Any, grad: Any, index: Any, rows: int, padding_idx: int) -> Any:
    """Rows added up by their index, as the bags of an EmbeddingBag are."""
    if padding_idx >= 0:
        raise refuse(g, "a gradient with padding_idx")
    width = grad.shape[-1]
    zeros = g.Expand(g.const(0, grad.dtype), g.sizes([rows, width]))
    lines = g.Reshape(grad, g.sizes([-1, width]))
    spread = g.Expand(g.Reshape(index, [-1, 1]), g.Shape(lines))
    return g.ScatterElements(zeros, spread, lines, axis=0, reduction="add")


def _cut(g: Any, x: Any, index: Any) -> Any:
    """The part of a source that an index of smaller size uses."""
    if x.shape == index.shape:
        return x
    axes = list(range(x.ndim))
    return g.Slice(x, [0] * x.ndim, g.Shape(index), axes)


def scatter(g: Any, input: Any, dim: int, index: Any, src: Any, value: Any, reduce: Any) -> Any:
    number = value if src is None else src
    source = _cut(g, src, index) if isinstance(src, Ref) else g.Expand(g.const(number, input.dtype), g.Shape(index))
    return _scatter(g, input, dim, index, source, {None: None, "add": "add", "multiply": "mul"}[reduce])


def _scatter(g: Any, input: Any, dim: int, index: Any, source: Any, how: Any) -> Any:
    """ScatterElements, of a single element too."""
    source = g.cast(source, input.dtype)
    if input.ndim and index.ndim:
        return g.ScatterElements(input, index, source, axis=dim, reduction=how)
    line = g.ScatterElements(*(g.Reshape(x, [-1]) for x in (input, index, source)), axis=0, reduction=how)
    return g.Reshape(line, g.sizes(input.shape))


def scatter_add(g: Any, input: Any, dim: int, index: Any, src: Any) -> Any:
    return _scatter(g, input, dim, index, _cut(g, src, index), "add")


def scatter_reduce(g: Any, input: Any, dim: int, index: Any, src: Any, reduce: str, include_self: bool) -> Any:
    how, start = {"sum": ("add", 0), "mean": ("add", 0), "prod": ("mul", 1), "amax": ("max", -math.inf), "amin": ("min", math.inf)}[reduce]
    if how in ("max", "min") and g.opset < 18:
        raise refuse(g, f"reduce={reduce!r} needs opset 18, got {g.opset}", "export with a newer opset")
    if not input.dtype.is_floating_point and not include_self and math.isinf(start):
        start = dv.iinfo(input.dtype).min if start < 0 else dv.iinfo(input.dtype).max
    source = _cut(g, src, index)
    whole = g.Shape(source)
    if not include_self:
        input, shape = _scatter(g, input, dim, index, g.Expand(g.const(start, input.dtype), whole), None), input.shape
        input.shape = shape
    out = _scatter(g, input, dim, index, source, how)
    if reduce != "mean":
        return out
    ones = g.Expand(g.const(1, input.dtype), whole)
    counts = g.Expand(g.const(int(include_self), input.dtype), g.sizes(input.shape))
    counts.shape = input.shape
    counts = g.Max(_scatter(g, counts, dim, index, ones, "add"), 1)
    return g.Div(out, counts) if input.dtype.is_floating_point else floor_divide(g, out, counts)


def _along(g: Any, input: Any, dim: int, index: Any, source: Any, how: Any) -> Any:
    dim = axes_of(dim, input.ndim)[0]
    shape = [-1 if k == dim else 1 for k in range(input.ndim)]
    spread = g.Expand(g.cast(g.Reshape(index, shape), dv.int64), g.Shape(source))
    return g.ScatterElements(input, spread, source, axis=dim, reduction=how)


def index_add(g: Any, input: Any, dim: int, index: Any, source: Any, alpha: Any) -> Any:
    return _along(g, input, dim, index, source if alpha == 1 else g.Mul(source, alpha), "add")


def index_copy(g: Any, input: Any, dim: int, index: Any, source: Any) -> Any:
    return _along(g, input, dim, index, source, None)


def index_fill(g: Any, input: Any, dim: int, index: Any, value: Any) -> Any:
    rows = g.Gather(input, g.Reshape(index, [-1]), axis=dim)
    return _along(g, input, dim, index, g.Expand(g.cast(g.ref(value, input.dtype), input.dtype), g.Shape(rows)), None)


def put(g: Any, input: Any, index: Any, source: Any, accumulate: bool) -> Any:
    how = "add" if accumulate else None
    out = g.ScatterElements(flat(g, input), flat(g, index), flat(g, source), axis=0, reduction=how)
    return g.Reshape(out, g.Shape(input))


def masked_scatter(g: Any, input: Any, mask: Any, source: Any) -> Any:
    places = g.NonZero(flat(g, g.Expand(mask, g.Shape(input))))
    at = g.Reshape(places, [-1])
    values = g.Slice(flat(g, source), [0], g.Shape(at), [0])
    return g.Reshape(g.ScatterElements(flat(g, input), at, values, axis=0), g.Shape(input))


def plane_gather(g: Any, input: Any, index: Any) -> Any:
    planes = g.Reshape(input, g.sizes([*input.shape[:2], -1]))
    return g.Reshape(g.GatherElements(planes, g.Reshape(index, g.sizes([*input.shape[:2], -1])), axis=2), g.Shape(index))


def plane_put(g: Any, input: Any, index: Any, size: Any) -> Any:
    return _onto_planes(g, input, index, size, None)


def plane_scatter(g: Any, input: Any, index: Any, size: Any) -> Any:
    return _onto_planes(g, input, index, size, "add")


def _onto_planes(g: Any, input: Any, index: Any, size: Any, how: Any) -> Any:
    lead = list(input.shape[:2])
    zeros = g.Expand(g.const(0, input.dtype), g.sizes([*lead, product(size)]))
    flat_index, values = (g.Reshape(x, g.sizes([*lead, -1])) for x in (g.ref(index), input))
    return g.Reshape(g.ScatterElements(zeros, flat_index, values, axis=2, reduction=how), g.sizes([*lead, *size]))


def unfold_grad(g: Any, grad: Any, shape: Any, dim: int, size: Any, step: Any) -> Any:
    """Windows added up where they lie, as the inverse of a short-time transform has them: (…, windows, …, size)."""
    windows = grad.shape[dim]
    if isinstance(windows, FreeSize) or not all(isinstance(n, int) for n in (size, step)):
        raise refuse(g, "windows of a free size that are added up", "fix that dimension")
    places = (np.arange(windows)[:, None] * step + np.arange(size)).reshape(-1)
    rank = len(shape)
    order = [*range(dim + 1), rank, *range(dim + 1, rank)]
    sizes = [windows * size if k == dim else n for k, n in enumerate(shape)]
    source = g.Reshape(g.Transpose(grad, perm=order), g.sizes(sizes))
    return _along(g, _zeros(g, shape, grad), dim, g.const(places), source, "add")


def _zeros(g: Any, shape: Any, like: Any) -> Any:
    out = g.Expand(g.const(0, like.dtype), g.sizes(list(shape)))
    out.shape = tuple(shape)
    return out


index.varies = argwhere.varies = True  # type: ignore[attr-defined]
