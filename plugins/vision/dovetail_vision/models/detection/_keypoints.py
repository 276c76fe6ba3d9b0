"""The key points of Keypoint R-CNN as heat maps, and back."""

from __future__ import annotations

from collections.abc import Sequence

import dovetail
from dovetail import Tensor
from dovetail.errors import ValueRangeError
from dovetail.nn import functional as F

__all__ = ["heatmaps_to_keypoints", "keypointrcnn_inference", "keypointrcnn_loss", "keypoints_to_heatmap"]


def keypoints_to_heatmap(keypoints: Tensor, rois: Tensor, heatmap_size: int) -> tuple[Tensor, Tensor]:
    """The cell that each key point (N, K, 3) of a box (N, 4) falls into, row · size + column, and 1 where it is visible and inside."""
    low, high = rois[:, None, :2], rois[:, None, 2:]
    cell = ((keypoints[..., :2] - low) * (heatmap_size / (high - low))).floor().long()
    cell = dovetail.where(keypoints[..., :2] == high, heatmap_size - 1, cell)  # the far edge belongs to the last cell
    valid = (((cell >= 0) & (cell < heatmap_size)).all(-1) & (keypoints[..., 2] > 0)).long()
    return (cell[..., 1] * heatmap_size + cell[..., 0]) * valid, valid


def heatmaps_to_keypoints(maps: Tensor, rois: Tensor) -> tuple[Tensor, Tensor]:
    """Where heat maps (N, K, H, W) of boxes (N, 4) are highest: key points (N, K, 3), x, y and 1, and their values (N, K).

    Each map is resized to its box in pixels, one box after the other, for each has a size of its own.
    """
    count = maps.shape[1]
    sides = (rois[:, 2:] - rois[:, :2]).clamp(min=1)
    whole = sides.ceil()
    points, scores = [], []
    for one, size, (width, height) in zip(maps, sides / whole, whole.long().tolist(), strict=True):
        resized = F.interpolate(one[:, None], size=(height, width), mode="bicubic", align_corners=False).reshape(count, -1)
        at = resized.argmax(1)
        cell = dovetail.stack((at % width, at // width), 1)
        points.append((cell.float() + 0.5) * size)
        scores.append(resized.gather(1, at[:, None])[:, 0])
    if not points:
        return maps.new_zeros((0, count, 3), dtype=dovetail.float32), maps.new_zeros((0, count), dtype=dovetail.float32)
    found = dovetail.stack(points) + rois[:, None, :2]
    return dovetail.cat((found, dovetail.ones_like(found[..., :1])), -1).float(), dovetail.stack(scores).float()


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
