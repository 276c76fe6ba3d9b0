"""Boxes: formats, areas, overlaps, clipping, and suppression of those that overlap a better one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import dovetail
from dovetail import Tensor
from dovetail.errors import ShapeError, UnsupportedError, ValueRangeError
from dovetail.extend import Array, Fixed, op, xp

from ._box_convert import FROM, ROTATED, STRAIGHT, TO
from ._checks import upcast
from ._checks import upcast as _upcast  # noqa: F401 (programs import it from here)
from ._rotated import rotated_iou

__all__ = [
    "batched_nms", "box_area", "box_convert", "box_iou", "clip_boxes_to_image", "complete_box_iou", "distance_box_iou",
    "generalized_box_iou", "masks_to_boxes", "nms", "remove_small_boxes",
]  # fmt: skip

_SOME = 64  # boxes whose overlaps are looked at together


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """Indices (K,) of the boxes (N, 4), xyxy, that overlap no box of higher score by an IoU above the threshold; best score first.

    Raises a RuntimeError for boxes that are not (N, 4) or scores that are not (N,).

    >>> nms(dovetail.tensor([[0., 0, 10, 10], [0, 0, 9, 10], [20, 0, 30, 10]]), dovetail.tensor([0.6, 0.9, 0.3]), 0.5)
    tensor([1, 2])
    """
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ShapeError("nms", f"boxes has shape {tuple(boxes.shape)}", "expected (N, 4)")
    if scores.ndim != 1 or scores.shape[0] != boxes.shape[0]:
        raise ShapeError("nms", f"scores has shape {tuple(scores.shape)} for {boxes.shape[0]} boxes", "expected one score a box")
    return _kept(boxes.detach(), scores.detach(), iou_threshold)


@op(dtypes=None, name="vision/nms")
def _kept(boxes: Fixed, scores: Fixed, iou_threshold: float) -> Array:
    """The boxes that `nms` keeps; computed on the host."""
    at = _suppressed(_wide(_host(boxes)), _descending(_host(scores)), iou_threshold)
    return xp(boxes).asarray(at)


def _host(array: Any) -> Any:
    """A raw array in the host's memory."""
    return array.get() if hasattr(array, "get") else array


def _wide(boxes: Any) -> Any:
    """A raw array in the type that `upcast` gives a tensor."""
    if boxes.dtype.kind in "biu":
        return boxes if boxes.dtype.itemsize > 2 else boxes.astype(np.int32)
    return boxes if boxes.dtype.itemsize > 2 else boxes.astype(np.float32)


def _descending(scores: Any) -> Any:
    """The places of the elements from the largest on, NaN before it, equal ones in their order."""
    return len(scores) - 1 - np.argsort(scores[::-1], kind="stable")[::-1]


def _suppressed(boxes: Any, order: Any, iou_threshold: float) -> Any:
    """Of boxes in this order those that overlap none before them by more than the threshold; some are settled at a time."""
    sides = np.ascontiguousarray(boxes.T)
    areas = (sides[2] - sides[0]) * (sides[3] - sides[1])
    threshold = np.float64(iou_threshold)  # of its own type: against a plain number float32 would round it
    kept = [np.zeros(0, np.int64)]
    with np.errstate(divide="ignore", invalid="ignore"):
        while order.size:
            some, order = order[:_SOME], order[_SOME:]
            above = np.triu(_overlaps(sides, areas, some, some) > threshold, 1)
            keep = np.ones(len(some), bool)
            while (keep != (left := ~above[keep].any(0))).any():  # each round settles at least one more, from the first on
                keep = left
            kept.append(some[keep])
            order = order[~(_overlaps(sides, areas, kept[-1], order) > threshold).any(0)]
    return np.concatenate(kept)


def _overlaps(sides: Any, areas: Any, one: Any, two: Any) -> Any:
    """The IoU of each box in ``one`` with each in ``two``."""
    x1, y1, x2, y2 = sides
    inter = (np.minimum(x2[one][:, None], x2[two]) - np.maximum(x1[one][:, None], x1[two])).clip(0)
    inter *= (np.minimum(y2[one][:, None], y2[two]) - np.maximum(y1[one][:, None], y1[two])).clip(0)
    return inter / (areas[one][:, None] + areas[two] - inter)


def batched_nms(boxes: Tensor, scores: Tensor, idxs: Tensor, iou_threshold: float) -> Tensor:
    """`nms` among the boxes of the same category: ``idxs`` (N,) holds a number for each box.

    >>> boxes = dovetail.tensor([[0., 0, 10, 10], [0, 0, 9, 10]])
    >>> batched_nms(boxes, dovetail.tensor([0.6, 0.9]), dovetail.tensor([0, 1]), 0.5)
    tensor([1, 0])
    """
    return _kept_by_category(boxes.detach(), scores.detach(), idxs, iou_threshold)


@op(dtypes=None, name="vision/batched_nms")
def _kept_by_category(boxes: Fixed, scores: Fixed, idxs: Fixed, iou_threshold: float) -> Array:
    """What `batched_nms` keeps; computed on the host."""
    keep = _apart if 0 < boxes.size <= 4000 else _each  # torchvision's bound
    return xp(boxes).asarray(keep(_host(boxes), _descending(_host(scores)), _host(idxs), iou_threshold))


def _apart(a: Any, order: Any, numbers: Any, iou_threshold: float) -> Any:
    """All at once: moved apart, boxes of one category cannot meet those of another."""
    return _suppressed(_wide(a + (numbers.astype(a.dtype) * (a.max() + 1))[:, None]), order, iou_threshold)


def _each(a: Any, order: Any, numbers: Any, iou_threshold: float) -> Any:
    """One category after the other."""
    parts = [_suppressed(_wide(a), order[numbers[order] == category], iou_threshold) for category in np.unique(numbers)]
    keep = np.zeros(len(a), bool)
    keep[np.concatenate([np.zeros(0, np.int64), *parts])] = True
    return order[keep[order]].astype(np.int64)


def _batched_nms_coordinate_trick(boxes: Tensor, scores: Tensor, idxs: Tensor, iou_threshold: float) -> Tensor:
    """`batched_nms` by `_apart`, whatever the number of boxes; programs call it by this name, and the next one."""
    return _by(_apart, boxes, scores, idxs, iou_threshold)


def _batched_nms_vanilla(boxes: Tensor, scores: Tensor, idxs: Tensor, iou_threshold: float) -> Tensor:
    return _by(_each, boxes, scores, idxs, iou_threshold)


def _by(keep: Any, boxes: Tensor, scores: Tensor, idxs: Tensor, iou_threshold: float) -> Tensor:
    if not boxes.numel():
        return dovetail.zeros(0, dtype=dovetail.int64, device=boxes.device)
    a, points, numbers = (one.detach().cpu().numpy() for one in (boxes, scores, idxs))
    return dovetail.from_numpy(keep(a, _descending(points), numbers, iou_threshold)).to(boxes.device)


def first_best(scores: Tensor, count: int) -> Tensor:
    """The places of the ``count`` largest scores (N,), or of all where there are fewer, from the largest on.

    >>> first_best(dovetail.tensor([0.1, 0.9, 0.5]), 2)
    tensor([1, 2])
    """
    return _first_best(scores.detach(), count)


@op(dtypes=None, name="vision/first_best")
def _first_best(scores: Fixed, count: int) -> Array:
    return xp(scores).asarray(_descending(_host(scores))[:count].astype(np.int64))


def remove_small_boxes(boxes: Tensor, min_size: float) -> Tensor:
    """Indices of the boxes, xyxy, whose sides are both at least ``min_size``.

    >>> remove_small_boxes(dovetail.tensor([[0., 0, 5, 5], [0, 0, 5, 1]]), 2)
    tensor([0])
    """
    return dovetail.where((boxes[..., 2] - boxes[..., 0] >= min_size) & (boxes[..., 3] - boxes[..., 1] >= min_size))[0]


def clip_boxes_to_image(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """The boxes, xyxy, cut to an image of ``size``, which is height and width.

    >>> clip_boxes_to_image(dovetail.tensor([[-3., 2, 8, 9]]), (6, 10))
    tensor([[0., 2., 8., 6.]])
    """
    height, width = size
    return dovetail.stack((boxes[..., 0::2].clamp(0, width), boxes[..., 1::2].clamp(0, height)), boxes.ndim).reshape(boxes.shape)


def box_convert(boxes: Tensor, in_fmt: str, out_fmt: str) -> Tensor:
    """Boxes (..., K) from one format to another: ``xyxy``, ``xywh``, ``cxcywh``, or, turned, ``xywhr``, ``cxcywhr``, ``xyxyxyxy``.

    ``r`` is in degrees, counter-clockwise, and ``x, y`` the corner that is upper left before turning; ``xyxyxyxy`` are the corners
    clockwise from it. Raises a ValueError for another format, a NotImplementedError between straight and turned ones.

    >>> box_convert(dovetail.tensor([[1., 2, 4, 6]]), "xyxy", "cxcywh")
    tensor([[2.5000, 4.0000, 3.0000, 4.0000]])
    """
    if in_fmt not in FROM or out_fmt not in FROM:
        raise ValueRangeError("box_convert", f"in_fmt is {in_fmt!r} and out_fmt is {out_fmt!r}", f"expected of {', '.join(FROM)}")
    if in_fmt == out_fmt:
        return boxes.clone()
    if (in_fmt in STRAIGHT) != (out_fmt in STRAIGHT):
        raise UnsupportedError("box_convert", f"{in_fmt} cannot become {out_fmt}", "expected both straight or both turned")
    return TO[out_fmt](FROM[in_fmt](boxes))


def _straight(where: str, fmt: str, formats: tuple[str, ...] = STRAIGHT) -> None:
    if fmt not in formats:
        raise ValueRangeError(where, f"fmt is {fmt!r}", f"expected one of {', '.join(formats)}")


def box_area(boxes: Tensor, fmt: str = "xyxy") -> Tensor:
    """The area of each box: (..., 4) to (...).

    >>> box_area(dovetail.tensor([[1., 2, 4, 6]]))
    tensor([12.])
    """
    _straight("box_area", fmt)
    boxes = upcast(boxes)
    if fmt == "xyxy":
        return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])
    return boxes[..., 2] * boxes[..., 3]


def _corners(boxes: Tensor, fmt: str) -> tuple[Tensor, Tensor]:
    """Upper left and lower right."""
    first, second = boxes[..., :2], boxes[..., 2:]
    if fmt == "xyxy":
        return first, second
    return (first, first + second) if fmt == "xywh" else (first - second / 2, first + second / 2)


def _overlap(boxes1: Tensor, boxes2: Tensor, fmt: str = "xyxy") -> tuple[Tensor, Tensor]:
    """Areas of intersection and union of each pair."""
    (low1, high1), (low2, high2) = _corners(boxes1, fmt), _corners(boxes2, fmt)
    sides = dovetail.min(high1[..., None, :], high2[..., None, :, :]) - dovetail.max(low1[..., None, :], low2[..., None, :, :])
    sides = upcast(sides).clamp(min=0)
    inter = sides[..., 0] * sides[..., 1]
    return inter, box_area(boxes1, fmt)[..., None] + box_area(boxes2, fmt)[..., None, :] - inter


def _box_inter_union(boxes1: Tensor, boxes2: Tensor, fmt: str = "xyxy") -> tuple[Tensor, Tensor]:
    """torchvision's name of `_overlap`, which programs import."""
    return _overlap(boxes1, boxes2, fmt)


def _around(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """Width and height of the smallest box around each pair."""
    low = dovetail.min(boxes1[..., None, :2], boxes2[..., None, :, :2])
    high = dovetail.max(boxes1[..., None, 2:], boxes2[..., None, :, 2:])
    return upcast(high - low).clamp(min=0)


def box_iou(boxes1: Tensor, boxes2: Tensor, fmt: str = "xyxy") -> Tensor:
    """Intersection over union of each pair: (..., N, K) and (..., M, K) to (..., N, M). Formats as in `box_convert`.

    Turned boxes are (N, 5) or (N, 8), and their result has no gradient.

    >>> box_iou(dovetail.tensor([[0., 0, 2, 2]]), dovetail.tensor([[1., 0, 3, 2], [5, 5, 6, 6]]))
    tensor([[0.3333, 0.0000]])
    """
    _straight("box_iou", fmt, STRAIGHT + ROTATED)
    if fmt in ROTATED:
        return rotated_iou(*(one if fmt == "cxcywhr" else box_convert(one, fmt, "cxcywhr") for one in (boxes1, boxes2)))
    inter, union = _overlap(boxes1, boxes2, fmt)
    return inter / union


def generalized_box_iou(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """IoU less the share of the smallest box around the pair that neither covers: https://arxiv.org/abs/1902.09630.

    >>> generalized_box_iou(dovetail.tensor([[0., 0, 2, 2]]), dovetail.tensor([[2., 0, 4, 2], [6, 0, 8, 2]]))
    tensor([[ 0.0000, -0.5000]])
    """
    inter, union = _overlap(boxes1, boxes2)
    sides = _around(boxes1, boxes2)
    area = sides[..., 0] * sides[..., 1]
    return inter / union - (area - union) / area


def _distance_iou(boxes1: Tensor, boxes2: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    iou, sides = box_iou(boxes1, boxes2), _around(boxes1, boxes2)
    diagonal = sides[..., 0] ** 2 + sides[..., 1] ** 2 + eps
    one, two = (boxes1[..., :2] + boxes1[..., 2:]) / 2, (boxes2[..., :2] + boxes2[..., 2:]) / 2
    apart = upcast(one[..., None, :] - two[..., None, :, :]) ** 2
    return iou - (apart[..., 0] + apart[..., 1]) / diagonal, iou


def distance_box_iou(boxes1: Tensor, boxes2: Tensor, eps: float = 1e-7) -> Tensor:
    """IoU less the squared distance of the centres over that of the corners of the box around both: https://arxiv.org/abs/1911.08287.

    >>> distance_box_iou(dovetail.tensor([[0., 0, 2, 2]]), dovetail.tensor([[0., 0, 2, 2], [2, 0, 4, 2]]))
    tensor([[ 1.0000, -0.2000]])
    """
    return _distance_iou(upcast(boxes1), upcast(boxes2), eps)[0]


def complete_box_iou(boxes1: Tensor, boxes2: Tensor, eps: float = 1e-7) -> Tensor:
    """`distance_box_iou` less a term of how different the proportions are: https://arxiv.org/abs/1911.08287.

    >>> complete_box_iou(dovetail.tensor([[0., 0, 2, 2]]), dovetail.tensor([[0., 0, 2, 2]]))
    tensor([[1.]])
    """
    boxes1, boxes2 = upcast(boxes1), upcast(boxes2)
    distance, iou = _distance_iou(boxes1, boxes2, eps)
    return distance - proportions(slope(boxes1)[..., None], slope(boxes2)[..., None, :], iou, eps)


def slope(boxes: Tensor) -> Tensor:
    """The angle of a box's diagonal, which stands for its proportions."""
    return ((boxes[..., 2] - boxes[..., 0]) / (boxes[..., 3] - boxes[..., 1])).atan()


def proportions(one: Tensor, two: Tensor, iou: Tensor, eps: float) -> Tensor:
    """What `complete_box_iou` and its loss count for different proportions; the weight of it is held constant."""
    v = (4 / math.pi**2) * (one - two) ** 2
    with dovetail.no_grad():
        weight = v / (1 - iou + v + eps)
    return weight * v


def masks_to_boxes(masks: Tensor) -> Tensor:
    """The boxes (N, 4), xyxy, around what is not zero in masks (N, H, W): first and last column and row; zeros for an empty mask.

    >>> masks_to_boxes(dovetail.tensor([[[0, 0, 0], [0, 1, 1]]]))
    tensor([[1., 1., 2., 1.]])
    """
    if masks.numel() == 0:
        return dovetail.zeros((0, 4), dtype=dovetail.float32, device=masks.device)
    filled = masks.bool()
    ends = []
    for line in (filled.any(1), filled.any(2)):  # columns, then rows
        ends.append((line.float().argmax(1), line.shape[1] - 1 - line.flip(1).float().argmax(1)))
    (x1, x2), (y1, y2) = ends
    return dovetail.stack((x1, y1, x2, y2), 1).float() * filled.flatten(1).any(1)[:, None]
