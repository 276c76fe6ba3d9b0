"""How well the classes of pixels are found: intersection over union."""

from __future__ import annotations

from typing import Any

import dovetail
from dovetail import Tensor

from .classification import ConfusionMatrix, confusion_matrix

__all__ = ["MeanIoU", "iou_of_classes", "mean_iou"]


def _of_table(table: Tensor) -> Tensor:
    table = table.to(dovetail.float64)
    both = table.diagonal()
    return both / (table.sum(0) + table.sum(1) - both)


def _mean(ious: Tensor) -> float:
    return float(ious.nanmean())


def iou_of_classes(output: Tensor, target: Tensor, num_classes: int, ignore_index: int | None = None) -> Tensor:
    """Intersection over union of each class: float64 ``(num_classes,)``; NaN for a class that is neither answered nor there.

    ``output`` has scores ``(N, classes, H, W)`` or answers ``(N, H, W)``, ``target`` the classes ``(N, H, W)`` of the pixels; pixels
    of ``ignore_index`` do not count.

    >>> iou_of_classes(dovetail.tensor([[0, 1, 1, 1]]), dovetail.tensor([[0, 0, 1, 255]]), 3, ignore_index=255)
    tensor([0.5000, 0.5000,    nan], dtype=dovetail.float64)
    """
    return _of_table(confusion_matrix(output, target, num_classes, ignore_index))


def mean_iou(output: Tensor, target: Tensor, num_classes: int, ignore_index: int | None = None) -> float:
    """The mean of `iou_of_classes`, without the classes that are neither answered nor there; NaN when none is.

    >>> mean_iou(dovetail.tensor([[0, 1, 1]]), dovetail.tensor([[0, 0, 1]]), 3)
    0.5
    """
    return _mean(iou_of_classes(output, target, num_classes, ignore_index))


class MeanIoU(ConfusionMatrix):
    """`mean_iou` of many batches, all pixels counted together; ``ious()`` has that of each class, ``pixel_accuracy()`` the right pixels.

    An output may be the dict of a segmentation model, of which ``"out"`` counts.

    >>> metric = MeanIoU(2)
    >>> metric.update(dovetail.tensor([[0, 1, 1]]), dovetail.tensor([[0, 0, 1]]))
    >>> metric.compute(), metric.ious().tolist(), round(metric.pixel_accuracy(), 4)
    (0.5, [0.5, 0.5], 0.6667)
    """

    def update(self, output: Any, target: Tensor) -> None:
        """Take in scores ``(N, classes, H, W)`` or answers ``(N, H, W)``, and the classes ``(N, H, W)`` of the pixels."""
        super().update(output["out"] if isinstance(output, dict) else output, target)

    def compute(self) -> float:
        """The mean over the classes that are answered or there; NaN when none is."""
        return _mean(self.ious())

    def ious(self) -> Tensor:
        """Intersection over union of each class: float64 ``(num_classes,)``, NaN for one that is neither answered nor there."""
        return _of_table(self.table)

    def pixel_accuracy(self) -> float:
        """The share of pixels that are right; NaN for none."""
        count = int(self.table.sum())
        return int(self.table.diagonal().sum()) / count if count else float("nan")
