"""How well models do: of answers, of pixels, of boxes; functions, running metrics and the evaluation of a whole dataset."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from .classification import Accuracy, ConfusionMatrix, accuracy, confusion_matrix, f1_score, precision, recall

_HOME = {
    "AveragePrecision": "curves", "average_precision": "curves", "precision_recall_curve": "curves",
    "MeanIoU": "segmentation", "iou_of_classes": "segmentation", "mean_iou": "segmentation",
    "MeanAveragePrecision": "detection", "mean_average_precision": "detection", "Metric": "_base", "evaluate": "evaluation",
}  # fmt: skip
__all__ = [  # noqa: PLE0604
    "Accuracy", "ConfusionMatrix", "accuracy", "confusion_matrix", "f1_score", "precision", "recall", *_HOME,
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    return globals()[name]
