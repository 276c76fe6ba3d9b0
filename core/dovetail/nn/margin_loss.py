"""Losses that compare scores or distances with a margin."""

from __future__ import annotations

from collections.abc import Callable

from ..autograd.node import Tensor
from ..errors import ValueRangeError
from . import functional as F
from .distance import PairwiseDistance
from .loss import _Loss, _WeightedLoss

__all__ = [
    "CosineEmbeddingLoss", "HingeEmbeddingLoss", "MarginRankingLoss", "MultiLabelMarginLoss", "MultiLabelSoftMarginLoss",
    "MultiMarginLoss", "SoftMarginLoss", "TripletMarginLoss", "TripletMarginWithDistanceLoss",
]  # fmt: skip


class _MarginLoss(_Loss):
    def __init__(self, margin: float = 0.0, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean") -> None:
        super().__init__(size_average, reduce, reduction)
        self.margin = margin


class MarginRankingLoss(_MarginLoss):
    """max(0, -y · (x₁ - x₂) + margin); y = 1 asks for x₁ > x₂, y = -1 for x₁ < x₂.

    >>> import dovetail as dv
    >>> dv.nn.MarginRankingLoss()(dv.tensor([1.]), dv.tensor([3.]), dv.tensor([1.]))
    tensor(2.)
    """

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        return F.margin_ranking_loss(input1, input2, target, margin=self.margin, reduction=self.reduction)


class CosineEmbeddingLoss(_MarginLoss):
    """1 - cos(x₁, x₂) where y = 1, and max(0, cos(x₁, x₂) - margin) where y = -1.

    >>> import dovetail as dv
    >>> dv.nn.CosineEmbeddingLoss()(dv.tensor([[1., 0.]]), dv.tensor([[0., 1.]]), dv.tensor([1.]))
    tensor(1.)
    """

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        return F.cosine_embedding_loss(input1, input2, target, margin=self.margin, reduction=self.reduction)


class HingeEmbeddingLoss(_MarginLoss):
    """x where y = 1, and max(0, margin - x) where y = -1.

    >>> import dovetail as dv
    >>> dv.nn.HingeEmbeddingLoss()(dv.tensor([0.25]), dv.tensor([-1.]))
    tensor(0.7500)
    """

    def __init__(self, margin: float = 1.0, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean") -> None:
        super().__init__(margin, size_average, reduce, reduction)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.hinge_embedding_loss(input, target, margin=self.margin, reduction=self.reduction)


class SoftMarginLoss(_Loss):
    """log(1 + e^(-y·x)) for y of 1 and -1.

    >>> import dovetail as dv
    >>> dv.nn.SoftMarginLoss()(dv.tensor([0.]), dv.tensor([1.]))
    tensor(0.6931)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.soft_margin_loss(input, target, reduction=self.reduction)


class MultiMarginLoss(_WeightedLoss):
    """Σᵢ max(0, margin - x[y] + x[i])ᵖ / C over the other classes, for (N, C) and (N). Raises a ValueError for p other than 1 and 2.

    >>> import dovetail as dv
    >>> dv.nn.MultiMarginLoss()(dv.tensor([[1., 1.]]), dv.tensor([0]))
    tensor(0.5000)
    """

    def __init__(
        self, p: int = 1, margin: float = 1.0, weight: Tensor | None = None, size_average: bool | None = None, reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:  # fmt: skip
        super().__init__(weight, size_average, reduce, reduction)
        if p not in (1, 2):
            raise ValueRangeError("MultiMarginLoss", "only p == 1 and p == 2 supported", f"got {p}")
        if weight is not None and weight.ndim != 1:
            raise ValueRangeError("MultiMarginLoss", f"weight must be None or 1-dimensional (shape {tuple(weight.shape)})")
        self.p, self.margin = p, margin

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.multi_margin_loss(input, target, p=self.p, margin=self.margin, weight=self.weight, reduction=self.reduction)


class MultiLabelMarginLoss(_Loss):
    """Σ max(0, 1 - (x[label] - x[other])) / C; targets (N, C) list the labels and end at the first -1.

    >>> import dovetail as dv
    >>> dv.nn.MultiLabelMarginLoss()(dv.tensor([[1., 1.]]), dv.tensor([[0, -1]]))
    tensor(0.5000)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.multilabel_margin_loss(input, target, reduction=self.reduction)


class MultiLabelSoftMarginLoss(_WeightedLoss):
    """The mean over classes of BCEWithLogits, for (N, C) and targets of 0 and 1.

    >>> import dovetail as dv
    >>> dv.nn.MultiLabelSoftMarginLoss()(dv.zeros(1, 2), dv.ones(1, 2))
    tensor(0.6931)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.multilabel_soft_margin_loss(input, target, weight=self.weight, reduction=self.reduction)


class TripletMarginLoss(_MarginLoss):
    """max(0, ‖a - p‖ - ‖a - n‖ + margin); ``swap`` takes the nearer of ‖a - n‖ and ‖p - n‖. Balntas and others, 2016.

    >>> import dovetail as dv
    >>> dv.nn.TripletMarginLoss(eps=0.0)(dv.tensor([[0.]]), dv.tensor([[3.]]), dv.tensor([[1.]]))
    tensor(3.)
    """

    def __init__(
        self, margin: float = 1.0, p: float = 2.0, eps: float = 1e-6, swap: bool = False, size_average: bool | None = None,
        reduce: bool | None = None, reduction: str = "mean",
    ) -> None:  # fmt: skip
        super().__init__(_positive(margin), size_average, reduce, reduction)
        self.p, self.eps, self.swap = p, eps, swap

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        return F.triplet_margin_loss(
            anchor, positive, negative, margin=self.margin, p=self.p, eps=self.eps, swap=self.swap, reduction=self.reduction
        )


class TripletMarginWithDistanceLoss(_MarginLoss):
    """TripletMarginLoss with a distance of one's own.

    >>> import dovetail as dv
    >>> loss = dv.nn.TripletMarginWithDistanceLoss(distance_function=lambda a, b: (a - b).abs().sum(-1))
    >>> loss(dv.tensor([[0.]]), dv.tensor([[3.]]), dv.tensor([[1.]]))
    tensor(3.)
    """

    def __init__(
        self, *, distance_function: Callable[[Tensor, Tensor], Tensor] | None = None, margin: float = 1.0, swap: bool = False,
        reduction: str = "mean",
    ) -> None:  # fmt: skip
        super().__init__(_positive(margin), reduction=reduction)
        self.distance_function, self.swap = distance_function or PairwiseDistance(), swap

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        return F.triplet_margin_with_distance_loss(
            anchor,
            positive,
            negative,
            distance_function=self.distance_function,
            margin=self.margin,
            swap=self.swap,
            reduction=self.reduction,
        )


def _positive(margin: float) -> float:
    if margin <= 0:
        raise ValueRangeError("TripletMarginLoss", f"expected margin to be greater than 0, got {margin} instead")
    return margin
