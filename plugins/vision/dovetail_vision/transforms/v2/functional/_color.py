"""What changes colours, of PIL images and tensors."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageOps  # noqa: F401 (Image for the examples)

import dovetail
from dovetail import Tensor
from dovetail.errors import TypeMismatch, ValueRangeError

from ....tv_tensors import Image as TVImage
from ... import _color
from ... import functional as _v1
from ..._values import max_value
from ...functional.color import coloured
from ...functional.meta import Img, get_dimensions
from ._kernels import dispatched
from ._misc import pil_to_tensor, to_dtype, to_pil_image

__all__ = [
    "adjust_brightness", "adjust_contrast", "adjust_gamma", "adjust_hue", "adjust_saturation", "adjust_sharpness", "autocontrast",
    "equalize", "grayscale_to_rgb", "invert", "permute_channels", "posterize", "rgb_to_grayscale", "solarize", "to_grayscale",
]  # fmt: skip

adjust_brightness = dispatched(_v1.adjust_brightness)


def rgb_to_grayscale(inpt: Img, num_output_channels: int = 1) -> Img:
    """Grey, in one channel or three equal ones: ``0.2989 R + 0.587 G + 0.114 B``.

    >>> rgb_to_grayscale(dovetail.ones(1, 1, 1), 3).shape
    dovetail.Size([3, 1, 1])
    """
    if num_output_channels not in (1, 3) or not coloured("rgb_to_grayscale", inpt):
        return _v1.rgb_to_grayscale(inpt, num_output_channels)
    grey = _color.luma(inpt, fused=True).to(inpt.dtype)
    return grey.expand(*inpt.shape[:-3], num_output_channels, *inpt.shape[-2:]).clone()


rgb_to_grayscale = to_grayscale = dispatched(rgb_to_grayscale, TVImage)  # torchvision's pass videos


@dispatched
def adjust_contrast(inpt: Img, contrast_factor: float) -> Img:
    """Away from the mean grey by a factor: 0 is grey, 1 the image itself.

    >>> adjust_contrast(dovetail.tensor([[[0.4, 0.6]]]), 2.0)
    tensor([[[0.3000, 0.7000]]])
    """
    if coloured("adjust_contrast", inpt, contrast_factor):
        return _color.contrast(inpt, contrast_factor, fused=True)
    return _v1.adjust_contrast(inpt, contrast_factor)


@dispatched
def adjust_saturation(inpt: Img, saturation_factor: float) -> Img:
    """Away from the grey image by a factor: 0 is grey, 1 the image itself.

    >>> adjust_saturation(Image.new("RGB", (1, 1), (255, 0, 0)), 0.0).getpixel((0, 0))
    (76, 76, 76)
    """
    if coloured("adjust_saturation", inpt, saturation_factor):
        return _color.saturation(inpt, saturation_factor, fused=True)
    return _v1.adjust_saturation(inpt, saturation_factor)


@dispatched
def adjust_hue(inpt: Img, hue_factor: float) -> Img:
    """Turn the hue by a share of the circle, -0.5 to 0.5; grey images stay.

    >>> adjust_hue(Image.new("RGB", (1, 1), (255, 0, 0)), 0.5).getpixel((0, 0))
    (0, 255, 252)
    """
    if -0.5 <= hue_factor <= 0.5 and coloured("adjust_hue", inpt):
        return _color.hue(inpt, hue_factor, fused=True)
    return _v1.adjust_hue(inpt, hue_factor)


@dispatched
def adjust_sharpness(inpt: Img, sharpness_factor: float) -> Img:
    """Away from a blurred image by a factor: 0 is blurred, 1 the image itself.

    >>> adjust_sharpness(Image.new("L", (4, 4), 9), 2.0).getpixel((1, 1))
    9
    """
    if coloured("adjust_sharpness", inpt, sharpness_factor):
        return _color.sharpness(inpt, sharpness_factor, fused=True)
    return _v1.adjust_sharpness(inpt, sharpness_factor)


@dispatched
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


grayscale_to_rgb = dispatched(grayscale_to_rgb, TVImage)


@dispatched
def adjust_gamma(inpt: Img, gamma: float, gain: float = 1) -> Img:
    """``gain * inpt ** gamma``, of values in 0..1.

    >>> adjust_gamma(Image.new("L", (1, 1), 64), 0.5).getpixel((0, 0))
    128
    """
    if not isinstance(inpt, Tensor) or gamma < 0:
        return _v1.adjust_gamma(inpt, gamma, gain)
    values = (inpt if inpt.is_floating_point() else to_dtype(inpt, scale=True)) ** gamma
    return to_dtype(values if gain == 1 else (values * gain).clamp(0.0, 1.0), inpt.dtype, scale=True)


@dispatched
def invert(inpt: Img) -> Img:
    """White minus the image, of any number of channels.

    >>> invert(dovetail.tensor([[[0.25]], [[1.0]]])).flatten()
    tensor([0.7500, 0.0000])
    """
    return _color.invert(inpt) if isinstance(inpt, Tensor) else _v1.invert(inpt)


@dispatched
def solarize(inpt: Img, threshold: float) -> Img:
    """Invert what is at or above the threshold.

    >>> solarize(dovetail.tensor([[0.25, 0.75]]), 0.5)
    tensor([[0.2500, 0.2500]])
    """
    if not isinstance(inpt, Tensor):
        return _v1.solarize(inpt, threshold)
    if threshold > max_value(inpt.dtype):
        raise TypeMismatch("solarize", f"threshold is {threshold}", f"expected {max_value(inpt.dtype)} at most for {inpt.dtype}")
    return _color.solarize(inpt, threshold)


@dispatched
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


@dispatched
def equalize(inpt: Img) -> Img:
    """Spread the values of each channel evenly over 256 levels.

    >>> equalize(Image.linear_gradient("L").point(lambda x: x // 2)).getextrema()
    (0, 255)
    """
    get_dimensions(inpt)
    return _color.equalize(inpt) if isinstance(inpt, Tensor) else ImageOps.equalize(inpt)


@dispatched
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
