"""What moves pixels: for PIL images and tensors; kernels for boxes, masks and points are attached to these."""

from __future__ import annotations

from collections.abc import Sequence
from inspect import unwrap

from PIL import Image  # noqa: F401 (for the examples)

import dovetail
from dovetail import Tensor
from dovetail.errors import ShapeError, ValueRangeError

from ... import _pil, _warp
from ... import functional as _v1
from ..._interpolation import PIL_FILTERS, InterpolationMode, interpolation_mode
from ...functional.geometry import resized
from ...functional.meta import Img, get_dimensions
from ...functional.warp import affine_of, rotated
from ._kernels import dispatched
from ._points import the_coefficients

__all__ = [
    "affine", "center_crop", "crop", "elastic", "elastic_transform", "five_crop", "hflip", "horizontal_flip", "pad", "perspective",
    "resize", "resized_crop", "rotate", "ten_crop", "vertical_flip", "vflip",
]  # fmt: skip

Mode = InterpolationMode | int | str
Fill = float | Sequence[float] | None

horizontal_flip = hflip = dispatched(_v1.hflip)
vertical_flip = vflip = dispatched(_v1.vflip)
crop, center_crop, five_crop, ten_crop = (dispatched(f) for f in (_v1.crop, _v1.center_crop, _v1.five_crop, _v1.ten_crop))


@dispatched
def resize(
    inpt: Img, size: int | Sequence[int] | None, interpolation: Mode = InterpolationMode.BILINEAR, max_size: int | None = None,
    antialias: bool | None = True,
) -> Img:  # fmt: skip
    """Resize to ``(h, w)``, an int for the smaller edge, or None for the larger edge to ``max_size``.

    >>> resize(Image.new("L", (8, 4)), None, max_size=4).size
    (4, 2)
    """
    mode = interpolation_mode("resize", interpolation, names=True)
    return resized(inpt, size, mode, max_size, antialias, in_bytes=True)


@dispatched
def resized_crop(
    inpt: Img, top: int, left: int, height: int, width: int, size: int | Sequence[int], interpolation: Mode = InterpolationMode.BILINEAR,
    antialias: bool | None = True,
) -> Img:  # fmt: skip
    """Cut a box out and resize it.

    >>> resized_crop(Image.new("L", (9, 9)), 1, 1, 4, 8, [2, 4], "nearest").size
    (4, 2)
    """
    return resize(crop(inpt, top, left, height, width), size, interpolation, antialias=antialias)


@dispatched
def pad(inpt: Img, padding: int | Sequence[int], fill: Fill = None, padding_mode: str = "constant") -> Img:
    """Pad all sides by an int, or by ``(left-right, top-bottom)``, or by ``(left, top, right, bottom)``; tensors take a fill a channel too.

    >>> pad(dovetail.zeros(2, 1, 1), [0, 1, 0, 0], [5.0, 6.0])[:, 0, 0]
    tensor([5., 6.])
    """
    if not isinstance(inpt, Tensor) or fill is None or isinstance(fill, (int, float)) or len(fill) == 1:
        single = fill[0] if isinstance(inpt, Tensor) and isinstance(fill, (list, tuple)) else fill
        return _v1.pad(inpt, padding, single, padding_mode)
    if padding_mode != "constant":
        raise ValueRangeError("pad", f"padding_mode is {padding_mode!r} and fill is {fill!r}", "a fill a channel goes with 'constant'")
    if inpt.ndim > 2 and len(fill) != inpt.shape[-3]:
        what = f"fill has {len(fill)} values but the image has {inpt.shape[-3]} channels"
        raise ShapeError("pad", what, "expected one value or one a channel")
    padded = _v1.pad(inpt, padding, 0, padding_mode)
    inside = _v1.pad(dovetail.ones(1, *inpt.shape[-2:], device=inpt.device), padding, 0, padding_mode) > 0
    return dovetail.where(inside, padded, dovetail.tensor(list(fill), device=inpt.device).to(inpt.dtype).view(-1, 1, 1))


@dispatched
def affine(
    inpt: Img, angle: float, translate: Sequence[float], scale: float, shear: float | Sequence[float],
    interpolation: Mode = InterpolationMode.NEAREST, fill: Fill = None, center: Sequence[float] | None = None,
) -> Img:  # fmt: skip
    """Shear, scale and turn about ``center`` (default: the middle), then shift; the size stays.

    >>> affine(Image.new("L", (4, 2)), 30, [1, 0], 1.5, [0.0, 0.0], "bilinear").size
    (4, 2)
    """
    mode = interpolation_mode("affine", interpolation, names=True)
    return affine_of(inpt, angle, translate, scale, shear, mode, fill, center, factored=True)


@dispatched
def rotate(
    inpt: Img, angle: float, interpolation: Mode = InterpolationMode.NEAREST, expand: bool = False,
    center: Sequence[float] | None = None, fill: Fill = None,
) -> Img:  # fmt: skip
    """Turn by ``angle`` degrees, counter-clockwise; of tensors, quarter turns are exact where they fit.

    >>> rotate(dovetail.tensor([[[1, 2], [3, 4]]]), 90)
    tensor([[[2, 4],
             [1, 3]]])
    """
    mode = interpolation_mode("rotate", interpolation, names=True)
    if isinstance(inpt, Tensor) and isinstance(angle, (int, float)):
        angle %= 360  # -90 falls to the same pixels as 270
        if center is None and (angle in (0, 180) or (angle in (90, 270) and (expand or inpt.shape[-1] == inpt.shape[-2]))):
            return inpt.clone() if angle == 0 else dovetail.rot90(inpt, int(angle // 90), (-2, -1))
    return rotated(inpt, angle, mode, expand, center, fill, factored=True)


@dispatched
def perspective(
    inpt: Img, startpoints: Sequence[Sequence[int]] | None, endpoints: Sequence[Sequence[int]] | None,
    interpolation: Mode = InterpolationMode.BILINEAR, fill: Fill = None, coefficients: Sequence[float] | None = None,
) -> Img:  # fmt: skip
    """Bring the corners at ``startpoints`` to ``endpoints``, or take the 8 ``coefficients`` of that map.

    >>> perspective(Image.new("L", (4, 4)), None, None, coefficients=[1, 0, 0, 0, 1, 0, 0, 0]).size
    (4, 4)
    """
    numbers = the_coefficients(startpoints, endpoints, coefficients)
    mode = interpolation_mode("perspective", interpolation, names=True)
    get_dimensions(inpt)
    if isinstance(inpt, Tensor):
        return _warp.perspective(inpt, numbers, mode, fill)
    return _pil.perspective(inpt, numbers, PIL_FILTERS[mode], fill)


@dispatched
def elastic(inpt: Img, displacement: Tensor, interpolation: Mode = InterpolationMode.BILINEAR, fill: Fill = None) -> Img:
    """Take each pixel from its own place moved by ``displacement`` ``(1, H, W, 2)``: x and y, in halves of width and height.

    >>> elastic(Image.new("L", (4, 2)), dovetail.zeros(1, 2, 4, 2), "nearest").size
    (4, 2)
    """
    return unwrap(_v1.elastic_transform)(inpt, displacement, interpolation_mode("elastic", interpolation, names=True), fill)


elastic_transform = elastic
