"""The transforms as functions: what they check, and which of PIL image and tensor answers."""

from __future__ import annotations

from typing import Any

from .._interpolation import InterpolationMode
from .color import (
    adjust_brightness,
    adjust_contrast,
    adjust_gamma,
    adjust_hue,
    adjust_saturation,
    adjust_sharpness,
    autocontrast,
    equalize,
    gaussian_blur,
    invert,
    posterize,
    rgb_to_grayscale,
    solarize,
    to_grayscale,
)
from .convert import convert_image_dtype, erase, normalize, pil_to_tensor, to_pil_image, to_tensor
from .geometry import center_crop, crop, five_crop, hflip, pad, resize, resized_crop, ten_crop, vflip
from .meta import get_dimensions, get_image_num_channels, get_image_size
from .warp import affine, elastic_transform, perspective, rotate

__all__ = [
    "InterpolationMode", "adjust_brightness", "adjust_contrast", "adjust_gamma", "adjust_hue", "adjust_saturation", "adjust_sharpness",
    "affine", "autocontrast", "center_crop", "convert_image_dtype", "crop", "elastic_transform", "equalize", "erase", "five_crop",
    "gaussian_blur", "get_dimensions", "get_image_num_channels", "get_image_size", "hflip", "invert", "normalize", "pad", "perspective",
    "pil_to_tensor", "posterize", "resize", "resized_crop", "rgb_to_grayscale", "rotate", "solarize", "ten_crop", "to_grayscale",
    "to_pil_image", "to_tensor", "vflip",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Helpers that have no part in transforming: they are read when they are asked for."""
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .. import _helpers

    if not hasattr(_helpers, name):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(_helpers, name)
