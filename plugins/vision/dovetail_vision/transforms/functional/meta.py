"""The sizes of PIL images and tensors."""

from __future__ import annotations

from typing import TypeVar

from PIL import Image

from dovetail import Tensor
from dovetail.errors import TypeMismatch

__all__ = ["Img", "get_dimensions", "get_image_num_channels", "get_image_size"]

Img = TypeVar("Img", Image.Image, Tensor)


def get_dimensions(img: Image.Image | Tensor) -> list[int]:
    """``[channels, height, width]``.

    >>> get_dimensions(Image.new("RGB", (4, 2)))
    [3, 2, 4]
    """
    if isinstance(img, Image.Image):
        return [len(img.getbands()), img.height, img.width]
    if not isinstance(img, Tensor) or img.ndim < 2:
        got = f"a tensor of shape {tuple(img.shape)}" if isinstance(img, Tensor) else type(img).__name__
        raise TypeMismatch("get_dimensions", f"img is {got}", "expected a PIL image or a tensor (..., H, W)")
    return [1 if img.ndim == 2 else img.shape[-3], img.shape[-2], img.shape[-1]]


def get_image_size(img: Image.Image | Tensor) -> list[int]:
    """``[width, height]``.

    >>> get_image_size(Image.new("RGB", (4, 2)))
    [4, 2]
    """
    return get_dimensions(img)[:0:-1]


def get_image_num_channels(img: Image.Image | Tensor) -> int:
    """The number of channels.

    >>> get_image_num_channels(Image.new("RGB", (4, 2)))
    3
    """
    return get_dimensions(img)[0]
