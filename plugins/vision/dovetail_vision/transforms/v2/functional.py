"""The v2 transforms as functions; those that do as in :mod:`dovetail_vision.transforms.functional` are the same functions."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageOps

import dovetail
from dovetail import Tensor
from dovetail.errors import TypeMismatch, ValueRangeError

from .. import _color, _pil, _warp
from .. import functional as _v1
from .._interpolation import PIL_FILTERS, InterpolationMode, interpolation_mode
from .._values import max_value
from ..functional import (
    adjust_brightness,
    adjust_hue,
    center_crop,
    crop,
    five_crop,
    gaussian_blur,
    get_dimensions,
    get_image_num_channels,
    get_image_size,
    hflip,
    invert,
    normalize,
    pil_to_tensor,
    solarize,
    ten_crop,
    to_pil_image,
    to_tensor,
    vflip,
)
from ..functional.color import coloured
from ..functional.geometry import resized
from ..functional.meta import Img
from ..functional.warp import perspective_coefficients

__all__ = [
    "InterpolationMode", "adjust_brightness", "adjust_contrast", "adjust_gamma", "adjust_hue", "adjust_saturation", "adjust_sharpness",
    "affine", "autocontrast", "center_crop", "convert_image_dtype", "crop", "elastic", "equalize", "erase", "five_crop", "gaussian_blur",
    "gaussian_noise", "get_dimensions", "get_image_num_channels", "get_image_size", "get_num_channels", "get_size", "grayscale_to_rgb",
    "hflip", "horizontal_flip", "invert", "jpeg", "normalize", "pad", "permute_channels", "perspective", "pil_to_tensor", "posterize",
    "resize", "resized_crop", "rgb_to_grayscale", "rotate", "solarize", "ten_crop", "to_dtype", "to_grayscale", "to_image",
    "to_pil_image", "to_tensor", "vertical_flip", "vflip",
]  # fmt: skip

Mode = InterpolationMode | int | str
Fill = float | Sequence[float] | None

horizontal_flip, vertical_flip, get_num_channels = hflip, vflip, get_image_num_channels


def get_size(inpt: Image.Image | Tensor) -> list[int]:
    """``[height, width]``.

    >>> get_size(Image.new("L", (5, 4)))
    [4, 5]
    """
    return get_dimensions(inpt)[1:]


def to_image(inpt: Tensor | Image.Image | np.ndarray) -> Tensor:
    """A PIL image, an array ``(H, W)`` or ``(H, W, C)`` or a tensor as a tensor ``(C, H, W)`` of the same values.

    >>> to_image(Image.new("RGB", (5, 4))).shape
    dovetail.Size([3, 4, 5])
    """
    if isinstance(inpt, np.ndarray):
        return dovetail.from_numpy(np.atleast_3d(inpt)).permute(2, 0, 1).contiguous()
    if isinstance(inpt, Image.Image):
        return pil_to_tensor(inpt)
    if isinstance(inpt, Tensor):
        return inpt
    raise TypeMismatch("to_image", f"inpt is {type(inpt).__name__}", "expected a tensor, an array or a PIL image")


def to_dtype(inpt: Tensor, dtype: dovetail.dtype = dovetail.float32, scale: bool = False) -> Tensor:
    """Change the element type; with ``scale`` the values too, 0..1 for floats, 0 to the largest number for whole numbers.

    >>> to_dtype(dovetail.tensor([[0, 255]], dtype=dovetail.uint8), scale=True)
    tensor([[0., 1.]])
    """
    if not isinstance(inpt, Tensor):
        raise TypeMismatch("to_dtype", f"inpt is {type(inpt).__name__}", "expected a tensor", "put ToImage before ToDtype")
    return _color.scaled(inpt, dtype) if scale else inpt.to(dtype)


def convert_image_dtype(image: Tensor, dtype: dovetail.dtype = dovetail.float32) -> Tensor:
    """``to_dtype`` with ``scale=True``.

    >>> convert_image_dtype(dovetail.ones(1, 2), dovetail.uint8)
    tensor([[255, 255]], dtype=dovetail.uint8)
    """
    return to_dtype(image, dtype, scale=True)


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


def resized_crop(
    inpt: Img, top: int, left: int, height: int, width: int, size: int | Sequence[int], interpolation: Mode = InterpolationMode.BILINEAR,
    antialias: bool | None = True,
) -> Img:  # fmt: skip
    """Cut a box out and resize it.

    >>> resized_crop(Image.new("L", (9, 9)), 1, 1, 4, 8, [2, 4], "nearest").size
    (4, 2)
    """
    return resize(crop(inpt, top, left, height, width), size, interpolation, antialias=antialias)


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
    padded = _v1.pad(inpt, padding, 0, padding_mode)
    inside = _v1.pad(dovetail.ones(1, *inpt.shape[-2:], device=inpt.device), padding, 0, padding_mode) > 0
    return dovetail.where(inside, padded, dovetail.tensor(list(fill), device=inpt.device).to(inpt.dtype).view(-1, 1, 1))


def affine(
    inpt: Img, angle: float, translate: Sequence[float], scale: float, shear: float | Sequence[float],
    interpolation: Mode = InterpolationMode.NEAREST, fill: Fill = None, center: Sequence[float] | None = None,
) -> Img:  # fmt: skip
    """Shear, scale and turn about ``center`` (default: the middle), then shift; the size stays.

    >>> affine(Image.new("L", (4, 2)), 30, [1, 0], 1.5, [0.0, 0.0], "bilinear").size
    (4, 2)
    """
    return _v1.affine(inpt, angle, translate, scale, shear, interpolation_mode("affine", interpolation, names=True), fill, center)


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
    if isinstance(inpt, Tensor) and center is None:
        turn = angle % 360
        if turn in (0, 180) or (turn in (90, 270) and (expand or inpt.shape[-1] == inpt.shape[-2])):
            return inpt.clone() if turn == 0 else dovetail.rot90(inpt, int(turn // 90), (-2, -1))
    return _v1.rotate(inpt, angle, mode, expand, center, fill)


def perspective(
    inpt: Img, startpoints: Sequence[Sequence[int]] | None, endpoints: Sequence[Sequence[int]] | None,
    interpolation: Mode = InterpolationMode.BILINEAR, fill: Fill = None, coefficients: Sequence[float] | None = None,
) -> Img:  # fmt: skip
    """Bring the corners at ``startpoints`` to ``endpoints``, or take the 8 ``coefficients`` of that map.

    >>> perspective(Image.new("L", (4, 4)), None, None, coefficients=[1, 0, 0, 0, 1, 0, 0, 0]).size
    (4, 4)
    """
    points = startpoints is not None and endpoints is not None
    if points == (coefficients is not None) or (coefficients is not None and len(coefficients) != 8):
        raise ValueRangeError(
            "perspective", "startpoints and endpoints, or coefficients, do not fit", "expected 4 and 4 points, or 8 numbers"
        )
    if points:
        coefficients = perspective_coefficients(startpoints, endpoints)  # type: ignore[arg-type]
    mode = interpolation_mode("perspective", interpolation, names=True)
    get_dimensions(inpt)
    if isinstance(inpt, Tensor):
        return _warp.perspective(inpt, coefficients, mode, fill)  # type: ignore[arg-type]
    return _pil.perspective(inpt, coefficients, PIL_FILTERS[mode], fill)  # type: ignore[arg-type]


def elastic(inpt: Img, displacement: Tensor, interpolation: Mode = InterpolationMode.BILINEAR, fill: Fill = None) -> Img:
    """Take each pixel from its own place moved by ``displacement`` ``(1, H, W, 2)``: x and y, in halves of width and height.

    >>> elastic(Image.new("L", (4, 2)), dovetail.zeros(1, 2, 4, 2), "nearest").size
    (4, 2)
    """
    return _v1.elastic_transform(inpt, displacement, interpolation_mode("elastic", interpolation, names=True), fill)


elastic_transform = elastic


def jpeg(image: Img, quality: int) -> Img:
    """The image as it comes back from a JPEG file of this quality, 1 to 100; of tensors uint8 ``(..., C, H, W)`` with C 1 or 3.

    >>> jpeg(Image.new("RGB", (4, 2)), 50).size
    (4, 2)
    """
    channels, height, width = get_dimensions(image)
    if isinstance(image, Image.Image):
        file = io.BytesIO()
        image.save(file, format="JPEG", quality=quality)
        return Image.open(file).copy()
    if image.dtype != dovetail.uint8 or channels not in (1, 3):
        what = f"image has shape {tuple(image.shape)} and type {image.dtype}"
        raise ValueRangeError("jpeg", what, "expected uint8 (..., C, H, W) with C 1 or 3")
    parts = [pil_to_tensor(jpeg(to_pil_image(part), quality)) for part in image.reshape(-1, channels, height, width)]
    return dovetail.stack(parts).reshape(image.shape) if parts else image.clone()


def rgb_to_grayscale(inpt: Img, num_output_channels: int = 1) -> Img:
    """Grey, in one channel or three equal ones: ``0.2989 R + 0.587 G + 0.114 B``.

    >>> rgb_to_grayscale(dovetail.ones(1, 1, 1), 3).shape
    dovetail.Size([3, 1, 1])
    """
    if num_output_channels not in (1, 3) or not coloured("rgb_to_grayscale", inpt):
        return _v1.rgb_to_grayscale(inpt, num_output_channels)
    grey = _color.grey(inpt, fused=True).to(inpt.dtype)
    return grey.expand(*inpt.shape[:-3], num_output_channels, *inpt.shape[-2:]).clone() if len(inpt) else grey


to_grayscale = rgb_to_grayscale


def adjust_contrast(inpt: Img, contrast_factor: float) -> Img:
    """Away from the mean grey by a factor: 0 is grey, 1 the image itself.

    >>> adjust_contrast(dovetail.tensor([[[0.4, 0.6]]]), 2.0)
    tensor([[[0.3000, 0.7000]]])
    """
    if coloured("adjust_contrast", inpt, contrast_factor):
        return _color.contrast(inpt, contrast_factor, fused=True)
    return _v1.adjust_contrast(inpt, contrast_factor)


def adjust_saturation(inpt: Img, saturation_factor: float) -> Img:
    """Away from the grey image by a factor: 0 is grey, 1 the image itself.

    >>> adjust_saturation(Image.new("RGB", (1, 1), (255, 0, 0)), 0.0).getpixel((0, 0))
    (76, 76, 76)
    """
    if coloured("adjust_saturation", inpt, saturation_factor):
        return _color.saturation(inpt, saturation_factor, fused=True)
    return _v1.adjust_saturation(inpt, saturation_factor)


def adjust_sharpness(inpt: Img, sharpness_factor: float) -> Img:
    """Away from a blurred image by a factor: 0 is blurred, 1 the image itself.

    >>> adjust_sharpness(Image.new("L", (4, 4), 9), 2.0).getpixel((1, 1))
    9
    """
    if coloured("adjust_sharpness", inpt, sharpness_factor):
        return _color.sharpness(inpt, sharpness_factor, fused=True)
    return _v1.adjust_sharpness(inpt, sharpness_factor)


def autocontrast(inpt: Img) -> Img:
    """Stretch each channel to the whole range.

    >>> autocontrast(dovetail.tensor([[[0.25, 0.5]]]))
    tensor([[[0., 1.]]])
    """
    return _color.autocontrast(inpt, fused=True) if coloured("autocontrast", inpt) else _v1.autocontrast(inpt)


def grayscale_to_rgb(inpt: Img) -> Img:
    """One grey channel as three; images with colours stay.

    >>> grayscale_to_rgb(dovetail.ones(1, 1, 1)).shape
    dovetail.Size([3, 1, 1])
    """
    channels = get_dimensions(inpt)[0]
    if not isinstance(inpt, Tensor):
        return inpt.convert("RGB")
    return inpt if channels >= 3 else rgb_to_grayscale(inpt, 3)


def adjust_gamma(inpt: Img, gamma: float, gain: float = 1) -> Img:
    """``gain * inpt ** gamma``, of values in 0..1.

    >>> adjust_gamma(Image.new("L", (1, 1), 64), 0.5).getpixel((0, 0))
    128
    """
    if not isinstance(inpt, Tensor) or gamma < 0:
        return _v1.adjust_gamma(inpt, gamma, gain)
    values = (inpt if inpt.is_floating_point() else to_dtype(inpt, scale=True)) ** gamma
    return to_dtype(values if gain == 1 else (values * gain).clamp(0.0, 1.0), inpt.dtype, scale=True)


def posterize(inpt: Img, bits: int) -> Img:
    """Keep the highest ``bits`` bits, 0 to 8, of each value; of floats, as many levels.

    >>> posterize(dovetail.tensor([[0.3, 0.9]]), 1)
    tensor([[0.0000, 0.5000]])
    """
    if not isinstance(inpt, Tensor):
        return _v1.posterize(inpt, bits)
    if not isinstance(bits, int) or not 0 <= bits <= 8:
        raise TypeMismatch("posterize", f"bits is {bits!r}", "expected a whole number from 0 to 8")
    return _color.posterize(inpt, bits)


def equalize(inpt: Img) -> Img:
    """Spread the values of each channel evenly over 256 levels.

    >>> equalize(Image.linear_gradient("L").point(lambda x: x // 2)).getextrema()
    (0, 255)
    """
    get_dimensions(inpt)
    return _color.equalize(inpt) if isinstance(inpt, Tensor) else ImageOps.equalize(inpt)


def permute_channels(inpt: Img, permutation: Sequence[int]) -> Img:
    """The channels in another order.

    >>> permute_channels(Image.new("RGB", (1, 1), (1, 2, 3)), [2, 0, 1]).getpixel((0, 0))
    (3, 1, 2)
    """
    order, channels = [int(i) for i in permutation], get_dimensions(inpt)[0]
    if len(order) != channels:
        raise ValueRangeError("permute_channels", f"permutation has {len(order)} numbers", f"expected {channels}, one a channel")
    if not isinstance(inpt, Tensor):
        return to_pil_image(permute_channels(pil_to_tensor(inpt), order))
    return inpt.index_select(-3, dovetail.tensor(order, device=inpt.device))


def gaussian_noise(inpt: Tensor, mean: float = 0.0, sigma: float = 0.1, clip: bool = True) -> Tensor:
    """Add normal noise, in the scale of 0..1, to a float or uint8 tensor; ``clip`` holds the result to the range.

    >>> gaussian_noise(dovetail.ones(1, 2, 2), sigma=0.0).mean().item()
    1.0
    """
    if not isinstance(inpt, Tensor):
        raise TypeMismatch("gaussian_noise", f"inpt is {type(inpt).__name__}", "expected a tensor", "put ToImage before it")
    if sigma < 0:
        raise ValueRangeError("gaussian_noise", f"sigma is {sigma}", "expected 0 or more")
    if inpt.is_floating_point():
        noisy = inpt + (mean + dovetail.randn_like(inpt) * sigma)
    elif inpt.dtype == dovetail.uint8:
        noise = mean * 255 + dovetail.randn_like(inpt, dtype=dovetail.float32) * (sigma * 255)
        noisy = inpt + noise.to(dovetail.int16)
    else:
        raise ValueRangeError("gaussian_noise", f"inpt has type {inpt.dtype}", "expected uint8 or a float type")
    return (noisy.clamp(0, max_value(inpt.dtype)) if clip else noisy).to(inpt.dtype)


def erase(inpt: Img, i: int, j: int, h: int, w: int, v: Tensor, inplace: bool = False) -> Img:
    """Put ``v`` into the box of ``h`` × ``w`` whose upper left corner is at row ``i``, column ``j``.

    >>> erase(Image.new("L", (2, 2)), 0, 1, 2, 1, dovetail.tensor(5)).getpixel((1, 0))
    5
    """
    if isinstance(inpt, Image.Image):
        return to_pil_image(_v1.erase(pil_to_tensor(inpt), i, j, h, w, v), mode=inpt.mode)
    return _v1.erase(inpt, i, j, h, w, v, inplace)


def __getattr__(name: str) -> Any:
    """Say of torchvision's functions for boxes, masks, key points and videos that they are not here yet."""
    from dovetail.errors import UnknownAttribute

    raise UnknownAttribute(__name__, f"there is no {name}", "images (PIL and tensors) are what it has functions for")
