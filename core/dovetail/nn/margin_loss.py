"""Distances between vectors, and losses that compare scores or distances with a margin."""

from __future__ import annotations

from collections.abc import Callable

from ..autograd.node import Tensor
from . import functional as F
from ._make import Layer, need
from .loss import _Loss, _WeightedLoss

__all__ = [
    "CosineEmbeddingLoss", "CosineSimilarity", "HingeEmbeddingLoss", "MarginRankingLoss", "MultiLabelMarginLoss",
    "MultiLabelSoftMarginLoss", "MultiMarginLoss", "PairwiseDistance", "SoftMarginLoss", "TripletMarginLoss",
    "TripletMarginWithDistanceLoss",
]  # fmt: skip


class CosineSimilarity(Layer):
    """x₁·x₂ / (‖x₁‖ ‖x₂‖) along ``dim``; norms are at least ``eps``.

    >>> import dovetail as dv
    >>> dv.nn.CosineSimilarity(dim=0)(dv.tensor([1., 0.]), dv.tensor([1., 1.]))
    tensor(0.7071)
    """

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        self._keep(dim=dim, eps=eps)

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        return F.cosine_similarity(x1, x2, self.dim, self.eps)


class PairwiseDistance(Layer):
    """‖x₁ - x₂ + eps‖ₚ over the last dimension.

    >>> import dovetail as dv
    >>> dv.nn.PairwiseDistance(eps=0.0)(dv.tensor([[3., 0.]]), dv.tensor([[0., 4.]]))
    tensor([5.])
    """

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        self._keep(norm=p, eps=eps, keepdim=keepdim)

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        return F.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)


class _MarginLoss(_Loss):
    def __init__(self, margin: float = 0.0, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean") -> None:
        self._start(size_average, reduce, reduction, margin=margin)


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


class HingeEmbeddingLoss(_Loss, calls=F.hinge_embedding_loss):
    """x where y = 1, and max(0, margin - x) where y = -1.

    >>> import dovetail as dv
    >>> dv.nn.HingeEmbeddingLoss()(dv.tensor([0.25]), dv.tensor([-1.]))
    tensor(0.7500)
    """

    def __init__(self, margin: float = 1.0, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean") -> None:
        self._start(size_average, reduce, reduction, margin=margin)


class SoftMarginLoss(_Loss, calls=F.soft_margin_loss):
    """log(1 + e^(-y·x)) for y of 1 and -1.

    >>> import dovetail as dv
    >>> dv.nn.SoftMarginLoss()(dv.tensor([0.]), dv.tensor([1.]))
    tensor(0.6931)
    """


class MultiMarginLoss(_WeightedLoss, calls=F.multi_margin_loss):
    """Σᵢ max(0, margin - x[y] + x[i])ᵖ / C over the other classes, for (N, C) and (N). Raises a ValueError for p other than 1 and 2.

    >>> import dovetail as dv
    >>> dv.nn.MultiMarginLoss()(dv.tensor([[1., 1.]]), dv.tensor([0]))
    tensor(0.5000)
    """

    def __init__(
        self, p: int = 1, margin: float = 1.0, weight: Tensor | None = None, size_average: bool | None = None, reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:  # fmt: skip
        need(p in (1, 2), "MultiMarginLoss", "only p == 1 and p == 2 supported", f"got {p}")
        if weight is not None:
            need(weight.ndim == 1, "MultiMarginLoss", f"weight must be None or 1-dimensional (shape {tuple(weight.shape)})")
        self._start(size_average, reduce, reduction, p=p, margin=margin)
        self.register_buffer("weight", weight)


class MultiLabelMarginLoss(_Loss, calls=F.multilabel_margin_loss):
    """Σ max(0, 1 - (x[label] - x[other])) / C; targets (N, C) list the labels and end at the first -1.

    >>> import dovetail as dv
    >>> dv.nn.MultiLabelMarginLoss()(dv.tensor([[1., 1.]]), dv.tensor([[0, -1]]))
    tensor(0.5000)
    """


class MultiLabelSoftMarginLoss(_WeightedLoss, calls=F.multilabel_soft_margin_loss):
    """The mean over classes of BCEWithLogits, for (N, C) and targets of 0 and 1.

    >>> import dovetail as dv
    >>> dv.nn.MultiLabelSoftMarginLoss()(dv.zeros(1, 2), dv.ones(1, 2))
    tensor(0.6931)
    """


class TripletMarginLoss(_Loss):
    """max(0, ‖a - p‖ - ‖a - n‖ + margin); ``swap`` takes the nearer of ‖a - n‖ and ‖p - n‖. Balntas and others, 2016.

    >>> import dovetail as dv
    >>> dv.nn.TripletMarginLoss(eps=0.0)(dv.tensor([[0.]]), dv.tensor([[3.]]), dv.tensor([[1.]]))
    tensor(3.)
    """

    def __init__(
        self, margin: float = 1.0, p: float = 2.0, eps: float = 1e-6, swap: bool = False, size_average: bool | None = None,
        reduce: bool | None = None, reduction: str = "mean",
    ) -> None:  # fmt: skip
        self._start(size_average, reduce, reduction, margin=_positive(margin), p=p, eps=eps, swap=swap)

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        rest = {"margin": self.margin, "p": self.p, "eps": self.eps, "swap": self.swap, "reduction": self.reduction}
        return F.triplet_margin_loss(anchor, positive, negative, **rest)


class TripletMarginWithDistanceLoss(_Loss):
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
        self._keep(distance_function=distance_function or PairwiseDistance(), margin=_positive(margin), swap=swap, reduction=reduction)

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        rest = {"distance_function": self.distance_function, "margin": self.margin, "swap": self.swap, "reduction": self.reduction}
        return F.triplet_margin_with_distance_loss(anchor, positive, negative, **rest)


def _positive(margin: float) -> float:
    need(margin > 0, "TripletMarginLoss", f"expected margin to be greater than 0, got {margin} instead")
    return margin
