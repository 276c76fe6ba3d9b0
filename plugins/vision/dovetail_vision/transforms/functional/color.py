"""Colours of PIL images and tensors: brightness, contrast, hue and their kin, and blurring."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageEnhance, ImageOps

import dovetail
from dovetail import Tensor
from dovetail.errors import TypeMismatch, ValueRangeError

from .. import _color, _pil
from .._values import max_value
from ._bools import unrounded
from .convert import convert_image_dtype, pil_to_tensor, to_pil_image
from .meta import Img, get_dimensions

__all__ = [
    "adjust_brightness", "adjust_contrast", "adjust_gamma", "adjust_hue", "adjust_saturation", "adjust_sharpness", "autocontrast",
    "equalize", "gaussian_blur", "invert", "posterize", "rgb_to_grayscale", "solarize", "to_grayscale",
]  # fmt: skip


def coloured(where: str, img: Image.Image | Tensor, factor: float = 0.0, flat: bool = False) -> bool:
    """Whether the image is a tensor, which must have 1 or 3 channels (``flat``: or may be ``(H, W)``); PIL images are Pillow's to judge."""
    channels = get_dimensions(img)[0]
    if not isinstance(img, Tensor):
        return False
    if (img.ndim < 3 and not flat) or channels not in (1, 3):
        raise TypeMismatch(where, f"img has shape {tuple(img.shape)}", "expected (..., C, H, W) with C 1 or 3")
    if factor < 0:
        raise ValueRangeError(where, f"the factor is {factor}", "expected 0 or more")
    return True


def rgb_to_grayscale(img: Img, num_output_channels: int = 1) -> Img:
    """Grey, in one channel or three equal ones: ``0.2989 R + 0.587 G + 0.114 B``. A tensor of one channel keeps it, as in torchvision.

    >>> rgb_to_grayscale(Image.new("RGB", (1, 1), (255, 0, 0))).getpixel((0, 0))
    76
    """
    if num_output_channels not in (1, 3):
        raise ValueRangeError("rgb_to_grayscale", f"num_output_channels is {num_output_channels}", "expected 1 or 3")
    if not coloured("rgb_to_grayscale", img):
        return _pil.to_grayscale(img, num_output_channels)
    grey = _color.grey(img) if img.shape[-3] == 3 else img.clone()
    return grey.expand(img.shape) if num_output_channels == 3 else grey


def to_grayscale(img: Image.Image, num_output_channels: int = 1) -> Image.Image:
    """Grey, for PIL images alone; ``rgb_to_grayscale`` takes tensors too.

    >>> to_grayscale(Image.new("RGB", (2, 2)), 3).mode
    'RGB'
    """
    if not isinstance(img, Image.Image):
        raise TypeMismatch("to_grayscale", f"img is {type(img).__name__}", "expected a PIL image", "rgb_to_grayscale takes tensors")
    return rgb_to_grayscale(img, num_output_channels)


def adjust_brightness(img: Img, brightness_factor: float) -> Img:
    """Times a factor: 0 is black, 1 the image itself.

    >>> adjust_brightness(Image.new("L", (1, 1), 100), 1.5).getpixel((0, 0))
    150
    """
    if coloured("adjust_brightness", img, brightness_factor, flat=True):
        return _color.blend(img, 0.0, brightness_factor)
    return ImageEnhance.Brightness(img).enhance(brightness_factor)


def adjust_contrast(img: Img, contrast_factor: float) -> Img:
    """Away from the mean grey by a factor: 0 is grey, 1 the image itself.

    >>> adjust_contrast(Image.new("L", (1, 1), 100), 2.0).getpixel((0, 0))
    100
    """
    if coloured("adjust_contrast", img, contrast_factor):
        return _color.contrast(img, contrast_factor)
    return ImageEnhance.Contrast(img).enhance(contrast_factor)


def adjust_saturation(img: Img, saturation_factor: float) -> Img:
    """Away from the grey image by a factor: 0 is grey, 1 the image itself.

    >>> adjust_saturation(Image.new("RGB", (1, 1), (255, 0, 0)), 0.0).getpixel((0, 0))
    (76, 76, 76)
    """
    if coloured("adjust_saturation", img, saturation_factor, flat=True):
        return _color.saturation(img, saturation_factor)
    return ImageEnhance.Color(img).enhance(saturation_factor)


def adjust_hue(img: Img, hue_factor: float) -> Img:
    """Turn the hue by a share of the circle, -0.5 to 0.5; grey images stay.

    >>> adjust_hue(Image.new("RGB", (1, 1), (255, 0, 0)), 0.5).getpixel((0, 0))
    (0, 255, 252)
    """
    if not -0.5 <= hue_factor <= 0.5:
        raise ValueRangeError("adjust_hue", f"hue_factor is {hue_factor}", "expected -0.5 to 0.5")
    return _color.hue(img, hue_factor) if coloured("adjust_hue", img, flat=True) else _pil.hue(img, hue_factor)


def adjust_gamma(img: Img, gamma: float, gain: float = 1) -> Img:
    """``gain * img ** gamma``, of values in 0..1.

    >>> adjust_gamma(Image.new("L", (1, 1), 64), 0.5).getpixel((0, 0))
    128
    """
    if gamma < 0:
        raise ValueRangeError("adjust_gamma", f"gamma is {gamma}", "expected 0 or more")
    if coloured("adjust_gamma", img, flat=True):
        values = img if img.is_floating_point() else convert_image_dtype(img, dovetail.float32)
        return convert_image_dtype((gain * values**gamma).clamp(0, 1), img.dtype)
    table = [int((255 + 1 - 1e-3) * gain * pow(value / 255.0, gamma)) for value in range(256)] * 3
    return img.convert("RGB").point(table).convert(img.mode)


def adjust_sharpness(img: Img, sharpness_factor: float) -> Img:
    """Away from a blurred image by a factor: 0 is blurred, 1 the image itself.

    >>> adjust_sharpness(Image.new("L", (4, 4), 9), 2.0).getpixel((1, 1))
    9
    """
    if coloured("adjust_sharpness", img, sharpness_factor):
        return _color.sharpness(img, sharpness_factor)
    return ImageEnhance.Sharpness(img).enhance(sharpness_factor)


def invert(img: Img) -> Img:
    """White minus the image.

    >>> invert(Image.new("L", (1, 1), 55)).getpixel((0, 0))
    200
    """
    return _color.invert(img) if coloured("invert", img) else ImageOps.invert(img)


def _bytes_only(where: str, img: Tensor) -> None:
    if img.dtype != dovetail.uint8:
        raise TypeMismatch(where, f"img has type {img.dtype}", "expected uint8", "transforms.v2 takes other types")


def posterize(img: Img, bits: int) -> Img:
    """Keep the highest ``bits`` bits, 0 to 8, of each byte.

    >>> posterize(Image.new("L", (1, 1), 255), 2).getpixel((0, 0))
    192
    """
    if not 0 <= bits <= 8:
        raise ValueRangeError("posterize", f"bits is {bits}", "expected 0 to 8")
    if not coloured("posterize", img):
        return ImageOps.posterize(img, bits)
    _bytes_only("posterize", img)
    return _color.posterize(img, bits)


def solarize(img: Img, threshold: float) -> Img:
    """Invert what is at or above the threshold.

    >>> solarize(Image.new("L", (1, 1), 200), 128).getpixel((0, 0))
    55
    """
    if not coloured("solarize", img):
        return ImageOps.solarize(img, threshold)
    if threshold > max_value(img.dtype):
        raise TypeMismatch("solarize", f"threshold is {threshold}", f"expected {max_value(img.dtype)} at most for {img.dtype}")
    return _color.solarize(img, threshold)


def autocontrast(img: Img) -> Img:
    """Stretch each channel to the whole range.

    >>> autocontrast(Image.linear_gradient("L").point(lambda x: x // 2)).getextrema()
    (0, 255)
    """
    return _color.autocontrast(img) if coloured("autocontrast", img) else ImageOps.autocontrast(img)


def equalize(img: Img) -> Img:
    """Spread the bytes of each channel evenly over the range.

    >>> equalize(Image.linear_gradient("L").point(lambda x: x // 2)).getextrema()
    (0, 255)
    """
    if not coloured("equalize", img):
        return ImageOps.equalize(img)
    _bytes_only("equalize", img)
    return _color.equalize(img)


def _two(name: str, value: float | Sequence[float]) -> list[float]:
    if not isinstance(value, (int, float, list, tuple)):
        raise TypeMismatch("gaussian_blur", f"{name} is {value!r}", "expected a number or (x, y)")
    both = [value] if isinstance(value, (int, float)) else list(value)
    both = both * 2 if len(both) == 1 else both
    if len(both) != 2:
        raise ValueRangeError("gaussian_blur", f"{name} is {value!r}", "expected a number or (x, y)")
    return both


@unrounded
def gaussian_blur(img: Img, kernel_size: int | Sequence[int], sigma: float | Sequence[float] | None = None) -> Img:
    """Blur with a Gaussian kernel of odd ``kernel_size`` ``(x, y)``; ``sigma`` is ``0.15 * kernel_size + 0.35`` by default.

    >>> gaussian_blur(Image.new("L", (5, 5), 9), 3).getpixel((2, 2))
    9
    """
    return blurred(img, kernel_size, sigma)


def blurred(img: Img, kernel_size: int | Sequence[int], sigma: float | Sequence[float] | None, fused: bool = False) -> Img:
    sizes = _two("kernel_size", kernel_size)
    if any(size % 2 == 0 or size < 0 for size in sizes):
        raise ValueRangeError("gaussian_blur", f"kernel_size is {kernel_size!r}", "expected odd positive numbers")
    spread = [size * 0.15 + 0.35 for size in sizes] if sigma is None else _two("sigma", sigma)
    if any(value <= 0 for value in spread):
        raise ValueRangeError("gaussian_blur", f"sigma is {sigma!r}", "expected positive numbers")
    get_dimensions(img)
    if isinstance(img, Tensor):
        return _color.blur(img, sizes, spread, fused)
    return to_pil_image(_color.blur(pil_to_tensor(img), sizes, spread, fused), mode=img.mode)
