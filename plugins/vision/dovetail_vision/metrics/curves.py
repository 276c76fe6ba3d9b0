"""Precision against recall over all thresholds of a score, and the area below."""

from __future__ import annotations

import dovetail
from dovetail import Tensor
from dovetail.errors import ShapeError

from ._base import Metric

__all__ = ["AveragePrecision", "average_precision", "precision_recall_curve"]


def _counts(where: str, scores: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of each different score, from the highest: the score, and how many of both kinds and of the positive are at it or above."""
    if scores.ndim != 1 or scores.shape != target.shape:
        what = f"scores have shape {tuple(scores.shape)} and target {tuple(target.shape)}"
        raise ShapeError(where, what, "expected scores (N,) and for each whether it is positive (N,)", "take one class at a time")
    scores, order = dovetail.sort(scores, descending=True, stable=True)
    positive = (target[order] != 0).to(dovetail.float64).cumsum(0)
    last = dovetail.cat([scores[1:] != scores[:-1], scores.new_ones(min(1, len(scores)), dtype=dovetail.bool)])
    ends = last.nonzero().flatten()
    return scores[ends], (ends + 1).to(dovetail.float64), positive[ends]


def precision_recall_curve(scores: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Precision and recall when all scores from a threshold on count as positive: ``(precision, recall, thresholds)``.

    ``scores`` are floats ``(N,)``, ``target`` says of each whether it is positive. ``thresholds`` are the T different scores, rising;
    ``precision`` and ``recall`` are float64 ``(T + 1,)``, the last of them 1 and 0, which no threshold has. This is scikit-learn's
    ``precision_recall_curve``. Without positives, recall is 1.

    >>> precision, recall, thresholds = precision_recall_curve(dovetail.tensor([0.1, 0.4, 0.35, 0.8]), dovetail.tensor([0, 0, 1, 1]))
    >>> precision.tolist(), recall.tolist()
    ([0.5, 0.6666666666666666, 0.5, 1.0, 1.0], [1.0, 1.0, 0.5, 0.5, 0.0])
    """
    thresholds, answered, right = _counts("precision_recall_curve", scores, target)
    precision = (right / answered).flip(0)
    total = right[-1:]
    recall = dovetail.where(total == 0, dovetail.ones_like(right), right / total.clamp(min=1)).flip(0)
    one, none = right.new_ones(1), right.new_zeros(1)
    return dovetail.cat([precision, one]), dovetail.cat([recall, none]), thresholds.flip(0)


def average_precision(scores: Tensor, target: Tensor) -> float:
    """The area below the curve of precision over recall, ``Σ (Rₙ − Rₙ₋₁) Pₙ``, not interpolated; 0 without positives, NaN for nothing.

    >>> round(average_precision(dovetail.tensor([0.1, 0.4, 0.35, 0.8]), dovetail.tensor([0, 0, 1, 1])), 4)
    0.8333
    """
    _, answered, right = _counts("average_precision", scores, target)
    if not len(right):
        return float("nan")
    gained = right - dovetail.cat([right.new_zeros(1), right[:-1]])
    return float((gained * right / answered).sum() / right[-1].clamp(min=1))


class AveragePrecision(Metric):
    """`average_precision` of many batches; all scores are kept until ``reset``.

    >>> metric = AveragePrecision()
    >>> metric.update(dovetail.tensor([0.1, 0.4]), dovetail.tensor([0, 0]))
    >>> metric.update(dovetail.tensor([0.35, 0.8]), dovetail.tensor([1, 1]))
    >>> round(metric.compute(), 4)
    0.8333
    """

    def reset(self) -> None:
        """Forget all batches."""
        self.scores: list[Tensor] = []
        self.targets: list[Tensor] = []

    def update(self, output: Tensor, target: Tensor) -> None:
        """Take in scores ``(N,)`` and for each whether it is positive ``(N,)``."""
        self.scores, self.targets = [*self.scores, output.detach().cpu()], [*self.targets, target.detach().cpu()]

    def compute(self) -> float:
        """The area below the curve of all scores; NaN for none."""
        return average_precision(dovetail.cat(self.scores), dovetail.cat(self.targets)) if self.scores else float("nan")

    def curve(self) -> tuple[Tensor, Tensor, Tensor]:
        """`precision_recall_curve` of all scores."""
        return precision_recall_curve(dovetail.cat(self.scores), dovetail.cat(self.targets))
