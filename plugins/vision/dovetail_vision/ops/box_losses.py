"""Losses of predicted boxes by their overlap with the true ones, with gradients also where they do not meet."""

from __future__ import annotations

import dovetail
from dovetail import Tensor
from dovetail.errors import RangeError

from ._checks import reduced
from .boxes import proportions, slope

__all__ = ["complete_box_iou_loss", "distance_box_iou_loss", "generalized_box_iou_loss"]


def _float(boxes: Tensor) -> Tensor:
    return boxes if boxes.dtype in (dovetail.float32, dovetail.float64) else boxes.float()


def _parts(boxes1: Tensor, boxes2: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    """IoU and union of the boxes in pairs, and the sides (..., 2) of the smallest boxes around them."""
    if boxes1.shape != boxes2.shape:
        what = f"boxes1 is {tuple(boxes1.shape)} and boxes2 {tuple(boxes2.shape)}"
        raise RangeError("box_iou_loss", what, "expected one shape, box by box", "index the boxes that belong together")
    low, high = dovetail.max(boxes1[..., :2], boxes2[..., :2]), dovetail.min(boxes1[..., 2:], boxes2[..., 2:])
    sides = high - low
    inter = dovetail.where((sides > 0).all(-1), sides[..., 0] * sides[..., 1], 0)
    areas = [(boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1]) for boxes in (boxes1, boxes2)]
    union = areas[0] + areas[1] - inter
    around = dovetail.max(boxes1[..., 2:], boxes2[..., 2:]) - dovetail.min(boxes1[..., :2], boxes2[..., :2])
    return inter / (union + eps), union, around


def _reduced(where: str, loss: Tensor, reduction: str) -> Tensor:
    """The mean over no box is 0, not NaN."""
    return 0.0 * loss.sum() if reduction == "mean" and loss.numel() == 0 else reduced(where, loss, reduction)


def generalized_box_iou_loss(boxes1: Tensor, boxes2: Tensor, reduction: str = "none", eps: float = 1e-7) -> Tensor:
    """1 less the generalized IoU of the boxes (N, 4), xyxy, in pairs: https://arxiv.org/abs/1902.09630.

    >>> generalized_box_iou_loss(dovetail.tensor([[0., 0, 2, 2]]), dovetail.tensor([[6., 0, 8, 2]]))
    tensor([1.5000])
    """
    iou, union, around = _parts(_float(boxes1), _float(boxes2), eps)
    area = around[..., 0] * around[..., 1]
    return _reduced("generalized_box_iou_loss", 1 - (iou - (area - union) / (area + eps)), reduction)


def _distance_loss(boxes1: Tensor, boxes2: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    iou, _, around = _parts(boxes1, boxes2, eps)
    diagonal = around[..., 0] ** 2 + around[..., 1] ** 2 + eps
    apart = ((boxes1[..., 2:] + boxes1[..., :2]) / 2 - (boxes2[..., 2:] + boxes2[..., :2]) / 2) ** 2
    return 1 - iou + (apart[..., 0] + apart[..., 1]) / diagonal, iou


def distance_box_iou_loss(boxes1: Tensor, boxes2: Tensor, reduction: str = "none", eps: float = 1e-7) -> Tensor:
    """1 less the distance IoU of the boxes (N, 4), xyxy, in pairs: https://arxiv.org/abs/1911.08287.

    >>> distance_box_iou_loss(dovetail.tensor([[0., 0, 2, 2]]), dovetail.tensor([[2., 0, 4, 2]]))
    tensor([1.2000])
    """
    return _reduced("distance_box_iou_loss", _distance_loss(_float(boxes1), _float(boxes2), eps)[0], reduction)


def complete_box_iou_loss(boxes1: Tensor, boxes2: Tensor, reduction: str = "none", eps: float = 1e-7) -> Tensor:
    """1 less the complete IoU of the boxes (N, 4), xyxy, in pairs: https://arxiv.org/abs/1911.08287.

    >>> complete_box_iou_loss(dovetail.tensor([[0., 0, 2, 2]]), dovetail.tensor([[2., 0, 4, 2]]))
    tensor([1.2000])
    """
    boxes1, boxes2 = _float(boxes1), _float(boxes2)
    distance, iou = _distance_loss(boxes1, boxes2, 1e-7)  # torchvision, too, hands eps to the last term alone
    return _reduced("complete_box_iou_loss", distance + proportions(slope(boxes2), slope(boxes1), iou, eps), reduction)
