"""Masks of COCO's annotations: polygons, and runs of pixels, plain or packed into text; pycocotools is not needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dovetail.errors import ValueRangeError

__all__ = ["mask_of"]

_FINER = 5  # the border is followed in fifths of a pixel


def _border(xy: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """The points of a polygon's border, in fifths of a pixel, one step along the longer side at a time."""
    corners = (_FINER * np.asarray(xy, np.float64).reshape(-1, 2) + 0.5).astype(np.int64)
    us, vs = [], []
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, 0), strict=True):
        across, down = abs(x1 - x0), abs(y1 - y0)
        flip = x0 > x1 if across >= down else y0 > y1
        if flip:
            x0, y0, x1, y1 = x1, y1, x0, y0
        steps = np.arange(max(across, down) + 1)
        steps = steps[::-1] if flip else steps
        if across >= down:
            slope = (y1 - y0) / across if across else 0.0
            us.append(steps + x0)
            vs.append((y0 + slope * steps + 0.5).astype(np.int64))
        else:
            us.append((x0 + (x1 - x0) / down * steps + 0.5).astype(np.int64))
            vs.append(steps + y0)
    return np.concatenate(us), np.concatenate(vs)


def _polygon(xy: Sequence[float], height: int, width: int) -> np.ndarray:
    """A filled polygon: down each column of pixels it begins and ends where the border crosses the column's middle."""
    u, v = _border(xy)
    crossing = u[1:] != u[:-1]
    x = (np.minimum(u[1:], u[:-1])[crossing] + 0.5) / _FINER - 0.5
    y = (np.minimum(v[1:], v[:-1])[crossing] + 0.5) / _FINER - 0.5
    kept = (x == np.floor(x)) & (x >= 0) & (x <= width - 1)
    at = x[kept].astype(np.int64) * height + np.ceil(np.clip(y[kept], 0, height)).astype(np.int64)
    changes = np.bincount(at, minlength=height * width + 1)[: height * width]
    return (np.cumsum(changes) % 2).astype(np.uint8).reshape(width, height).T


def _unpacked(text: str) -> list[int]:
    """The lengths of runs in COCO's text: five bits a character from 48 on, and from the third run on differences to the last but one."""
    runs: list[int] = []
    at = 0
    while at < len(text):
        value, shift, more = 0, 0, True
        while more:
            bits = ord(text[at]) - 48
            value |= (bits & 31) << shift
            more, at, shift = bool(bits & 32), at + 1, shift + 5
            if not more and bits & 16:
                value -= 1 << shift
        runs.append(value + runs[-2] if len(runs) > 2 else value)
    return runs


def _runs(counts: Any, height: int, width: int) -> np.ndarray:
    counts = counts.decode() if isinstance(counts, bytes) else counts
    try:
        runs = np.asarray(_unpacked(counts) if isinstance(counts, str) else counts, np.int64)
        if runs.min(initial=0) < 0 or runs.sum() != height * width:
            raise ValueError(f"they add up to {runs.sum()}")
    except (IndexError, ValueError, OverflowError, TypeError) as error:
        what = f"the runs of a mask do not cover {height} × {width} pixels ({error})"
        raise ValueRangeError("segmentation", what, "expected runs of 0 and 1, column by column") from None
    return np.repeat(np.arange(len(runs)) % 2, runs).astype(np.uint8).reshape(width, height).T


def mask_of(segmentation: Any, canvas_size: tuple[int, int]) -> np.ndarray:
    """An annotation's "segmentation" as a mask ``(H, W)`` of 0 and 1: a list of polygons, or a dict with "counts".

    Raises a ValueRangeError (ValueError) for anything else. Source: https://cocodataset.org/#format-data.

    >>> mask_of([[1, 1, 4, 1, 4, 3, 1, 3]], (4, 5)).tolist()
    [[0, 0, 0, 0, 0], [0, 1, 1, 1, 0], [0, 1, 1, 1, 0], [0, 0, 0, 0, 0]]
    """
    height, width = canvas_size
    if isinstance(segmentation, dict) and "counts" in segmentation:
        return _runs(segmentation["counts"], height, width)
    if not isinstance(segmentation, list) or not all(isinstance(xy, list) and len(xy) >= 6 for xy in segmentation):
        what = f"it is {type(segmentation).__name__}"
        raise ValueRangeError("segmentation", what, "expected a list of polygons [x, y, x, y, …], or a dict with counts")
    out = np.zeros((height, width), np.uint8)
    for xy in segmentation:
        out |= _polygon(xy, height, width)
    return out
