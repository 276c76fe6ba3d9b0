"""Functions of clips ``(C, T, H, W)`` as torchvision had them before its transforms took videos; `transforms.functional` does all of it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import dovetail
from dovetail import Tensor
from dovetail.errors import TypeMismatch, ValueRangeError
from dovetail.nn import functional as F

__all__ = ["center_crop", "crop", "hflip", "normalize", "resize", "resized_crop", "to_tensor"]

warnings.warn(
    "The 'torchvision.transforms._functional_video' module is deprecated since 0.12 and will be removed in the future. "
    "Please use the 'torchvision.transforms.functional' module instead.",
    stacklevel=2,
)


def _is_tensor_video_clip(clip: object) -> bool:
    if not isinstance(clip, Tensor):
        raise TypeMismatch("clip", f"clip should be Tensor. Got {type(clip)}")
    if clip.ndim != 4:
        raise ValueRangeError("clip", f"clip should be 4D. Got {clip.ndim}D")
    return True


def crop(clip: Tensor, i: int, j: int, h: int, w: int) -> Tensor:
    """Rows ``i`` to ``i + h`` and columns ``j`` to ``j + w`` of each frame."""
    if clip.ndim != 4:
        raise ValueRangeError("crop", "clip should be a 4D tensor")
    return clip[..., i : i + h, j : j + w]


def resize(clip: Tensor, target_size: Sequence[int], interpolation_mode: str) -> Tensor:
    """Each frame in the size (height, width)."""
    if len(target_size) != 2:
        raise ValueRangeError("resize", f"target size should be tuple (height, width), instead got {target_size}")
    return F.interpolate(clip, size=tuple(target_size), mode=interpolation_mode, align_corners=False)


def resized_crop(clip: Tensor, i: int, j: int, h: int, w: int, size: Sequence[int], interpolation_mode: str = "bilinear") -> Tensor:
    """`crop`, then `resize`."""
    _is_tensor_video_clip(clip)
    return resize(crop(clip, i, j, h, w), size, interpolation_mode)


def center_crop(clip: Tensor, crop_size: Sequence[int]) -> Tensor:
    """The middle of each frame; a ValueError where it is smaller."""
    _is_tensor_video_clip(clip)
    (height, width), (h, w) = clip.shape[-2:], crop_size
    if height < h or width < w:
        raise ValueRangeError("center_crop", "height and width must be no smaller than crop_size")
    return crop(clip, round((height - h) / 2.0), round((width - w) / 2.0), h, w)


def to_tensor(clip: Tensor) -> Tensor:
    """Bytes (T, H, W, C) as float32 (C, T, H, W) in 0..1."""
    _is_tensor_video_clip(clip)
    if clip.dtype != dovetail.uint8:
        raise TypeMismatch("to_tensor", f"clip tensor should have data type uint8. Got {clip.dtype}")
    return clip.float().permute(3, 0, 1, 2) / 255.0


def normalize(clip: Tensor, mean: Sequence[float], std: Sequence[float], inplace: bool = False) -> Tensor:
    """Take ``mean`` off each channel and divide it by ``std``."""
    _is_tensor_video_clip(clip)
    parts = (dovetail.as_tensor(v, dtype=clip.dtype, device=clip.device)[:, None, None, None] for v in (mean, std))
    first, second = parts
    return (clip if inplace else clip.clone()).sub_(first).div_(second)


def hflip(clip: Tensor) -> Tensor:
    """Each frame, left and right swapped."""
    _is_tensor_video_clip(clip)
    return clip.flip(-1)
