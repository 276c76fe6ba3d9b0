"""Distances and similarities between vectors as layers."""

from __future__ import annotations

from ..autograd.node import Tensor
from . import functional as F
from .module import Module

__all__ = ["CosineSimilarity", "PairwiseDistance"]


class CosineSimilarity(Module):
    """x₁·x₂ / (‖x₁‖ ‖x₂‖) along ``dim``; norms are at least ``eps``.

    >>> import dovetail as dv
    >>> dv.nn.CosineSimilarity(dim=0)(dv.tensor([1., 0.]), dv.tensor([1., 1.]))
    tensor(0.7071)
    """

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        super().__init__()
        self.dim, self.eps = dim, eps

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        return F.cosine_similarity(x1, x2, self.dim, self.eps)


class PairwiseDistance(Module):
    """‖x₁ - x₂ + eps‖ₚ over the last dimension.

    >>> import dovetail as dv
    >>> dv.nn.PairwiseDistance(eps=0.0)(dv.tensor([[3., 0.]]), dv.tensor([[0., 4.]]))
    tensor([5.])
    """

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        super().__init__()
        self.norm, self.eps, self.keepdim = p, eps, keepdim

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        return F.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)
