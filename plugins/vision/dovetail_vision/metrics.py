"""How well a classifier does."""

from __future__ import annotations

import dovetail
from dovetail import Tensor
from dovetail.errors import RangeError, ShapeError

__all__ = ["accuracy", "confusion_matrix", "f1_score", "precision", "recall"]


def _answers(where: str, output: Tensor, target: Tensor) -> Tensor:
    answers = output.argmax(1) if output.ndim == 2 else output
    if answers.ndim != 1 or answers.shape != target.shape:
        what = f"output has shape {tuple(output.shape)} and target {tuple(target.shape)}"
        raise ShapeError(where, what, "expected scores (N, classes) or answers (N,), and labels (N,)")
    return answers


def accuracy(output: Tensor, target: Tensor, topk: int = 1) -> float:
    """The share of right answers, from scores ``(N, classes)`` or answers ``(N,)`` and labels ``(N,)``; NaN for none.

    With ``topk`` an answer is right when the label is among the ``topk`` highest scores.

    >>> accuracy(dovetail.tensor([0, 1, 2, 2]), dovetail.tensor([0, 1, 1, 2]))
    0.75
    >>> accuracy(dovetail.tensor([[0.1, 0.3, 0.6], [0.5, 0.4, 0.1]]), dovetail.tensor([1, 2]), topk=2)
    0.5
    """
    answers = _answers("accuracy", output, target)
    if topk != 1:
        if output.ndim != 2 or not 1 <= topk <= output.shape[1]:
            what = f"topk is {topk} and output has shape {tuple(output.shape)}"
            raise RangeError("accuracy", what, "expected scores (N, classes) and topk from 1 to the number of classes")
        right = (output.topk(topk, 1).indices == target.unsqueeze(1)).any(1)
        return int(right.sum()) / len(target) if len(target) else float("nan")
    return int((answers == target).sum()) / len(target) if len(target) else float("nan")


def confusion_matrix(output: Tensor, target: Tensor, num_classes: int) -> Tensor:
    """How often label ``row`` was answered with ``column``: int64 ``(num_classes, num_classes)``.

    Raises ``RangeError`` for a label or an answer outside ``0 .. num_classes - 1``.

    >>> confusion_matrix(dovetail.tensor([0, 1, 1]), dovetail.tensor([0, 0, 1]), 2).tolist()
    [[1, 1], [0, 1]]
    """
    answers = _answers("confusion_matrix", output, target)
    for name, values in (("output", answers), ("target", target)):
        if len(values) and not 0 <= int(values.min()) <= int(values.max()) < num_classes:
            what = f"{name} holds {int(values.min())} to {int(values.max())}"
            raise RangeError("confusion_matrix", what, f"expected 0 to {num_classes - 1}")
    classes = dovetail.arange(num_classes, device=target.device).unsqueeze(1)
    labelled = (classes == target).to(dovetail.float64)  # (num_classes, N)
    answered = (classes == answers).to(dovetail.float64)
    return (labelled @ answered.t()).to(dovetail.int64)


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
