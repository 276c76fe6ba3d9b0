"""Layers that pad the last dimensions: ``padding`` is one width, or (left, right, top, bottom, front, back) as far as there are."""

from __future__ import annotations

from typing import Any

from ..autograd.node import Tensor
from . import functional as F
from ._make import Layer, need
from ._sizes import _ntuple

__all__ = [
    "CircularPad1d", "CircularPad2d", "CircularPad3d", "ConstantPad1d", "ConstantPad2d", "ConstantPad3d", "ReflectionPad1d",
    "ReflectionPad2d", "ReflectionPad3d", "ReplicationPad1d", "ReplicationPad2d", "ReplicationPad3d", "ZeroPad1d", "ZeroPad2d",
    "ZeroPad3d",
]  # fmt: skip


class _Pad(Layer, calls=F.pad, passes="padding _mode", shows="!padding"):
    def __init__(self, padding: Any) -> None:
        self._keep(padding=_ntuple(2 * self._n)(padding))


class _CircularPad(_Pad, calls=F.pad, mode="circular", passes="padding _mode", shows="!padding"):
    def forward(self, input: Tensor) -> Tensor:
        low, got = self._n + 1, input.ndim
        need(got in (low, low + 1), type(self).__name__, f"expected {low}D or {low + 1}D input (got {got}D input)")
        return F.pad(input, self.padding, "circular")


class _ConstantPadNd(_Pad, mode="constant", calls=F.pad, passes="padding _mode value", shows="padding value"):
    def __init__(self, padding: Any, value: float) -> None:
        super().__init__(padding)
        self.value = value


class ConstantPad1d(_ConstantPadNd, n=1):
    """Pad (N, C, L) or (C, L) with one value.

    >>> import dovetail as dv
    >>> dv.nn.ConstantPad1d((1, 0), 9.)(dv.tensor([[1., 2.]]))
    tensor([[9., 1., 2.]])
    """


class ConstantPad2d(_ConstantPadNd, n=2):
    """Pad (N, C, H, W) or (C, H, W) with one value."""


class ConstantPad3d(_ConstantPadNd, n=3):
    """Pad (N, C, D, H, W) or (C, D, H, W) with one value."""


class _ZeroPadNd(_ConstantPadNd, shows="!padding"):
    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)


class ZeroPad1d(_ZeroPadNd, n=1):
    """Pad (N, C, L) or (C, L) with zeros.

    >>> import dovetail as dv
    >>> dv.nn.ZeroPad1d(1)(dv.tensor([[1., 2.]]))
    tensor([[0., 1., 2., 0.]])
    """


class ZeroPad2d(_ZeroPadNd, n=2):
    """Pad (N, C, H, W) or (C, H, W) with zeros."""


class ZeroPad3d(_ZeroPadNd, n=3):
    """Pad (N, C, D, H, W) or (C, D, H, W) with zeros."""


class ReflectionPad1d(_Pad, n=1, mode="reflect"):
    """Pad (N, C, L) or (C, L) by mirroring at the edge.

    >>> import dovetail as dv
    >>> dv.nn.ReflectionPad1d(2)(dv.tensor([[1., 2., 3.]]))
    tensor([[3., 2., 1., 2., 3., 2., 1.]])
    """


class ReflectionPad2d(_Pad, n=2, mode="reflect"):
    """Pad (N, C, H, W) or (C, H, W) by mirroring at the edges."""


class ReflectionPad3d(_Pad, n=3, mode="reflect"):
    """Pad (N, C, D, H, W) or (C, D, H, W) by mirroring at the faces."""


class ReplicationPad1d(_Pad, n=1, mode="replicate"):
    """Pad (N, C, L) or (C, L) by repeating the edge.

    >>> import dovetail as dv
    >>> dv.nn.ReplicationPad1d((1, 2))(dv.tensor([[1., 2.]]))
    tensor([[1., 1., 2., 2., 2.]])
    """


class ReplicationPad2d(_Pad, n=2, mode="replicate"):
    """Pad (N, C, H, W) or (C, H, W) by repeating the edges."""


class ReplicationPad3d(_Pad, n=3, mode="replicate"):
    """Pad (N, C, D, H, W) or (C, D, H, W) by repeating the faces."""


class CircularPad1d(_CircularPad, n=1):
    """Pad (N, C, L) or (C, L) from the other end.

    >>> import dovetail as dv
    >>> dv.nn.CircularPad1d((1, 0))(dv.tensor([[1., 2., 3.]]))
    tensor([[3., 1., 2., 3.]])
    """


class CircularPad2d(_CircularPad, n=2):
    """Pad (N, C, H, W) or (C, H, W) from the other side."""


class CircularPad3d(_CircularPad, n=3):
    """Pad (N, C, D, H, W) or (C, D, H, W) from the other side."""
