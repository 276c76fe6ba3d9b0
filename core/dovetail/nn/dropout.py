"""Layers that drop elements or channels in training and pass everything in evaluation."""

from __future__ import annotations

from ..autograd.node import Tensor
from ..errors import ValueRangeError
from . import functional as F
from ._make import fields
from .module import Module

__all__ = ["AlphaDropout", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "FeatureAlphaDropout"]


class _DropoutNd(Module):
    """The common part: a probability and an ``inplace`` flag."""

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueRangeError(type(self).__name__, f"dropout probability has to be between 0 and 1, but got {p}")
        self.p, self.inplace = p, inplace

    def extra_repr(self) -> str:
        return fields(self, "p inplace")


class Dropout(_DropoutNd):
    """Zero each element with probability ``p`` and scale the rest by 1 / (1 - p). Hinton and others, 2012.

    >>> import dovetail as dv
    >>> dv.nn.Dropout(0.5).eval()(dv.ones(2))
    tensor([1., 1.])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout(input, self.p, self.training, self.inplace)


class Dropout1d(_DropoutNd):
    """Drop whole channels of (N, C, L) or (C, L).

    >>> import dovetail as dv
    >>> dv.nn.Dropout1d(1.0)(dv.ones(1, 2, 2))
    tensor([[[0., 0.],
             [0., 0.]]])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout1d(input, self.p, self.training, self.inplace)


class Dropout2d(_DropoutNd):
    """Drop whole channels of (N, C, H, W) or (N, C, L). Tompson and others, 2015.

    >>> import dovetail as dv
    >>> dv.nn.Dropout2d(1.0)(dv.ones(1, 1, 1, 2))
    tensor([[[[0., 0.]]]])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout2d(input, self.p, self.training, self.inplace)


class Dropout3d(_DropoutNd):
    """Drop whole channels of (N, C, D, H, W) or (C, D, H, W).

    >>> import dovetail as dv
    >>> dv.nn.Dropout3d(0.0)(dv.ones(1, 1, 1, 1, 2)).shape
    dovetail.Size([1, 1, 1, 1, 2])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout3d(input, self.p, self.training, self.inplace)


class AlphaDropout(_DropoutNd):
    """Drop elements to SELU's negative limit, keeping mean 0 and variance 1. Klambauer and others, 2017.

    >>> import dovetail as dv
    >>> dv.nn.AlphaDropout(0.0)(dv.ones(2))
    tensor([1., 1.])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.alpha_dropout(input, self.p, self.training)


class FeatureAlphaDropout(_DropoutNd):
    """AlphaDropout of whole channels.

    >>> import dovetail as dv
    >>> dv.nn.FeatureAlphaDropout(0.0)(dv.ones(1, 1, 2))
    tensor([[[1., 1.]]])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.feature_alpha_dropout(input, self.p, self.training)
