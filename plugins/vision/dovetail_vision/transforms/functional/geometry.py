"""Geometry on the grid of pixels: resizing, padding, cropping and flipping."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from numbers import Number
from typing import Any

from PIL import Image

from dovetail import Tensor
from dovetail.errors import ShapeError, TypeMismatch, ValueRangeError

from .. import _pil, _tensor
from .._interpolation import PIL_FILTERS, InterpolationMode, interpolation_mode
from .meta import Img, get_dimensions

__all__ = ["center_crop", "crop", "five_crop", "hflip", "pad", "resize", "resized_crop", "ten_crop", "vflip"]

_PAD_MODES = ("constant", "edge", "reflect", "symmetric")
Size = int | Sequence[int]


def resized_size(height: int, width: int, size: Size | None, max_size: int | None) -> tuple[int, int]:
    small, large = sorted((height, width))
    if size is None:
        if not isinstance(max_size, int):
            raise ValueRangeError("resize", f"size is None and max_size is {max_size!r}", "expected max_size to be an int then")
        new_small, new_large = int(max_size * small / large), max_size
        return (new_large, new_small) if width <= height else (new_small, new_large)
    wanted = [size] if isinstance(size, int) else list(size)
    if len(wanted) not in (1, 2):
        raise ValueRangeError("resize", f"size is {size!r}", "expected an int or a sequence of 1 or 2 ints")
    if len(wanted) == 2:
        if max_size is not None:
            what = f"size is {size!r} and max_size is {max_size}"
            raise ValueRangeError("resize", what, "max_size goes with a single int, the length of the smaller edge")
        return wanted[0], wanted[1]
    new_small = wanted[0]
    new_large = int(new_small * large / small)
    if max_size is not None:
        if max_size <= new_small:
            what = f"max_size is {max_size} and size is {size!r}"
            raise ValueRangeError("resize", what, "expected max_size to be greater than size")
        if new_large > max_size:
            new_small, new_large = int(max_size * new_small / new_large), max_size
    return (new_large, new_small) if width <= height else (new_small, new_large)


def resize(
    img: Img,
    size: int | Sequence[int],
    interpolation: InterpolationMode | int = InterpolationMode.BILINEAR,
    max_size: int | None = None,
    antialias: bool | None = True,
) -> Img:
    """Resize to ``size``: ``(h, w)``, or an int for the smaller edge, the larger one held at ``max_size`` at most.

    ``antialias`` widens the bilinear and bicubic filters when a tensor shrinks; Pillow always does.

    >>> resize(Image.new("L", (8, 4)), 2).size
    (4, 2)
    """
    mode = interpolation_mode("resize", interpolation)
    if antialias is False and isinstance(img, Image.Image):
        warnings.warn("resize: antialias=False is ignored; Pillow always smooths", stacklevel=2)
    return resized(img, size, mode, max_size, antialias)


def resized(
    img: Img, size: Size | None, mode: InterpolationMode, max_size: int | None, antialias: bool | None, in_bytes: bool = False
) -> Img:
    """``resize`` after the checks of its arguments; ``in_bytes`` as in v2, where bytes are never turned into floats."""
    _, height, width = get_dimensions(img)
    new_height, new_width = resized_size(height, width, size, max_size)
    if (new_height, new_width) == (height, width):
        return img
    if new_height <= 0 or new_width <= 0:
        kind = ShapeError if isinstance(img, Tensor) else ValueRangeError
        raise kind("resize", f"the new size would be {(new_height, new_width)}, of an image of {(height, width)}", "expected 1 or more")
    if isinstance(img, Tensor):
        return _tensor.resize(img, new_height, new_width, mode, bool(antialias), in_bytes)
    return _pil.resize(img, new_height, new_width, PIL_FILTERS[mode])


def sides_of(padding: int | Sequence[int]) -> tuple[int, int, int, int]:
    if not isinstance(padding, (Number, list, tuple)):
        raise TypeMismatch("pad", f"padding is {padding!r}", "expected an int or 1, 2 or 4 ints")
    values = tuple(padding) if isinstance(padding, (list, tuple)) else (padding,)
    if len(values) not in (1, 2, 4):
        raise ValueRangeError("pad", f"padding has {len(values)} values ({padding!r})", "expected 1, 2 or 4")
    return (values * (4 // len(values)))[:4]  # (all), (left-right, top-bottom) or (left, top, right, bottom)


def pad(img: Img, padding: int | Sequence[int], fill: float | Sequence[float] | None = 0, padding_mode: str = "constant") -> Img:
    """Pad all sides by an int, or by ``(left-right, top-bottom)``, or by ``(left, top, right, bottom)``.

    ``padding_mode`` is "constant" (with ``fill``), "edge", "reflect" or "symmetric".

    >>> pad(Image.new("L", (4, 2)), (1, 2)).size
    (6, 6)
    """
    sides = sides_of(padding)
    if fill is not None and not isinstance(fill, (Number, list, tuple)):
        raise TypeMismatch("pad", f"fill is {fill!r}", "expected a number or one a channel")
    if not isinstance(padding_mode, str):
        raise TypeMismatch("pad", f"padding_mode is {padding_mode!r}", f"expected one of {', '.join(_PAD_MODES)}")
    if padding_mode not in _PAD_MODES:
        raise ValueRangeError("pad", f"padding_mode is {padding_mode!r}", f"expected one of {', '.join(_PAD_MODES)}")
    get_dimensions(img)
    if isinstance(img, Tensor):
        return _tensor.pad(img, sides, fill, padding_mode)
    return _pil.pad(img, sides, fill, padding_mode)


def crop(img: Img, top: int, left: int, height: int, width: int) -> Img:
    """Cut out the box whose upper left corner is at ``(top, left)``; what lies outside the image is 0.

    >>> crop(Image.new("L", (4, 4)), 1, 1, 2, 3).size
    (3, 2)
    """
    get_dimensions(img)
    return (_tensor if isinstance(img, Tensor) else _pil).crop(img, top, left, height, width)


def _pair(where: str, size: Any) -> tuple[int, int]:
    edges = (int(size),) * 2 if isinstance(size, Number) else tuple(size) * (2 if len(size) == 1 else 1)
    if len(edges) != 2:
        raise ValueRangeError(where, f"size is {size!r}", "expected an int or (h, w)")
    return edges


def center_crop(img: Img, output_size: Size) -> Img:
    """Cut out the middle, ``(h, w)`` or an int for a square; an image that is smaller is first padded with 0.

    >>> center_crop(Image.new("L", (9, 4)), 6).size
    (6, 6)
    """
    new_height, new_width = _pair("center_crop", output_size)
    _, height, width = get_dimensions(img)
    across, down = max(new_width - width, 0), max(new_height - height, 0)
    if across or down:
        img = pad(img, (across // 2, down // 2, (across + 1) // 2, (down + 1) // 2), 0)
        height, width = max(height, new_height), max(width, new_width)
        if (height, width) == (new_height, new_width):
            return img
    return crop(img, round((height - new_height) / 2.0), round((width - new_width) / 2.0), new_height, new_width)


def resized_crop(
    img: Img,
    top: int,
    left: int,
    height: int,
    width: int,
    size: Size,
    interpolation: InterpolationMode | int = InterpolationMode.BILINEAR,
    antialias: bool | None = True,
) -> Img:
    """Cut a box out and resize it.

    >>> resized_crop(Image.new("L", (9, 9)), 1, 1, 4, 8, (2, 4)).size
    (4, 2)
    """
    return resize(crop(img, top, left, height, width), size, interpolation, antialias=antialias)


def hflip(img: Img) -> Img:
    """Mirror left and right.

    >>> hflip(Image.new("L", (4, 2))).size
    (4, 2)
    """
    get_dimensions(img)
    return img.flip(-1) if isinstance(img, Tensor) else img.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def vflip(img: Img) -> Img:
    """Mirror top and bottom.

    >>> vflip(Image.new("L", (4, 2))).size
    (4, 2)
    """
    get_dimensions(img)
    return img.flip(-2) if isinstance(img, Tensor) else img.transpose(Image.Transpose.FLIP_TOP_BOTTOM)


def five_crop(img: Img, size: Size) -> tuple[Img, Img, Img, Img, Img]:
    """The four corners (upper left, upper right, lower left, lower right) and the middle.

    >>> [part.size for part in five_crop(Image.new("L", (9, 9)), 4)]
    [(4, 4), (4, 4), (4, 4), (4, 4), (4, 4)]
    """
    new_height, new_width = _pair("five_crop", size)
    _, height, width = get_dimensions(img)
    if new_width > width or new_height > height:
        raise ValueRangeError(
            "five_crop", f"size is {(new_height, new_width)} but the image is {(height, width)}", "expected a larger image"
        )
    below, right = height - new_height, width - new_width
    corners = [crop(img, top, left, new_height, new_width) for top in (0, below) for left in (0, right)]
    return (*corners, center_crop(img, (new_height, new_width)))  # type: ignore[return-value]


def ten_crop(img: Img, size: Size, vertical_flip: bool = False) -> tuple[Img, ...]:
    """``five_crop`` of the image and of its mirror image.

    >>> len(ten_crop(Image.new("L", (9, 9)), 4))
    10
    """
    return five_crop(img, size) + five_crop((vflip if vertical_flip else hflip)(img), size)
