"""The key points of Keypoint R-CNN as heat maps, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import dovetail
from dovetail import Tensor
from dovetail.errors import ValueRangeError
from dovetail.extend import Array, Fixed, op, xp
from dovetail.nn import functional as F

__all__ = ["heatmaps_to_keypoints", "keypointrcnn_inference", "keypointrcnn_loss", "keypoints_to_heatmap"]


def keypoints_to_heatmap(keypoints: Tensor, rois: Tensor, heatmap_size: int) -> tuple[Tensor, Tensor]:
    """The cell that each key point (N, K, 3) of a box (N, 4) falls into, row · size + column, and 1 where it is visible and inside."""
    low, high = rois[:, None, :2], rois[:, None, 2:]
    scale = (high - low).reciprocal() * heatmap_size  # as PyTorch divides a number: the last digit decides between two cells
    cell = ((keypoints[..., :2] - low) * scale).floor().long()
    cell = dovetail.where(keypoints[..., :2] == high, heatmap_size - 1, cell)  # the far edge belongs to the last cell
    valid = (((cell >= 0) & (cell < heatmap_size)).all(-1) & (keypoints[..., 2] > 0)).long()
    return (cell[..., 1] * heatmap_size + cell[..., 0]) * valid, valid


def heatmaps_to_keypoints(maps: Tensor, rois: Tensor) -> tuple[Tensor, Tensor]:
    """Where heat maps (N, K, H, W) of boxes (N, 4) are highest: key points (N, K, 3), x, y and 1, and their values (N, K).

    Each map is resized to its box in pixels, bicubically, and has its peak there.
    """
    sides = (rois[:, 2:] - rois[:, :2]).clamp(min=1)
    pixels = sides.ceil().long()
    at = _peaks(maps.detach(), pixels)
    cell = dovetail.stack((at % pixels[:, :1], at // pixels[:, :1]), -1)
    points = (cell.float() + 0.5) * (sides / pixels)[:, None] + rois[:, None, :2]
    return dovetail.cat((points, dovetail.ones_like(points[..., :1])), -1).float(), _resized_at(maps, cell, pixels).float()


@op(dtypes=None, name="vision/peaks")
def _peaks(maps: Fixed, pixels: Fixed) -> Array:
    """The pixel, row · width + column, in which each of the maps (N, K, H, W) is highest when resized to ``pixels`` (N, 2): (N, K)."""
    module, (high, wide) = xp(maps), maps.shape[2:]
    out = module.empty(maps.shape[:2], np.int64)
    around = module.pad(maps.astype(np.float32, copy=False), ((0, 0), (0, 0), (2, 2), (2, 2)), mode="edge")
    for k, (width, height) in enumerate(pixels.tolist()):
        down, across = (module.asarray(_resizing(*sizes)) for sizes in ((height, high), (width, wide)))
        out[k] = module.matmul(module.matmul(down, around[k]), across.T).reshape(maps.shape[1], -1).argmax(1)
    return out


def _resizing(pixels: int, cells: int) -> np.ndarray:
    """How much of each of a map's cells, two beyond its edges among them, a pixel shows along one side: (pixels, cells + 4)."""
    at = (np.arange(pixels) + 0.5) * (cells / pixels) + 1.5
    return _cubic(np, at[:, None] - np.arange(cells + 4)).astype(np.float32)


def _cubic(module: Any, distance: Any) -> Any:
    """The cubic convolution kernel with a = -3/4, of arrays and of tensors. Source: Keys, 1981, doi:10.1109/TASSP.1981.1163711."""
    d = abs(distance)
    return module.where(d < 1, (1.25 * d - 2.25) * d * d + 1, module.where(d < 2, ((3.75 - 0.75 * d) * d - 6) * d + 3, 0.0))


def _resized_at(maps: Tensor, cell: Tensor, pixels: Tensor) -> Tensor:
    """The values of the resized maps in single pixels (N, K, 2), x and y; by ops, since they have gradients."""
    (rows, down), (columns, across) = (_taps(cell[..., d], pixels[:, d, None], maps.shape[3 - d], maps.dtype) for d in (1, 0))
    places = (rows[..., :, None] * maps.shape[3] + columns[..., None, :]).flatten(2)
    return (maps.flatten(2).gather(2, places) * (down[..., :, None] * across[..., None, :]).flatten(2)).sum(-1)


def _taps(pixel: Tensor, pixels: Tensor, cells: int, dtype: Any) -> tuple[Tensor, Tensor]:
    """The four cells that a pixel shows along one side, and how much of each: (N, K, 4); in float64, as interpolation counts."""
    at = (pixel.double() + 0.5) * (cells / pixels.double()) - 0.5
    near = at.floor()[..., None] + dovetail.arange(-1, 3, device=at.device)
    return near.long().clamp(0, cells - 1), _cubic(dovetail, at[..., None] - near).to(dtype)


def keypointrcnn_loss(
    keypoint_logits: Tensor, proposals: Sequence[Tensor], gt_keypoints: Sequence[Tensor], keypoint_matched_idxs: Sequence[Tensor]
) -> Tensor:
    """Cross-entropy of the cells in which the visible key points are. A ValueError for heat maps that are not square."""
    n, k, height, width = keypoint_logits.shape
    if height != width:
        raise ValueRangeError("keypointrcnn_loss", f"keypoint_logits has height {height} and width {width}", "expected equal ones")
    cells, valid = [], []
    for boxes, points, at in zip(proposals, gt_keypoints, keypoint_matched_idxs, strict=True):
        cell, seen = keypoints_to_heatmap(points[at], boxes, height)
        cells.append(cell.reshape(-1))
        valid.append(seen.reshape(-1))
    targets, seen = dovetail.cat(cells), dovetail.where(dovetail.cat(valid))[0]
    if targets.numel() == 0 or len(seen) == 0:
        return keypoint_logits.sum() * 0
    return F.cross_entropy(keypoint_logits.reshape(n * k, height * width)[seen], targets[seen])


def keypointrcnn_inference(x: Tensor, boxes: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """`heatmaps_to_keypoints` for each image's part of the heat maps."""
    found = [heatmaps_to_keypoints(part, one) for part, one in zip(x.split([len(b) for b in boxes]), boxes, strict=True)]
    return [points for points, _ in found], [scores for _, scores in found]
