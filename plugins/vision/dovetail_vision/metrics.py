"""How well a classifier does."""

from __future__ import annotations

import dovetail
from dovetail import Tensor
from dovetail.errors import RangeError, ShapeError

__all__ = ["accuracy", "confusion_matrix"]


def _answers(where: str, output: Tensor, target: Tensor) -> Tensor:
    answers = output.argmax(1) if output.ndim == 2 else output
    if answers.ndim != 1 or answers.shape != target.shape:
        what = f"output has shape {tuple(output.shape)} and target {tuple(target.shape)}"
        raise ShapeError(where, what, "expected scores (N, classes) or answers (N,), and labels (N,)")
    return answers


def accuracy(output: Tensor, target: Tensor) -> float:
    """The share of right answers, from scores ``(N, classes)`` or answers ``(N,)`` and labels ``(N,)``; NaN for none.

    >>> accuracy(dovetail.tensor([0, 1, 2, 2]), dovetail.tensor([0, 1, 1, 2]))
    0.75
    """
    answers = _answers("accuracy", output, target)
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
