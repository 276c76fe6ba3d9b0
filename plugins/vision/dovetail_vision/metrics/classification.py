"""How well a classifier does, of images or of pixels."""

from __future__ import annotations

from typing import Any

import dovetail
from dovetail import Tensor
from dovetail.errors import RangeError, ShapeError

from ._base import Metric

__all__ = ["Accuracy", "ConfusionMatrix", "accuracy", "confusion_matrix", "f1_score", "precision", "recall"]


def _answers(where: str, output: Tensor, target: Tensor) -> Tensor:
    """The class of each label, from scores (N, classes, …) or answers (N, …)."""
    answers = output.argmax(1) if output.ndim == target.ndim + 1 and output.ndim > 1 else output
    if answers.ndim < 1 or answers.shape != target.shape:
        what = f"output has shape {tuple(output.shape)} and target {tuple(target.shape)}"
        raise ShapeError(where, what, "expected scores (N, classes, …) or answers (N, …), and labels (N, …)")
    return answers


def _right(output: Tensor, target: Tensor, topk: int) -> int:
    answers = _answers("accuracy", output, target)
    if topk == 1:
        return int((answers == target).sum())
    if output.ndim == target.ndim or not 1 <= topk <= output.shape[1]:
        what = f"topk is {topk} and output has shape {tuple(output.shape)}"
        raise RangeError("accuracy", what, "expected scores (N, classes) and topk from 1 to the number of classes")
    return int((output.topk(topk, 1).indices == target.unsqueeze(1)).any(1).sum())


def accuracy(output: Tensor, target: Tensor, topk: int = 1) -> float:
    """The share of right answers, from scores ``(N, classes, …)`` or answers ``(N, …)`` and labels ``(N, …)``; NaN for none.

    With ``topk`` an answer is right when the label is among the ``topk`` highest scores.

    >>> accuracy(dovetail.tensor([0, 1, 2, 2]), dovetail.tensor([0, 1, 1, 2]))
    0.75
    >>> accuracy(dovetail.tensor([[0.1, 0.3, 0.6], [0.5, 0.4, 0.1]]), dovetail.tensor([1, 2]), topk=2)
    0.5
    """
    right = _right(output, target, topk)
    return right / target.numel() if target.numel() else float("nan")


def confusion_matrix(output: Tensor, target: Tensor, num_classes: int, ignore_index: int | None = None) -> Tensor:
    """How often label ``row`` was answered with ``column``: int64 ``(num_classes, num_classes)``.

    ``output`` has scores ``(N, classes, …)`` or answers ``(N, …)``, ``target`` the labels ``(N, …)``; those equal to ``ignore_index`` do
    not count. Raises ``RangeError`` for a label or an answer outside ``0 .. num_classes - 1``.

    >>> confusion_matrix(dovetail.tensor([0, 1, 1]), dovetail.tensor([0, 0, 1]), 2).tolist()
    [[1, 1], [0, 1]]
    """
    answers = _answers("confusion_matrix", output, target).flatten()
    target = target.flatten()
    if ignore_index is not None:
        kept = target != ignore_index
        answers, target = answers[kept], target[kept]
    for name, values in (("output", answers), ("target", target)):
        if len(values) and not 0 <= int(values.min()) <= int(values.max()) < num_classes:
            what = f"{name} holds {int(values.min())} to {int(values.max())}"
            raise RangeError("confusion_matrix", what, f"expected 0 to {num_classes - 1}")
    pairs = target.to(dovetail.int64) * num_classes + answers.to(dovetail.int64)
    return dovetail.bincount(pairs, minlength=num_classes * num_classes).reshape(num_classes, num_classes)


def _shares(output: Tensor, target: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
    """Precision and recall of each class; 0 for a class that was never answered, or is not there."""
    table = confusion_matrix(output, target, num_classes).to(dovetail.float64)
    right = table.diagonal()
    return right / table.sum(0).clamp(min=1), right / table.sum(1).clamp(min=1)


def precision(output: Tensor, target: Tensor, num_classes: int) -> Tensor:
    """Of the answers of each class, the share that is right: float64 ``(num_classes,)``, 0 for a class that was never answered.

    >>> precision(dovetail.tensor([0, 1, 1]), dovetail.tensor([0, 0, 1]), 2)
    tensor([1.0000, 0.5000], dtype=dovetail.float64)
    """
    return _shares(output, target, num_classes)[0]


def recall(output: Tensor, target: Tensor, num_classes: int) -> Tensor:
    """Of the samples of each class, the share that was found: float64 ``(num_classes,)``, 0 for a class without samples.

    >>> recall(dovetail.tensor([0, 1, 1]), dovetail.tensor([0, 0, 1]), 2)
    tensor([0.5000, 1.0000], dtype=dovetail.float64)
    """
    return _shares(output, target, num_classes)[1]


def f1_score(output: Tensor, target: Tensor, num_classes: int) -> Tensor:
    """The harmonic mean ``2 P R / (P + R)`` of precision and recall of each class: float64 ``(num_classes,)``, 0 where both are 0.

    >>> f1_score(dovetail.tensor([0, 1, 1]), dovetail.tensor([0, 0, 1]), 2)
    tensor([0.6667, 0.6667], dtype=dovetail.float64)
    """
    found, missed = _shares(output, target, num_classes)
    total = found + missed
    return 2 * found * missed / total.masked_fill(total == 0, 1.0)


class Accuracy(Metric):
    """`accuracy` of many batches: the share of right answers, or of labels among the ``topk`` highest scores.

    >>> metric = Accuracy()
    >>> for answers, labels in (([0, 1], [0, 0]), ([2, 2], [2, 2])):
    ...     metric.update(dovetail.tensor(answers), dovetail.tensor(labels))
    >>> metric.compute()
    0.75
    """

    def __init__(self, topk: int = 1) -> None:
        self.topk = topk
        super().__init__()

    def reset(self) -> None:
        """Forget all batches."""
        self.right, self.count = 0, 0

    def update(self, output: Tensor, target: Tensor) -> None:
        """Take in scores ``(N, classes, …)`` or answers ``(N, …)``, and labels ``(N, …)``."""
        self.right += _right(output, target, self.topk)
        self.count += target.numel()

    def compute(self) -> float:
        """The share of right answers; NaN for none."""
        return self.right / self.count if self.count else float("nan")


class ConfusionMatrix(Metric):
    """`confusion_matrix` of many batches.

    >>> metric = ConfusionMatrix(2)
    >>> metric.update(dovetail.tensor([0, 1]), dovetail.tensor([0, 0]))
    >>> metric.update(dovetail.tensor([1]), dovetail.tensor([1]))
    >>> metric.compute().tolist()
    [[1, 1], [0, 1]]
    """

    def __init__(self, num_classes: int, ignore_index: int | None = None) -> None:
        self.num_classes, self.ignore_index = num_classes, ignore_index
        super().__init__()

    def reset(self) -> None:
        """Forget all batches."""
        self.table = dovetail.zeros(self.num_classes, self.num_classes, dtype=dovetail.int64)

    def update(self, output: Any, target: Tensor) -> None:
        """Take in scores ``(N, classes, …)`` or answers ``(N, …)``, and labels ``(N, …)``."""
        self.table = self.table + confusion_matrix(output, target, self.num_classes, self.ignore_index).cpu()

    def compute(self) -> Any:
        """Counts, int64 ``(num_classes, num_classes)``: label ``row`` answered with ``column``."""
        return self.table
