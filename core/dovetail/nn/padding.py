"""Layers that pad the last dimensions: ``padding`` is one width, or (left, right, top, bottom, front, back) as far as there are."""

from __future__ import annotations

from typing import Any

from ..autograd.node import Tensor
from . import functional as F
from ._make import fields
from ._sizes import _ntuple
from .module import Module

__all__ = [
    "CircularPad1d", "CircularPad2d", "CircularPad3d", "ConstantPad1d", "ConstantPad2d", "ConstantPad3d", "ReflectionPad1d",
    "ReflectionPad2d", "ReflectionPad3d", "ReplicationPad1d", "ReplicationPad2d", "ReplicationPad3d", "ZeroPad1d", "ZeroPad2d",
    "ZeroPad3d",
]  # fmt: skip


class _Pad(Module):
    _n: int
    _mode: str

    def __init__(self, padding: Any) -> None:
        super().__init__()
        self.padding = _ntuple(2 * self._n)(padding)

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, self._mode)

    def extra_repr(self) -> str:
        return str(self.padding)


class _ConstantPadNd(_Pad):
    def __init__(self, padding: Any, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        return fields(self, "padding value")


class ConstantPad1d(_ConstantPadNd):
    """Pad (N, C, L) or (C, L) with one value.

    >>> import dovetail as dv
    >>> dv.nn.ConstantPad1d((1, 0), 9.)(dv.tensor([[1., 2.]]))
    tensor([[9., 1., 2.]])
    """

    _n = 1


class ConstantPad2d(_ConstantPadNd):
    """Pad (N, C, H, W) or (C, H, W) with one value."""

    _n = 2


class ConstantPad3d(_ConstantPadNd):
    """Pad (N, C, D, H, W) or (C, D, H, W) with one value."""

    _n = 3


class _ZeroPadNd(_ConstantPadNd):
    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return str(self.padding)


class ZeroPad1d(_ZeroPadNd):
    """Pad (N, C, L) or (C, L) with zeros.

    >>> import dovetail as dv
    >>> dv.nn.ZeroPad1d(1)(dv.tensor([[1., 2.]]))
    tensor([[0., 1., 2., 0.]])
    """

    _n = 1


class ZeroPad2d(_ZeroPadNd):
    """Pad (N, C, H, W) or (C, H, W) with zeros."""

    _n = 2


class ZeroPad3d(_ZeroPadNd):
    """Pad (N, C, D, H, W) or (C, D, H, W) with zeros."""

    _n = 3


class ReflectionPad1d(_Pad):
    """Pad (N, C, L) or (C, L) by mirroring at the edge.

    >>> import dovetail as dv
    >>> dv.nn.ReflectionPad1d(2)(dv.tensor([[1., 2., 3.]]))
    tensor([[3., 2., 1., 2., 3., 2., 1.]])
    """

    _n, _mode = 1, "reflect"


class ReflectionPad2d(_Pad):
    """Pad (N, C, H, W) or (C, H, W) by mirroring at the edges."""

    _n, _mode = 2, "reflect"


class ReflectionPad3d(_Pad):
    """Pad (N, C, D, H, W) or (C, D, H, W) by mirroring at the faces."""

    _n, _mode = 3, "reflect"


class ReplicationPad1d(_Pad):
    """Pad (N, C, L) or (C, L) by repeating the edge.

    >>> import dovetail as dv
    >>> dv.nn.ReplicationPad1d((1, 2))(dv.tensor([[1., 2.]]))
    tensor([[1., 1., 2., 2., 2.]])
    """

    _n, _mode = 1, "replicate"


class ReplicationPad2d(_Pad):
    """Pad (N, C, H, W) or (C, H, W) by repeating the edges."""

    _n, _mode = 2, "replicate"


class ReplicationPad3d(_Pad):
    """Pad (N, C, D, H, W) or (C, D, H, W) by repeating the faces."""

    _n, _mode = 3, "replicate"


class CircularPad1d(_Pad):
    """Pad (N, C, L) or (C, L) from the other end.

    >>> import dovetail as dv
    >>> dv.nn.CircularPad1d((1, 0))(dv.tensor([[1., 2., 3.]]))
    tensor([[3., 1., 2., 3.]])
    """

    _n, _mode = 1, "circular"


class CircularPad2d(_Pad):
    """Pad (N, C, H, W) or (C, H, W) from the other side."""

    _n, _mode = 2, "circular"


class CircularPad3d(_Pad):
    """Pad (N, C, D, H, W) or (C, D, H, W) from the other side."""

    _n, _mode = 3, "circular"
