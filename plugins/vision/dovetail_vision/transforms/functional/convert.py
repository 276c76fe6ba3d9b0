"""From arrays and PIL images to tensors and back, and from one element type to another."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
from PIL import Image

import dovetail
from dovetail import Tensor
from dovetail.errors import DtypeError, TypeMismatch, ValueRangeError

from .. import _tensor
from .._values import max_value

__all__ = ["convert_image_dtype", "erase", "normalize", "pil_to_tensor", "to_pil_image", "to_tensor"]

_WIDE = {"I": np.int32, "F": np.float32, "I;16" if sys.byteorder == "little" else "I;16B": np.int16}
_MODES = {2: ("LA",), 3: ("RGB", "YCbCr", "HSV"), 4: ("RGBA", "CMYK", "RGBX")}
_GREY = {"uint8": "L", "int16": "I;16" if sys.byteorder == "little" else "I;16B", "int32": "I", "float32": "F"}


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


def pil_to_tensor(pic: Image.Image) -> Tensor:
    """A PIL image as a tensor ``(C, H, W)`` of its own values, without scaling.

    >>> pil_to_tensor(Image.new("L", (1, 1), 51))
    tensor([[[51]]], dtype=dovetail.uint8)
    """
    if not isinstance(pic, Image.Image):
        raise TypeMismatch("pil_to_tensor", f"pic is {type(pic).__name__}", "expected a PIL image")
    pixels = np.array(pic)
    return dovetail.from_numpy(pixels.reshape(pic.height, pic.width, len(pic.getbands()))).permute(2, 0, 1)


def to_pil_image(pic: Tensor | np.ndarray, mode: str | None = None) -> Image.Image:
    """A tensor ``(C, H, W)`` or ``(H, W)``, or an array ``(H, W, C)`` or ``(H, W)``, as a PIL image; floats are times 255.

    ``mode`` is one of Pillow's for that number of channels; by default "L" ("I;16", "I" and "F" for int16, int32 and, where asked
    for, float32), "LA", "RGB" and "RGBA". Raises TypeMismatch and ValueRangeError for what is no image.

    >>> to_pil_image(dovetail.ones(3, 2, 5)).size
    (5, 2)
    """
    if isinstance(pic, Tensor):
        pic = (pic.permute(1, 2, 0) if pic.ndim == 3 else pic).detach().cpu().numpy()
    elif not isinstance(pic, np.ndarray):
        raise TypeMismatch("to_pil_image", f"pic is {type(pic).__name__}", "expected a tensor or an array")
    if pic.ndim not in (2, 3):
        raise ValueRangeError("to_pil_image", f"pic has {pic.ndim} dimensions", "expected 2 or 3")
    pixels = pic[:, :, None] if pic.ndim == 2 else pic
    if pixels.shape[2] > 4:
        raise ValueRangeError("to_pil_image", f"pic has {pixels.shape[2]} channels", "expected 4 at most")
    if pixels.dtype.kind == "f" and mode != "F":
        with np.errstate(invalid="ignore"):
            pixels = (pixels * 255).astype(np.uint8)
    return _from_pixels(pixels, _image_mode(pixels, mode))


def _image_mode(pixels: np.ndarray, mode: str | None) -> str:
    channels = pixels.shape[2]
    if channels == 1:
        own = _GREY.get(pixels.dtype.name)
        if mode is not None and mode != own:
            what = f"mode is {mode!r} for one channel of {pixels.dtype}"
            raise ValueRangeError("to_pil_image", what, f"expected {own!r}" if own else "there is no mode for that type")
        mode = own
    else:
        allowed = _MODES.get(channels, _MODES[3])
        if mode is not None and mode not in allowed:
            raise ValueRangeError("to_pil_image", f"mode is {mode!r} for {channels} channels", f"expected one of {', '.join(allowed)}")
        if mode is None and pixels.dtype == np.uint8:
            mode = allowed[0]
    if mode is None:
        raise TypeMismatch("to_pil_image", f"pic has type {pixels.dtype} and {channels} channels", "expected uint8 or floats")
    return mode


def _from_pixels(pixels: np.ndarray, mode: str) -> Image.Image:
    height, width = pixels.shape[:2]
    data = np.ascontiguousarray(pixels).tobytes()
    raw = {"F": "F;32NF", "I": "I;32N"}.get(mode, mode)
    return Image.frombytes(mode, (width, height), data, "raw", raw)


def convert_image_dtype(image: Tensor, dtype: dovetail.dtype = dovetail.float32) -> Tensor:
    """Change the element type and scale the values with it: 0..1 for floats, 0 to the largest number for whole numbers.

    Raises DtypeError where float32 cannot tell the whole numbers apart (int32 and int64; int64 for float64).

    >>> convert_image_dtype(dovetail.tensor([[0, 255]], dtype=dovetail.uint8))
    tensor([[0., 1.]])
    """
    if not isinstance(image, Tensor):
        raise TypeMismatch("convert_image_dtype", f"image is {type(image).__name__}", "expected a tensor")
    if image.dtype == dtype:
        return image
    if image.is_floating_point():
        return to_whole(image, dtype)
    top = max_value(image.dtype)
    if dtype.is_floating_point:
        return image.to(dtype) / float(top)
    new_top = max_value(dtype)
    if top > new_top:
        return dovetail.div(image, (top + 1) // (new_top + 1), rounding_mode="floor").to(dtype)
    return image.to(dtype) * ((new_top + 1) // (top + 1))


def to_whole(image: Tensor, dtype: dovetail.dtype) -> Tensor:
    """Floats in 0..1 as another type; whole numbers by ``floor(x * (max + 1 - 0.001))``, so that each is hit equally often."""
    if dtype.is_floating_point:
        return image.to(dtype)
    wide = (dovetail.int64,) if image.dtype == dovetail.float64 else (dovetail.int32, dovetail.int64)
    if image.dtype in (dovetail.float32, dovetail.float64) and dtype in wide:
        raise DtypeError("convert_image_dtype", f"from {image.dtype} to {dtype}", "the float type cannot tell such numbers apart")
    return image.mul(max_value(dtype) + 1.0 - 1e-3).to(dtype)


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


def erase(img: Tensor, i: int, j: int, h: int, w: int, v: Tensor, inplace: bool = False) -> Tensor:
    """Put ``v`` into the box of ``h`` × ``w`` whose upper left corner is at row ``i``, column ``j`` of a tensor.

    >>> erase(dovetail.zeros(1, 2, 2), 0, 1, 2, 1, dovetail.tensor(5.0))
    tensor([[[0., 5.],
             [0., 5.]]])
    """
    if not isinstance(img, Tensor):
        raise TypeMismatch("erase", f"img is {type(img).__name__}", "expected a tensor", "put ToTensor before RandomErasing")
    img = img if inplace else img.clone()
    img[..., i : i + h, j : j + w] = v
    return img
