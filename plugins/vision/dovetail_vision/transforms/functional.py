"""The transforms as functions: what they check, and which of PIL image and tensor answers."""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Sequence
from numbers import Number
from typing import TypeVar

import numpy as np
from PIL import Image

import dovetail
from dovetail import Tensor
from dovetail.errors import TypeMismatch, ValueRangeError

from . import _pil, _tensor
from ._interpolation import PIL_FILTERS, InterpolationMode, interpolation_mode

__all__ = [
    "InterpolationMode",
    "affine",
    "crop",
    "get_dimensions",
    "get_image_num_channels",
    "get_image_size",
    "normalize",
    "pad",
    "resize",
    "to_tensor",
]

Img = TypeVar("Img", Image.Image, Tensor)

_WIDE = {"I": np.int32, "F": np.float32, "I;16" if sys.byteorder == "little" else "I;16B": np.int16}
_PAD_MODES = ("constant", "edge", "reflect", "symmetric")


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


def to_tensor(pic: Image.Image | np.ndarray) -> Tensor:
    """A PIL image or an array ``(H, W)`` or ``(H, W, C)`` as a tensor ``(C, H, W)``, bytes scaled to 0..1.

    >>> to_tensor(Image.new("L", (1, 1), 51)).item()
    0.20000000298023224
    """
    if isinstance(pic, Image.Image):
        pixels = np.array(pic, _WIDE.get(pic.mode, np.uint8))
        if pic.mode == "1":
            pixels *= 255
    elif isinstance(pic, np.ndarray):
        pixels = pic
    else:
        raise TypeMismatch("to_tensor", f"pic is {type(pic).__name__}", "expected a PIL image or an array")
    if pixels.ndim not in (2, 3):
        raise ValueRangeError("to_tensor", f"pic has shape {pixels.shape}", "expected (H, W) or (H, W, C)")
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    img = dovetail.from_numpy(pixels.transpose(2, 0, 1)).contiguous()
    if img.dtype != dovetail.uint8:
        return img
    return img.to(dtype=dovetail.get_default_dtype()).div(255)


def normalize(tensor: Tensor, mean: Sequence[float], std: Sequence[float], inplace: bool = False) -> Tensor:
    """``(tensor - mean) / std`` for each channel of a float tensor ``(..., C, H, W)``.

    >>> normalize(dovetail.ones(1, 1, 1), [0.5], [0.25]).item()
    2.0
    """
    if not isinstance(tensor, Tensor):
        what = f"tensor is {type(tensor).__name__}"
        raise TypeMismatch("normalize", what, "expected a float tensor", "put ToTensor before Normalize")
    if not tensor.is_floating_point():
        raise TypeMismatch("normalize", f"tensor has dtype {tensor.dtype}", "expected a float type")
    if tensor.ndim < 3:
        raise ValueRangeError("normalize", f"tensor has shape {tuple(tensor.shape)}", "expected (..., C, H, W)")
    return _tensor.normalize(tensor, mean, std, inplace)


def _output_size(height: int, width: int, size: int | Sequence[int], max_size: int | None) -> tuple[int, int]:
    wanted = [size] if isinstance(size, int) else list(size)
    if len(wanted) not in (1, 2):
        raise ValueRangeError("resize", f"size is {size!r}", "expected an int or a sequence of 1 or 2 ints")
    if len(wanted) == 2:
        if max_size is not None:
            what = f"size is {size!r} and max_size is {max_size}"
            raise ValueRangeError("resize", what, "max_size goes with a single int, the length of the smaller edge")
        return wanted[0], wanted[1]
    small, large = sorted((height, width))
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
    _, height, width = get_dimensions(img)
    new_height, new_width = _output_size(height, width, size, max_size)
    if (new_height, new_width) == (height, width):
        return img
    if isinstance(img, Tensor):
        return _tensor.resize(img, new_height, new_width, mode, bool(antialias))
    if antialias is False:
        warnings.warn("resize: antialias=False is ignored; Pillow always smooths", stacklevel=2)
    return _pil.resize(img, new_height, new_width, PIL_FILTERS[mode])


def _sides(padding: int | Sequence[int]) -> tuple[int, int, int, int]:
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
    sides = _sides(padding)
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


def _inverse_matrix(center: Sequence[float], angle: float, translate: Sequence[float], scale: float, shear: Sequence[float]) -> list[float]:
    """Rows of the matrix that takes an output point to its input point, ``M^-1`` for ``M = T C R(angle) S Hy Hx C^-1``."""
    turn, shear_x, shear_y = (math.radians(degrees) for degrees in (angle, *shear))
    cos, sin = math.cos(turn - shear_y), math.sin(turn - shear_y)
    a, c = cos / math.cos(shear_y), sin / math.cos(shear_y)
    b = -cos * math.tan(shear_x) / math.cos(shear_y) - math.sin(turn)
    d = -sin * math.tan(shear_x) / math.cos(shear_y) + math.cos(turn)
    # Rotation and shears have determinant 1, so the inverse of [[a, b], [c, d]] is [[d, -b], [-c, a]].
    rows = []
    for (along_x, along_y), middle in zip(((d, -b), (-c, a)), center, strict=True):
        along_x, along_y = along_x / scale, along_y / scale
        shift = along_x * (-center[0] - translate[0]) + along_y * (-center[1] - translate[1])
        rows += [along_x, along_y, shift + middle]
    return rows


def _check_affine(angle: object, translate: object, scale: float, shear: object, center: object) -> None:
    if not isinstance(angle, (int, float)):
        raise TypeMismatch("affine", f"angle is {angle!r}", "expected a number of degrees")
    if not isinstance(translate, (list, tuple)):
        raise TypeMismatch("affine", f"translate is {translate!r}", "expected 2 numbers")
    if len(translate) != 2:
        raise ValueRangeError("affine", f"translate is {translate!r}", "expected 2 numbers")
    if scale <= 0:
        raise ValueRangeError("affine", f"scale is {scale}", "expected a positive number")
    if not isinstance(shear, (Number, list, tuple)):
        raise TypeMismatch("affine", f"shear is {shear!r}", "expected a number or 2 of them")
    if isinstance(shear, (list, tuple)) and len(shear) not in (1, 2):
        raise ValueRangeError("affine", f"shear is {shear!r}", "expected a number or 2 of them")
    if center is not None and not isinstance(center, (list, tuple)):
        raise TypeMismatch("affine", f"center is {center!r}", "expected 2 numbers")


def affine(
    img: Img,
    angle: float,
    translate: Sequence[float],
    scale: float,
    shear: float | Sequence[float],
    interpolation: InterpolationMode | int = InterpolationMode.NEAREST,
    fill: float | Sequence[float] | None = None,
    center: Sequence[float] | None = None,
) -> Img:
    """Shear, scale and turn about ``center`` (default: the middle), then shift; the size stays.

    ``angle`` and ``shear`` are in degrees, clockwise; ``translate`` is ``(right, down)`` in pixels; ``fill`` is for what
    comes from outside the image.

    >>> affine(Image.new("L", (4, 2)), 30, (1, 0), 1.5, 0).size
    (4, 2)
    """
    mode = interpolation_mode("affine", interpolation)
    _check_affine(angle, translate, scale, shear, center)
    shears = [shear, 0.0] if isinstance(shear, Number) else list(shear) * (2 // len(shear))
    _, height, width = get_dimensions(img)
    if isinstance(img, Tensor):  # the origin is the middle of a tensor, the upper left corner of a PIL image
        middle = [0.0, 0.0] if center is None else [center[0] - width * 0.5, center[1] - height * 0.5]
        return _tensor.affine(img, _inverse_matrix(middle, angle, translate, scale, shears), mode, fill)
    middle = [width * 0.5, height * 0.5] if center is None else list(center)
    return _pil.affine(img, _inverse_matrix(middle, angle, translate, scale, shears), PIL_FILTERS[mode], fill)
