"""Conversions, noise and what else is done to values, of PIL images and tensors."""

from __future__ import annotations

import functools
import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

import dovetail
from dovetail import Tensor
from dovetail.errors import TypeMismatch, ValueRangeError

from ....tv_tensors import BoundingBoxes, KeyPoints, Mask, Video
from ....tv_tensors import Image as TVImage
from ... import _color
from ... import functional as _v1
from ..._values import max_value
from ...functional.color import blurred
from ...functional.convert import pil_to_tensor, to_pil_image
from ...functional.meta import Img, get_dimensions
from ._kernels import attach, dispatched

__all__ = [
    "convert_image_dtype", "erase", "gaussian_blur", "gaussian_noise", "jpeg", "normalize", "pil_to_tensor", "to_dtype", "to_image",
    "to_pil_image", "uniform_temporal_subsample",
]  # fmt: skip

normalize = dispatched(_v1.normalize)


@dispatched
def gaussian_blur(inpt: Img, kernel_size: int | Sequence[int], sigma: float | Sequence[float] | None = None) -> Img:
    """Blur with a Gaussian kernel of odd ``kernel_size`` ``(x, y)``; ``sigma`` is ``0.15 * kernel_size + 0.35`` by default.

    >>> gaussian_blur(Image.new("L", (5, 5), 9), 3).getpixel((2, 2))
    9
    """
    return blurred(inpt, kernel_size, sigma, fused=True)


def to_image(inpt: Tensor | Image.Image | np.ndarray) -> TVImage:
    """A PIL image, an array ``(H, W)`` or ``(H, W, C)`` or a tensor as an ``Image`` ``(C, H, W)`` of the same values.

    >>> to_image(Image.new("RGB", (5, 4))).shape
    dovetail.Size([3, 4, 5])
    """
    if isinstance(inpt, np.ndarray):
        return TVImage(dovetail.from_numpy(np.atleast_3d(inpt)).permute(2, 0, 1).contiguous())
    if not isinstance(inpt, (Tensor, Image.Image)):
        raise TypeMismatch("to_image", f"inpt is {type(inpt).__name__}", "expected a tensor, an array or a PIL image")
    return TVImage(inpt)


@dispatched
def to_dtype(inpt: Tensor, dtype: dovetail.dtype = dovetail.float32, scale: bool = False) -> Tensor:
    """Change the element type; with ``scale`` the values too, 0..1 for floats, 0 to the largest number for whole numbers.

    >>> to_dtype(dovetail.tensor([[0, 255]], dtype=dovetail.uint8), scale=True)
    tensor([[0., 1.]])
    """
    if not isinstance(inpt, Tensor):
        raise TypeMismatch("to_dtype", f"inpt is {type(inpt).__name__}", "expected a tensor", "put ToImage before ToDtype")
    return _color.scaled(inpt, dtype) if scale else inpt.to(dtype)


for _kind in (BoundingBoxes, KeyPoints, Mask):  # numbers that are no colours are not scaled
    attach(to_dtype, _kind)(lambda inpt, dtype: inpt.to(dtype))


def convert_image_dtype(image: Tensor, dtype: dovetail.dtype = dovetail.float32) -> Tensor:
    """``to_dtype`` with ``scale=True``.

    >>> convert_image_dtype(dovetail.ones(1, 2), dovetail.uint8)
    tensor([[255, 255]], dtype=dovetail.uint8)
    """
    return _color.scaled(image, dtype)


@functools.partial(dispatched, name="image")
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
    if not 1 <= quality <= 100:
        raise ValueRangeError("jpeg", f"quality is {quality}", "expected 1 to 100")
    parts = [pil_to_tensor(jpeg(to_pil_image(part), quality)) for part in image.reshape(-1, channels, height, width)]
    return dovetail.stack(parts).reshape(image.shape) if parts else image.clone()


@dispatched
def gaussian_noise(inpt: Tensor, mean: float = 0.0, sigma: float = 0.1, clip: bool = True) -> Tensor:
    """Add normal noise, in the scale of 0..1, to a float or uint8 tensor; ``clip`` holds the result to the range.

    >>> gaussian_noise(dovetail.ones(1, 2, 2), sigma=0.0).mean().item()
    1.0
    """
    if not isinstance(inpt, Tensor):
        kind = ValueRangeError if isinstance(inpt, Image.Image) else TypeMismatch  # as torchvision's
        raise kind("gaussian_noise", f"inpt is {type(inpt).__name__}", "expected a tensor", "put ToImage before it")
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


@dispatched
def erase(inpt: Img, i: int, j: int, h: int, w: int, v: Tensor, inplace: bool = False) -> Img:
    """Put ``v`` into the box of ``h`` × ``w`` whose upper left corner is at row ``i``, column ``j``.

    >>> erase(Image.new("L", (2, 2)), 0, 1, 2, 1, dovetail.tensor(5)).getpixel((1, 0))
    5
    """
    if isinstance(inpt, Image.Image):
        return to_pil_image(_v1.erase(pil_to_tensor(inpt), i, j, h, w, v), mode=inpt.mode)
    return _v1.erase(inpt, i, j, h, w, v, inplace)


def _frames(video: Tensor, num_samples: int) -> Tensor:
    """Frames of a video ``(..., T, C, H, W)`` at equal steps, the first and the last among them; some again where there are too few.

    >>> uniform_temporal_subsample(dovetail.zeros(5, 3, 2, 2), 2).shape
    dovetail.Size([2, 3, 2, 2])
    """
    if not isinstance(video, Tensor) or video.ndim < 4:
        got = tuple(video.shape) if isinstance(video, Tensor) else type(video).__name__
        raise TypeMismatch("uniform_temporal_subsample", f"inpt is {got}", "expected a tensor (..., T, C, H, W)")
    places = dovetail.linspace(0, video.shape[-4] - 1, num_samples, device=video.device).long()
    return video.index_select(-4, places)


_frames.__name__ = _frames.__qualname__ = "uniform_temporal_subsample"
uniform_temporal_subsample = dispatched(_frames, Video)
