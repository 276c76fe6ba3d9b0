"""Masks from COCO's segmentations: polygons and run lengths, pixel for pixel as pycocotools draws them."""

from __future__ import annotations

from typing import Any

import numpy as np

from dovetail.errors import ValueRangeError

__all__ = ["coco_mask"]

_SCALE = 5  # outlines are followed on a grid this much finer


def coco_mask(segmentation: Any, height: int, width: int) -> np.ndarray:
    """A uint8 array ``(H, W)`` of 0 and 1 from a list of polygons ``[x, y, x, y, …]``, whose union it is, or a dict of run lengths.

    The "counts" of a dict are numbers, or the text that pycocotools packs them into. Raises a ValueRangeError for anything else.

    Source: https://github.com/cocodataset/cocoapi, common/maskApi.c.

    >>> coco_mask([[1, 0, 3, 0, 3, 2, 1, 2]], 3, 4).tolist()
    [[0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    >>> coco_mask({"counts": [1, 2, 3], "size": [2, 3]}, 2, 3).tolist()
    [[0, 1, 0], [1, 0, 0]]
    """
    if isinstance(segmentation, dict):
        return _runs(segmentation)
    if not isinstance(segmentation, list):
        raise ValueRangeError("coco_mask", f"segmentation is {type(segmentation)}", "COCO segmentation expected to be a dict or a list")
    out = np.zeros((height, width), np.uint8)
    for polygon in segmentation:
        out |= _polygon(np.asarray(polygon, np.float64).reshape(-1, 2), height, width)
    return out


def _polygon(corners: np.ndarray, height: int, width: int) -> np.ndarray:
    """Inside is where an odd number of borders lie above, in columns from left to right."""
    points = (_SCALE * corners + 0.5).astype(np.int64)
    x, y = np.concatenate([_edge(*a, *b) for a, b in zip(points, np.roll(points, -1, 0), strict=True)], 1)
    turns = np.flatnonzero(x[1:] != x[:-1]) + 1
    column = (np.minimum(x[turns], x[turns - 1]) + 0.5) / _SCALE - 0.5
    row = np.ceil(np.clip((np.minimum(y[turns], y[turns - 1]) + 0.5) / _SCALE - 0.5, 0, height)).astype(np.int64)
    kept = (column == np.floor(column)) & (column >= 0) & (column <= width - 1)
    borders = np.bincount(column[kept].astype(np.int64) * height + row[kept], minlength=height * width + 1)
    return (np.cumsum(borders)[: height * width] % 2).astype(np.uint8).reshape(width, height).T


def _edge(xs: int, ys: int, xe: int, ye: int) -> np.ndarray:
    """Every point of the finer grid from one corner to the next, ``(2, N)``."""
    dx, dy = abs(xe - xs), abs(ye - ys)
    steep = dx < dy
    if flipped := (ys > ye if steep else xs > xe):
        xs, ys, xe, ye = xe, ye, xs, ys
    t = np.arange(max(dx, dy) + 1)
    t = t[::-1] if flipped else t
    if steep:
        return np.stack([(xs + (xe - xs) / dy * t + 0.5).astype(np.int64), ys + t])
    return np.stack([xs + t, (ys + ((ye - ys) / dx if dx else 0) * t + 0.5).astype(np.int64)])


def _runs(segmentation: dict[str, Any]) -> np.ndarray:
    height, width = segmentation["size"]
    counts = segmentation["counts"]
    counts = np.asarray(_unpacked(counts) if isinstance(counts, str | bytes) else counts, np.int64)
    if (len(counts) and counts.min() < 0) or counts.sum() != height * width:
        raise ValueRangeError("coco_mask", f"run lengths of {counts.sum():,} pixels", f"expected {height * width:,} for {height} × {width}")
    return np.repeat(np.arange(len(counts)) % 2, counts).astype(np.uint8).reshape(width, height).T


def _unpacked(text: str | bytes) -> list[int]:
    """Numbers of five bits a letter, the sixth saying that more follow; from the fourth on, differences to the last but one."""
    found: list[int] = []
    value = shift = 0
    for letter in text.encode() if isinstance(text, str) else text:
        bits = letter - 48
        value |= (bits & 0x1F) << shift
        shift += 5
        if not bits & 0x20:
            value -= (1 << shift) if bits & 0x10 else 0
            found.append(value + (found[-2] if len(found) > 2 else 0))
            value = shift = 0
    return found
