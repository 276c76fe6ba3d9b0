"""Focal loss: cross-entropy in which examples that are easy count less."""

from __future__ import annotations

import dovetail
from dovetail import Tensor
from dovetail.errors import ValueRangeError
from dovetail.nn import functional as F

from ._checks import reduced

__all__ = ["sigmoid_focal_loss"]


def sigmoid_focal_loss(inputs: Tensor, targets: Tensor, alpha: float = 0.25, gamma: float = 2, reduction: str = "none") -> Tensor:
    """``-α (1 - p)^γ log p`` with p the probability that logits of any shape give to targets 0 or 1; ``alpha=-1`` leaves α out.

    Source: https://arxiv.org/abs/1708.02002. Raises a ValueError for another ``alpha`` or ``reduction``.

    >>> sigmoid_focal_loss(dovetail.tensor([0.0, 3.0]), dovetail.tensor([1.0, 1.0]))
    tensor([4.3322e-02, 2.7321e-05])
    """
    if not 0 <= alpha <= 1 and alpha != -1:
        raise ValueRangeError("sigmoid_focal_loss", f"alpha is {alpha}", "expected 0 to 1, or -1 to leave it out")
    p = dovetail.sigmoid(inputs)
    right = p * targets + (1 - p) * (1 - targets)
    loss = F.binary_cross_entropy_with_logits(inputs, targets, reduction="none") * (1 - right) ** gamma
    if alpha >= 0:
        loss = (alpha * targets + (1 - alpha) * (1 - targets)) * loss
    return reduced("sigmoid_focal_loss", loss, reduction)
