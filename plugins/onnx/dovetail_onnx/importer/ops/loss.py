"""Losses of training graphs."""

from __future__ import annotations

from typing import Any

import dovetail as dv
from dovetail.nn import functional as F

from ..table import operator

__all__: list[str] = []


@operator()
def NegativeLogLikelihoodLoss(
    input: Any, target: Any, weight: Any = None, *, ignore_index: int | None = None, reduction: str = "mean"
) -> Any:
    ignored = -100 if ignore_index is None else ignore_index
    rows = input if input.ndim > 2 else input.unsqueeze(-1)  # a class axis of at least one place
    flat = rows.reshape(rows.shape[0], rows.shape[1], -1)
    out = F.nll_loss(flat, target.long().reshape(flat.shape[0], -1), weight, ignore_index=ignored, reduction=reduction)
    return out.reshape(target.shape) if reduction == "none" else out


@operator()
def SoftmaxCrossEntropyLoss(
    scores: Any, labels: Any, weights: Any = None, *, ignore_index: int | None = None, reduction: str = "mean"
) -> Any:
    log_prob = dv.log_softmax(scores, 1)
    return NegativeLogLikelihoodLoss(log_prob, labels, weights, ignore_index=ignore_index, reduction=reduction), log_prob
