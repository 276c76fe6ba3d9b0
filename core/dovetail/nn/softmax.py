"""Layers that weigh elements against each other along a dimension: the softmax family and GLU."""

from __future__ import annotations

from ..autograd.node import Tensor
from ..errors import ValueRangeError
from . import functional as F
from ._make import Layer
from .module import Module

__all__ = ["GLU", "LogSoftmax", "Softmax", "Softmax2d", "Softmin"]


class _AlongDim(Layer, passes="dim _stacklevel"):
    _stacklevel = 5  # the warning about an absent dim names the line that calls the layer

    def __init__(self, dim: int | None = None) -> None:
        self._keep(dim=dim)


class Softmax(_AlongDim, calls=F.softmax):
    """e^x / Σ e^x along ``dim``.

    >>> import dovetail as dv
    >>> dv.nn.Softmax(dim=0)(dv.tensor([0., 0.]))
    tensor([0.5000, 0.5000])
    """


class LogSoftmax(_AlongDim, calls=F.log_softmax):
    """log(e^x / Σ e^x) along ``dim``.

    >>> import dovetail as dv
    >>> dv.nn.LogSoftmax(dim=0)(dv.tensor([0., 0.]))
    tensor([-0.6931, -0.6931])
    """


class Softmin(_AlongDim, calls=F.softmin):
    """Softmax of -x along ``dim``.

    >>> import dovetail as dv
    >>> dv.nn.Softmin(dim=0)(dv.tensor([0., 0.]))
    tensor([0.5000, 0.5000])
    """


class Softmax2d(Module):
    """Softmax over the channels of (N, C, H, W) or (C, H, W). Raises a ValueError for other dimensions.

    >>> import dovetail as dv
    >>> dv.nn.Softmax2d()(dv.zeros(2, 1, 1))[0]
    tensor([[0.5000]])
    """

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim not in (3, 4):
            raise ValueRangeError("Softmax2d", f"expected input to be 3D or 4D, got {input.ndim}D instead")
        return F.softmax(input, -3, _stacklevel=5)


class GLU(Layer, calls=F.glu):
    """a · sigmoid(b) for the halves a, b of the input along ``dim``. Dauphin and others, 2017.

    >>> import dovetail as dv
    >>> dv.nn.GLU()(dv.tensor([2., 0.]))
    tensor([1.])
    """

    def __init__(self, dim: int = -1) -> None:
        self._keep(dim=dim)
