"""Taking and placing elements by index."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import dovetail as dv
from dovetail.errors import RangeError

from ..table import operator
from ..values import integers, number, numbers

__all__: list[str] = []


def _wrapped(indices: Any, size: int, where: str) -> Any:
    """Indices from 0, where ONNX also counts from the end. Raises a RangeError for those outside."""
    indices = indices.long()
    if indices.numel() and not (-size <= int(indices.min()) and int(indices.max()) < size):
        raise RangeError(where, f"indices go from {int(indices.min())} to {int(indices.max())}", f"expected -{size} to {size - 1}")
    return dv.where(indices < 0, indices + size, indices)


@operator()
def Gather(data: Any, indices: Any, *, axis: int = 0) -> Any:
    axis %= max(data.ndim, 1)
    at = _wrapped(indices, data.shape[axis], "Gather")
    shape = [*data.shape[:axis], *at.shape, *data.shape[axis + 1 :]]
    return data.index_select(axis, at.reshape(-1).to(data.device)).reshape(shape)


@operator()
def GatherElements(data: Any, indices: Any, *, axis: int = 0) -> Any:
    return dv.gather(data, axis, _wrapped(indices, data.shape[axis], "GatherElements"))


def _places(indices: Any, shape: list[int], where: str) -> Any:
    """Rows of indices into the leading dimensions, as indices into those dimensions made one."""
    flat = dv.zeros(tuple(indices.shape[:-1]), dtype=dv.int64, device=indices.device)
    for at, size in enumerate(shape):
        flat = flat * size + _wrapped(indices[..., at], size, where)
    return flat


@operator()
def GatherND(data: Any, indices: Any, *, batch_dims: int = 0) -> Any:
    depth = indices.shape[-1]
    batch, inner = list(data.shape[:batch_dims]), list(data.shape[batch_dims : batch_dims + depth])
    rest = list(data.shape[batch_dims + depth :])
    places = _places(indices, inner, "GatherND").reshape(math.prod(batch), -1)
    places = places + dv.arange(math.prod(batch), device=places.device).reshape(-1, 1) * math.prod(inner)
    rows = data.reshape([math.prod(batch) * math.prod(inner), *rest])
    return rows.index_select(0, places.reshape(-1)).reshape([*indices.shape[:-1], *rest])


_REDUCE = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}


@operator()
def ScatterElements(data: Any, indices: Any, updates: Any, *, axis: int = 0, reduction: str = "none") -> Any:
    at = _wrapped(indices, data.shape[axis], "ScatterElements")
    if reduction == "none":
        return dv.scatter(data, axis, at, updates)
    return dv.scatter_reduce(data, axis, at, updates, reduce=_REDUCE[reduction])


operator("Scatter")(ScatterElements)


@operator()
def ScatterND(data: Any, indices: Any, updates: Any, *, reduction: str = "none") -> Any:
    depth = indices.shape[-1]
    inner, rest = list(data.shape[:depth]), list(data.shape[depth:])
    places = _places(indices, inner, "ScatterND").reshape(-1)
    width = math.prod(rest)
    at = (places.reshape(-1, 1) * width + dv.arange(width, device=places.device)).reshape(-1)
    return ScatterElements(data.reshape(-1), at, updates.reshape(-1), reduction=reduction).reshape(data.shape)


@operator()
def TensorScatter(past_cache: Any, update: Any, write_indices: Any = None, *, mode: str = "linear", axis: int = -2) -> Any:
    axis %= past_cache.ndim
    size, length = past_cache.shape[axis], update.shape[axis]
    starts = dv.zeros(past_cache.shape[0], dtype=dv.int64) if write_indices is None else write_indices.long()
    at = starts.reshape(-1, 1).to(past_cache.device) + dv.arange(length, device=past_cache.device)
    at = at % size if mode == "circular" else at
    shape = [past_cache.shape[0]] + [1] * (past_cache.ndim - 1)
    shape[axis] = length
    return ScatterElements(past_cache, at.reshape(shape).expand(update.shape), update, axis=axis)


@operator()
def OneHot(indices: Any, depth: Any, values: Any, *, axis: int = -1) -> Any:
    count = int(number(depth))
    axis += indices.ndim + 1 if axis < 0 else 0
    whole = indices.long()
    whole = dv.where(whole < 0, whole + count, whole).unsqueeze(axis)
    shape = [1] * (indices.ndim + 1)
    shape[axis] = count
    hot = whole == dv.arange(count, device=indices.device).reshape(shape)
    return dv.where(hot, values[1], values[0])


@operator()
def NonZero(X: Any) -> Any:
    return dv.nonzero(X if X.ndim else X.reshape(1)).t()[: X.ndim]


@operator()
def Compress(input: Any, condition: Any, *, axis: int | None = None) -> Any:
    data = input.reshape(-1) if axis is None else input
    at = dv.nonzero(condition).reshape(-1)
    return data.index_select(axis or 0, at.to(data.device))


@operator()
def Unique(X: Any, *, axis: int | None = None, sorted: int = 1) -> Any:
    """Y keeps its gradient: it is taken from X by the indices of the first occurrences."""
    _, first, inverse, counts = np.unique(X.detach().cpu().numpy(), return_index=True, return_inverse=True, return_counts=True, axis=axis)
    inverse = inverse.reshape(-1)
    if not sorted:
        order = np.argsort(first, kind="stable")
        place = np.argsort(order, kind="stable")
        first, inverse, counts = first[order], place[inverse], counts[order]
    at = dv.from_numpy(first.astype(np.int64))
    Y = (X.reshape(-1) if axis is None else X).index_select(axis or 0, at.to(X.device))
    return Y, at, dv.from_numpy(inverse.astype(np.int64)), dv.from_numpy(counts.astype(np.int64))


@operator()
def ReverseSequence(input: Any, sequence_lens: Any, *, batch_axis: int = 1, time_axis: int = 0) -> Any:
    steps = dv.arange(input.shape[time_axis], device=input.device).reshape(-1, 1)
    lengths = sequence_lens.long().reshape(1, -1)
    at = dv.where(steps < lengths, lengths - 1 - steps, steps)
    at = at if time_axis == 0 else at.t()
    return dv.gather(input, time_axis, at.reshape(list(at.shape) + [1] * (input.ndim - 2)).expand(input.shape))


@operator()
def NonMaxSuppression(
    boxes: Any,
    scores: Any,
    max_output_boxes_per_class: Any = None,
    iou_threshold: Any = None,
    score_threshold: Any = None,
    *,
    center_point_box: int = 0,
) -> Any:
    most = 0 if max_output_boxes_per_class is None else integers(max_output_boxes_per_class)[0]
    overlap = 0.0 if iou_threshold is None else numbers(iou_threshold)[0]
    least = -math.inf if score_threshold is None else numbers(score_threshold)[0]
    corners = _corners(boxes.detach().cpu().numpy(), center_point_box)
    found: list[list[int]] = []
    for batch, classes in enumerate(scores.detach().cpu().numpy()):
        for kind, points in enumerate(classes):
            kept: list[int] = []
            for at in np.argsort(-points, kind="stable"):
                if len(kept) >= most or points[at] <= least:
                    break
                if all(_overlap(corners[batch, at], corners[batch, other]) <= overlap for other in kept):
                    kept.append(int(at))
            found += [[batch, kind, at] for at in kept]
    return dv.tensor(found, dtype=dv.int64).reshape(-1, 3)


def _corners(boxes: Any, center_point_box: int) -> Any:
    if center_point_box:
        x, y, width, height = np.moveaxis(boxes, -1, 0)
        return np.stack([y - height / 2, x - width / 2, y + height / 2, x + width / 2], -1)
    low, high = np.minimum(boxes[..., :2], boxes[..., 2:]), np.maximum(boxes[..., :2], boxes[..., 2:])
    return np.concatenate([low, high], -1)


def _overlap(a: Any, b: Any) -> float:
    height = min(a[2], b[2]) - max(a[0], b[0])
    width = min(a[3], b[3]) - max(a[1], b[1])
    if height <= 0 or width <= 0:
        return 0.0
    both = height * width
    return float(both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both))


@operator(domain="ai.onnx.ml")
def ArrayFeatureExtractor(X: Any, Y: Any) -> Any:
    return X.index_select(-1, Y.reshape(-1)) if X.ndim > 1 else X.index_select(0, Y.reshape(-1)).reshape(1, -1)


@operator(domain="ai.onnx.ml")
def Binarizer(X: Any, *, threshold: float = 0.0) -> Any:
    return (threshold < X).to(X.dtype)
