"""Sampling images at given places, and regions of interest."""

from __future__ import annotations

from typing import Any

import numpy as np

import dovetail as dv
from dovetail.nn import functional as F

from ..bind import leave
from ..table import operator
from ..values import integers

__all__: list[str] = []

_MODES = {"linear": "bilinear", "cubic": "bicubic"}


@operator(since=16)
def GridSample(X: Any, grid: Any, *, align_corners: int = 0, mode: str = "linear", padding_mode: str = "zeros") -> Any:
    return F.grid_sample(X, grid, mode=_MODES.get(mode, mode), padding_mode=padding_mode, align_corners=bool(align_corners))


@operator()
def AffineGrid(theta: Any, size: Any, *, align_corners: int = 0) -> Any:
    return F.affine_grid(theta, integers(size), align_corners=bool(align_corners))


def _positions(low: np.ndarray[Any, Any], high: np.ndarray[Any, Any], bins: int, ratio: int, size: int) -> np.ndarray[Any, Any]:
    """(bins · ratio, size): bilinear weights of the samples along one axis of one region."""
    step = (high - low) / bins
    x = low + (np.arange(bins * ratio) + 0.5) * step / ratio
    matrix = np.zeros((len(x), size))
    inside = (x >= -1) & (x <= size)
    x = np.clip(x, 0, size - 1)
    left = np.floor(x).astype(np.int64)
    right = np.minimum(left + 1, size - 1)
    np.add.at(matrix, (np.arange(len(x)), left), np.where(inside, 1 - (x - left), 0))
    np.add.at(matrix, (np.arange(len(x)), right), np.where(inside, x - left, 0))
    return matrix


@operator()
def RoiAlign(
    X: Any, rois: Any, batch_indices: Any, *, coordinate_transformation_mode: str | None = None, mode: str = "avg", output_height: int = 1,
    output_width: int = 1, sampling_ratio: int = 0, spatial_scale: float = 1.0, opset: int,
) -> Any:  # fmt: skip
    """Mask R-CNN's pooling (He et al. 2017): samples of each bin, bilinear and so separable, averaged."""
    if mode != "avg":  # the largest of the weighted corners, which is no weighted sum
        raise leave()
    half = (coordinate_transformation_mode or ("half_pixel" if opset >= 16 else "output_half_pixel")) == "half_pixel"
    boxes = rois.detach().cpu().numpy().astype(np.float64) * spatial_scale - (0.5 if half else 0.0)
    out = []
    for box, batch in zip(boxes, integers(batch_indices)):
        sizes = box[2:] - box[:2]
        if not half:
            sizes = np.maximum(sizes, 1.0)
        ratios = [sampling_ratio or max(int(np.ceil(size / bins)), 1) for size, bins in zip(sizes, (output_width, output_height))]
        across = _positions(box[0], box[0] + sizes[0], output_width, ratios[0], X.shape[3])
        down = _positions(box[1], box[1] + sizes[1], output_height, ratios[1], X.shape[2])
        across = across.reshape(output_width, ratios[0], -1).mean(1)
        down = down.reshape(output_height, ratios[1], -1).mean(1)
        out.append(_weighted(X[batch], down, across))
    return dv.stack(out) if out else X.new_zeros((0, X.shape[1], output_height, output_width))


def _weighted(image: Any, down: np.ndarray[Any, Any], across: np.ndarray[Any, Any]) -> Any:
    left, right = (dv.from_numpy(one).to(image.dtype).to(image.device) for one in (down, across))
    return left @ image @ right.t()


@operator()
def MaxRoiPool(X: Any, rois: Any, *, pooled_shape: list[int], spatial_scale: float = 1.0) -> Any:
    """Fast R-CNN's pooling (Girshick 2015): the largest element of each bin of a region of whole pixels, 0 where a bin is outside."""
    boxes = rois.detach().cpu().numpy().astype(np.float64)
    corners = np.floor(boxes[:, 1:] * spatial_scale + 0.5).astype(np.int64)
    out = []
    for batch, (left, top, right, bottom) in zip(boxes[:, 0].astype(np.int64), corners):
        rows = _bins(top, bottom, pooled_shape[0], X.shape[2])
        columns = _bins(left, right, pooled_shape[1], X.shape[3])
        image = X[int(batch)]
        empty = image.new_zeros(X.shape[1])
        found = [image[:, a:b, c:d].amax((1, 2)) if b > a and d > c else empty for a, b in rows for c, d in columns]
        out.append(dv.stack(found, -1).reshape(X.shape[1], *pooled_shape))
    return dv.stack(out) if out else X.new_zeros((0, X.shape[1], *pooled_shape))


def _bins(first: int, last: int, count: int, size: int) -> list[tuple[int, int]]:
    """Where each bin of a region from one pixel to another, both included, begins and ends inside the image."""
    step = max(int(last) - int(first) + 1, 1) / count
    ends = [(int(np.floor(k * step)) + int(first), int(np.ceil((k + 1) * step)) + int(first)) for k in range(count)]
    return [(min(max(a, 0), size), min(max(b, 0), size)) for a, b in ends]
