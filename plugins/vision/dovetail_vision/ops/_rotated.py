"""Overlap of boxes that are turned: the polygon that two rectangles share, for all pairs at once."""

from __future__ import annotations

import numpy as np

import dovetail
from dovetail import Tensor
from dovetail.errors import ShapeError

__all__ = ["rotated_iou"]

_NEAR = 1e-5  # a point that rounding puts outside still counts; a point too many does no harm


def rotated_iou(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """IoU (N, M), float32 and without gradient, of boxes (N, 5) and (M, 5) in the format cxcywhr."""
    for name, boxes in (("boxes1", boxes1), ("boxes2", boxes2)):
        if boxes.ndim != 2 or boxes.shape[1] != 5:
            raise ShapeError("box_iou", f"{name} has shape {tuple(boxes.shape)} as cxcywhr", "expected (N, 5)")
    one, two = (boxes.detach().cpu().numpy().astype(np.float64) for boxes in (boxes1, boxes2))
    middle = (one[:, None, :2] + two[None, :, :2]) / 2  # coordinates around it lose less
    corners1, corners2 = _corners(one)[:, None] - middle[:, :, None], _corners(two)[None] - middle[:, :, None]
    inter = _shared_area(corners1, corners2)
    areas1, areas2 = (np.broadcast_to(area, inter.shape) for area in (_area(one)[:, None], _area(two)[None]))
    union = areas1 + areas2 - inter
    real = (areas1 >= 1e-14) & (areas2 >= 1e-14)
    iou = np.divide(inter, union, out=np.zeros_like(inter), where=real)
    return dovetail.tensor(iou.astype(np.float32), device=boxes1.device)


def _area(boxes: np.ndarray) -> np.ndarray:
    return boxes[:, 2] * boxes[:, 3]


def _corners(boxes: np.ndarray) -> np.ndarray:
    """(N, 4, 2), one after the other around the box."""
    cx, cy, w, h, angle = boxes.T
    cos, sin = np.cos(np.deg2rad(angle)) / 2, np.sin(np.deg2rad(angle)) / 2
    along = np.stack((cos * w, -sin * w), -1)
    down = np.stack((sin * h, cos * h), -1)
    centre = np.stack((cx, cy), -1)
    return np.stack((centre + along + down, centre + along - down, centre - along - down, centre - along + down), 1)


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def _crossings(one: np.ndarray, two: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where the 4 × 4 pairs of sides meet, (N, M, 16, 2), and whether they do."""
    start1, start2 = one[:, :, :, None], two[:, :, None, :]
    side1, side2 = np.roll(start1, -1, 2) - start1, np.roll(start2, -1, 3) - start2
    det = _cross(side2, side1)
    between = start2 - start1
    ok = np.abs(det) > 1e-14
    safe = np.where(ok, det, 1.0)
    t1, t2 = _cross(side2, between) / safe, _cross(side1, between) / safe
    ok &= (t1 > -_NEAR) & (t1 < 1 + _NEAR) & (t2 > -_NEAR) & (t2 < 1 + _NEAR)
    points = start1 + side1 * t1[..., None]
    return points.reshape(*points.shape[:2], 16, 2), ok.reshape(*ok.shape[:2], 16)


def _inside(points: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Which of the points (N, M, 4, 2) lie in the rectangle of their pair."""
    ok = np.ones(points.shape[:-1], bool)
    for side in (box[:, :, 1] - box[:, :, 0], box[:, :, 3] - box[:, :, 0]):
        along = ((points - box[:, :, :1]) * side[:, :, None]).sum(-1)
        ok &= (along > -_NEAR) & (along < (side * side).sum(-1)[..., None] + _NEAR)
    return ok


def _shared_area(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """The shared polygon's corners are crossings and corners inside the other; in the order of their angles they give its area."""
    meet, met = _crossings(one, two)
    points = np.concatenate((meet, np.broadcast_to(one, two.shape), np.broadcast_to(two, one.shape)), 2)
    ok = np.concatenate((met, _inside(one, two), _inside(two, one)), 2)
    count = ok.sum(-1)
    centre = np.where(ok[..., None], points, 0).sum(2) / np.maximum(count, 1)[..., None]
    points = np.where(ok[..., None], points - centre[:, :, None], 0)
    angle = np.where(ok, np.arctan2(points[..., 1], points[..., 0]), np.inf)
    points = np.take_along_axis(points, angle.argsort(-1)[..., None], 2)
    last = np.maximum(count - 1, 0)[..., None]
    following = np.minimum(np.arange(points.shape[2]) + 1, last)
    following = np.where(np.arange(points.shape[2]) >= last, 0, following)  # the last one is followed by the first
    area = np.abs(_cross(points, np.take_along_axis(points, following[..., None], 2)).sum(-1)) / 2
    return np.where(count > 2, area, 0.0)
