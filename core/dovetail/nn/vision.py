"""Layers that resize images and rearrange their pixels and channels."""

from __future__ import annotations

from typing import Any

from ..autograd.node import Tensor
from . import functional as F
from ._make import fields
from .module import Module

__all__ = [
    "ChannelShuffle", "Fold", "PixelShuffle", "PixelUnshuffle", "Unfold", "Upsample", "UpsamplingBilinear2d", "UpsamplingNearest2d",
]  # fmt: skip


class Upsample(Module):
    """Resize (N, C, *sizes) to a ``size`` or by a ``scale_factor``; modes nearest, linear, bilinear, bicubic, trilinear.

    >>> import dovetail as dv
    >>> dv.nn.Upsample(scale_factor=2)(dv.tensor([[[1., 2.]]]))
    tensor([[[1., 1., 2., 2.]]])
    """

    def __init__(
        self, size: Any = None, scale_factor: Any = None, mode: str = "nearest", align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.name = type(self).__name__
        self.size, self.mode, self.align_corners = size, mode, align_corners
        self.recompute_scale_factor = recompute_scale_factor
        many = isinstance(scale_factor, tuple)
        self.scale_factor = tuple(float(s) for s in scale_factor) if many else float(scale_factor) if scale_factor else None

    def forward(self, input: Tensor) -> Tensor:
        return F.interpolate(
            input, self.size, self.scale_factor, self.mode, self.align_corners, recompute_scale_factor=self.recompute_scale_factor
        )

    def extra_repr(self) -> str:
        how = "size" if self.scale_factor is None else "scale_factor"
        return f"{how}={getattr(self, how)!r}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    """Upsample images by the nearest pixel."""

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, mode="nearest")


class UpsamplingBilinear2d(Upsample):
    """Upsample images bilinearly, corners on corners."""

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, mode="bilinear", align_corners=True)


class PixelShuffle(Module):
    """Channels into pixels: (*, C·r², H, W) → (*, C, H·r, W·r). Shi and others, 2016.

    >>> import dovetail as dv
    >>> dv.nn.PixelShuffle(2)(dv.ones(1, 8, 3, 3)).shape
    dovetail.Size([1, 2, 6, 6])
    """

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        self.upscale_factor = upscale_factor

    def forward(self, input: Tensor) -> Tensor:
        return F.pixel_shuffle(input, self.upscale_factor)

    def extra_repr(self) -> str:
        return fields(self, "upscale_factor")


class PixelUnshuffle(Module):
    """Pixels into channels: (*, C, H·r, W·r) → (*, C·r², H, W).

    >>> import dovetail as dv
    >>> dv.nn.PixelUnshuffle(2)(dv.ones(1, 2, 6, 6)).shape
    dovetail.Size([1, 8, 3, 3])
    """

    def __init__(self, downscale_factor: int) -> None:
        super().__init__()
        self.downscale_factor = downscale_factor

    def forward(self, input: Tensor) -> Tensor:
        return F.pixel_unshuffle(input, self.downscale_factor)

    def extra_repr(self) -> str:
        return fields(self, "downscale_factor")


class ChannelShuffle(Module):
    """Deal the channels of (N, C, *) out over ``groups``. Zhang and others, 2017.

    >>> import dovetail as dv
    >>> dv.nn.ChannelShuffle(2)(dv.arange(4.).reshape(1, 4, 1)).flatten()
    tensor([0., 2., 1., 3.])
    """

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, input: Tensor) -> Tensor:
        return F.channel_shuffle(input, self.groups)

    def extra_repr(self) -> str:
        return fields(self, "groups")


class Unfold(Module):
    """The windows of (N, C, H, W) as columns: (N, C·kH·kW, L).

    >>> import dovetail as dv
    >>> dv.nn.Unfold(2)(dv.ones(1, 3, 4, 4)).shape
    dovetail.Size([1, 12, 9])
    """

    def __init__(self, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> None:
        super().__init__()
        self.kernel_size, self.dilation, self.padding, self.stride = kernel_size, dilation, padding, stride

    def forward(self, input: Tensor) -> Tensor:
        return F.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        return fields(self, "kernel_size dilation padding stride")


class Fold(Module):
    """Columns (N, C·kH·kW, L) added up where their windows were: (N, C, *output_size).

    >>> import dovetail as dv
    >>> dv.nn.Fold((4, 4), 2, stride=2)(dv.ones(1, 12, 4)).shape
    dovetail.Size([1, 3, 4, 4])
    """

    def __init__(self, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> None:
        super().__init__()
        self.output_size = output_size
        self.kernel_size, self.dilation, self.padding, self.stride = kernel_size, dilation, padding, stride

    def forward(self, input: Tensor) -> Tensor:
        return F.fold(input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        return fields(self, "output_size kernel_size dilation padding stride")
