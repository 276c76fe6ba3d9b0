"""Layers that drop elements or channels in training and pass everything in evaluation."""

from __future__ import annotations

from . import functional as F
from ._make import Layer, need

__all__ = ["AlphaDropout", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "FeatureAlphaDropout"]


class _DropoutNd(Layer, passes="p training inplace"):
    """The common part: a probability and an ``inplace`` flag."""

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        need(0 <= p <= 1, type(self).__name__, f"dropout probability has to be between 0 and 1, but got {p}")
        self._keep(p=p, inplace=inplace)


class Dropout(_DropoutNd, calls=F.dropout):
    """Zero each element with probability ``p`` and scale the rest by 1 / (1 - p). Hinton and others, 2012.

    >>> import dovetail as dv
    >>> dv.nn.Dropout(0.5).eval()(dv.ones(2))
    tensor([1., 1.])
    """


class Dropout1d(_DropoutNd, calls=F.dropout1d):
    """Drop whole channels of (N, C, L) or (C, L).

    >>> import dovetail as dv
    >>> dv.nn.Dropout1d(1.0)(dv.ones(1, 2, 2))
    tensor([[[0., 0.],
             [0., 0.]]])
    """


class Dropout2d(_DropoutNd, calls=F.dropout2d):
    """Drop whole channels of (N, C, H, W) or (N, C, L). Tompson and others, 2015.

    >>> import dovetail as dv
    >>> dv.nn.Dropout2d(1.0)(dv.ones(1, 1, 1, 2))
    tensor([[[[0., 0.]]]])
    """


class Dropout3d(_DropoutNd, calls=F.dropout3d):
    """Drop whole channels of (N, C, D, H, W) or (C, D, H, W).

    >>> import dovetail as dv
    >>> dv.nn.Dropout3d(0.0)(dv.ones(1, 1, 1, 1, 2)).shape
    dovetail.Size([1, 1, 1, 1, 2])
    """


class AlphaDropout(_DropoutNd, calls=F.alpha_dropout, passes="p training"):
    """Drop elements to SELU's negative limit, keeping mean 0 and variance 1. Klambauer and others, 2017.

    >>> import dovetail as dv
    >>> dv.nn.AlphaDropout(0.0)(dv.ones(2))
    tensor([1., 1.])
    """


class FeatureAlphaDropout(_DropoutNd, calls=F.feature_alpha_dropout, passes="p training"):
    """AlphaDropout of whole channels.

    >>> import dovetail as dv
    >>> dv.nn.FeatureAlphaDropout(0.0)(dv.ones(1, 1, 2))
    tensor([[[1., 1.]]])
    """
