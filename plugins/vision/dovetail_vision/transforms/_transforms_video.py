"""Transforms of clips ``(C, T, H, W)`` as torchvision had them before its transforms took videos; `transforms.v2` does all of it."""

from __future__ import annotations

import random
import warnings
from collections.abc import Sequence
from typing import Any

from dovetail import Tensor
from dovetail.errors import ValueRangeError

from . import RandomCrop, RandomResizedCrop
from . import _functional_video as F

__all__ = ["CenterCropVideo", "NormalizeVideo", "RandomCropVideo", "RandomHorizontalFlipVideo", "RandomResizedCropVideo", "ToTensorVideo"]

warnings.warn(
    "The 'torchvision.transforms._transforms_video' module is deprecated since 0.12 and will be removed in the future. "
    "Please use the 'torchvision.transforms' module instead.",
    stacklevel=2,
)

Size = int | Sequence[int]


class _OfClips:
    _shown: tuple[str, ...] = ()

    def __repr__(self) -> str:
        listed = ", ".join(f"{name}={getattr(self, name)}" for name in self._shown)
        return f"{type(self).__name__}({listed})"


def _pair(size: Size) -> Sequence[int]:
    return (int(size), int(size)) if isinstance(size, int | float) else size


class RandomCropVideo(_OfClips):
    """A part of ``size``, the same in all frames, drawn at random."""

    get_params = staticmethod(RandomCrop.get_params)
    _shown = ("size",)

    def __init__(self, size: Size) -> None:
        self.size: Any = _pair(size)

    def __call__(self, clip: Tensor) -> Tensor:
        return F.crop(clip, *self.get_params(clip, self.size))

    def forward(self, img: Tensor) -> Tensor:
        return self(img)


class RandomResizedCropVideo(_OfClips):
    """A part drawn as by ``RandomResizedCrop``, the same in all frames, resized to ``size``."""

    get_params = staticmethod(RandomResizedCrop.get_params)
    _shown = ("size", "interpolation_mode", "scale", "ratio")

    def __init__(
        self,
        size: Size,
        scale: Sequence[float] = (0.08, 1.0),
        ratio: Sequence[float] = (3.0 / 4.0, 4.0 / 3.0),
        interpolation_mode: str = "bilinear",
    ) -> None:
        if isinstance(size, tuple) and len(size) != 2:
            raise ValueRangeError("RandomResizedCropVideo", f"size should be tuple (height, width), instead got {size}")
        self.size: Any = size if isinstance(size, tuple) else (size, size)
        self.interpolation_mode = interpolation_mode
        self.scale: Any = scale
        self.ratio: Any = ratio

    def __call__(self, clip: Tensor) -> Tensor:
        return F.resized_crop(clip, *self.get_params(clip, self.scale, self.ratio), self.size, self.interpolation_mode)

    def forward(self, img: Tensor) -> Tensor:
        return self(img)


class CenterCropVideo(_OfClips):
    """The middle of each frame."""

    _shown = ("crop_size",)

    def __init__(self, crop_size: Size) -> None:
        self.crop_size = _pair(crop_size)

    def __call__(self, clip: Tensor) -> Tensor:
        return F.center_crop(clip, self.crop_size)


class NormalizeVideo(_OfClips):
    """Take ``mean`` off each channel and divide it by ``std``."""

    _shown = ("mean", "std", "inplace")

    def __init__(self, mean: Sequence[float], std: Sequence[float], inplace: bool = False) -> None:
        self.mean = mean
        self.std = std
        self.inplace = inplace

    def __call__(self, clip: Tensor) -> Tensor:
        return F.normalize(clip, self.mean, self.std, self.inplace)


class ToTensorVideo:
    """Bytes (T, H, W, C) as float32 (C, T, H, W) in 0..1."""

    def __call__(self, clip: Tensor) -> Tensor:
        return F.to_tensor(clip)

    def __repr__(self) -> str:
        return type(self).__name__


class RandomHorizontalFlipVideo(_OfClips):
    """All frames flipped left to right, with probability ``p`` of Python's ``random``."""

    _shown = ("p",)

    def __init__(self, p: float = 0.5) -> None:
        self.p = p

    def __call__(self, clip: Tensor) -> Tensor:
        return F.hflip(clip) if random.random() < self.p else clip
