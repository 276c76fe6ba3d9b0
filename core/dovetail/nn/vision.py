"""Layers that resize images and rearrange their pixels and channels."""

from __future__ import annotations

from typing import Any

from . import functional as F
from ._make import Layer

__all__ = [
    "ChannelShuffle", "Fold", "PixelShuffle", "PixelUnshuffle", "Unfold", "Upsample", "UpsamplingBilinear2d", "UpsamplingNearest2d",
]  # fmt: skip


class Upsample(Layer, calls=F.interpolate, passes="size scale_factor mode align_corners recompute_scale_factor"):
    """Resize (N, C, *sizes) to a ``size`` or by a ``scale_factor``; modes nearest, linear, bilinear, bicubic, trilinear.

    >>> import dovetail as dv
    >>> dv.nn.Upsample(scale_factor=2)(dv.tensor([[[1., 2.]]]))
    tensor([[[1., 1., 2., 2.]]])
    """

    def __init__(
        self, size: Any = None, scale_factor: Any = None, mode: str = "nearest", align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> None:  # fmt: skip
        many = isinstance(scale_factor, tuple)
        scale_factor = tuple(float(s) for s in scale_factor) if many else float(scale_factor) if scale_factor else None
        self._keep(
            name=type(self).__name__, size=size, scale_factor=scale_factor, mode=mode, align_corners=align_corners,
            recompute_scale_factor=recompute_scale_factor,
        )  # fmt: skip

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


class PixelShuffle(Layer, calls=F.pixel_shuffle):
    """Channels into pixels: (*, C·r², H, W) → (*, C, H·r, W·r). Shi and others, 2016.

    >>> import dovetail as dv
    >>> dv.nn.PixelShuffle(2)(dv.ones(1, 8, 3, 3)).shape
    dovetail.Size([1, 2, 6, 6])
    """

    def __init__(self, upscale_factor: int) -> None:
        self._keep(upscale_factor=upscale_factor)


class PixelUnshuffle(Layer, calls=F.pixel_unshuffle):
    """Pixels into channels: (*, C, H·r, W·r) → (*, C·r², H, W).

    >>> import dovetail as dv
    >>> dv.nn.PixelUnshuffle(2)(dv.ones(1, 2, 6, 6)).shape
    dovetail.Size([1, 8, 3, 3])
    """

    def __init__(self, downscale_factor: int) -> None:
        self._keep(downscale_factor=downscale_factor)


class ChannelShuffle(Layer, calls=F.channel_shuffle):
    """Deal the channels of (N, C, *) out over ``groups``. Zhang and others, 2017.

    >>> import dovetail as dv
    >>> dv.nn.ChannelShuffle(2)(dv.arange(4.).reshape(1, 4, 1)).flatten()
    tensor([0., 2., 1., 3.])
    """

    def __init__(self, groups: int) -> None:
        self._keep(groups=groups)


class Unfold(Layer, calls=F.unfold):
    """The windows of (N, C, H, W) as columns: (N, C·kH·kW, L).

    >>> import dovetail as dv
    >>> dv.nn.Unfold(2)(dv.ones(1, 3, 4, 4)).shape
    dovetail.Size([1, 12, 9])
    """

    def __init__(self, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> None:
        self._keep(kernel_size=kernel_size, dilation=dilation, padding=padding, stride=stride)


class Fold(Layer, calls=F.fold):
    """Columns (N, C·kH·kW, L) added up where their windows were: (N, C, *output_size).

    >>> import dovetail as dv
    >>> dv.nn.Fold((4, 4), 2, stride=2)(dv.ones(1, 12, 4)).shape
    dovetail.Size([1, 3, 4, 4])
    """

    def __init__(self, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> None:
        self._keep(output_size=output_size, kernel_size=kernel_size, dilation=dilation, padding=padding, stride=stride)
