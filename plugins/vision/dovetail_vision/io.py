"""Images from files and bytes and back, by the names of torchvision's ``io``, through Pillow."""

from __future__ import annotations

import io
import os
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import dovetail
from dovetail import Tensor
from dovetail.errors import DecodeError, FormatError, TypeMismatch, ValueRangeError
from dovetail.io.atomic import replacing

from .transforms.functional import to_pil_image

__all__ = [
    "ImageReadMode", "decode_image", "decode_jpeg", "decode_png", "encode_jpeg", "encode_png", "read_file", "read_image", "write_file",
    "write_jpeg", "write_png",
]  # fmt: skip

_MOST_PIXELS = 50_000_000


class ImageReadMode(Enum):
    """The channels of a decoded image: as in the file, grey, grey with transparency, RGB, RGB with transparency.

    >>> ImageReadMode["RGB"].value
    3
    """

    UNCHANGED = 0
    GRAY = 1
    GRAY_ALPHA = 2
    RGB = 3
    RGB_ALPHA = 4


_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


def _own_mode(image: Image.Image) -> str:
    """The mode that holds what is in the file: palettes become colours."""
    if image.mode in ("1", "L", "I", "I;16", "F"):
        return "L"
    if image.mode in ("LA", "La"):
        return "LA"
    return "RGBA" if "A" in image.getbands() or "transparency" in image.info else "RGB"


def _decode(where: str, input: Tensor | bytes, mode: ImageReadMode | str, formats: tuple[str, ...], turn: bool) -> Tensor:
    if isinstance(input, Tensor):
        if input.dtype != dovetail.uint8 or input.ndim != 1:
            raise ValueRangeError(where, f"input has shape {tuple(input.shape)} and type {input.dtype}", "expected the bytes, uint8 (N,)")
        input = input.numpy().tobytes()
    chosen = ImageReadMode[mode.upper()] if isinstance(mode, str) else mode
    try:
        with Image.open(io.BytesIO(input), formats=formats) as image:
            if image.width * image.height > _MOST_PIXELS:
                raise DecodeError(where, None, f"{image.width} × {image.height} pixels; at most {_MOST_PIXELS:,} are allowed")
            if turn:
                from PIL import ImageOps

                image = ImageOps.exif_transpose(image)
            pixels = np.asarray(image.convert(_MODES.get(chosen.value) or _own_mode(image)))
    except DecodeError:
        raise
    except Exception as error:  # Pillow's readers raise whatever damaged bytes lead them to
        raise DecodeError(where, None, f"these are no whole image of this kind ({type(error).__name__}: {error})") from error
    return dovetail.from_numpy(np.ascontiguousarray(pixels.reshape(*pixels.shape[:2], -1).transpose(2, 0, 1)))


def decode_image(
    input: Tensor | bytes, mode: ImageReadMode | str = ImageReadMode.UNCHANGED, apply_exif_orientation: bool = False
) -> Tensor:
    """Bytes (or a uint8 tensor ``(N,)`` of them) of a PNG, JPEG, GIF or WebP image as a uint8 tensor ``(C, H, W)``.

    Raises a DecodeError for anything else, and for more than 50 million pixels, before they are unpacked.

    >>> decode_image(encode_png(dovetail.zeros(3, 4, 5, dtype=dovetail.uint8)), "GRAY").shape
    dovetail.Size([1, 4, 5])
    """
    return _decode("decode_image", input, mode, ("PNG", "JPEG", "MPO", "GIF", "WEBP"), apply_exif_orientation)


def decode_png(input: Tensor | bytes, mode: ImageReadMode | str = ImageReadMode.UNCHANGED, apply_exif_orientation: bool = False) -> Tensor:
    """``decode_image`` for PNG alone.

    >>> decode_png(encode_png(dovetail.ones(1, 4, 5, dtype=dovetail.uint8))).max().item()
    1
    """
    return _decode("decode_png", input, mode, ("PNG",), apply_exif_orientation)


def decode_jpeg(input: Tensor | bytes, mode: ImageReadMode | str = ImageReadMode.UNCHANGED, apply_exif_orientation: bool = False) -> Tensor:
    """``decode_image`` for JPEG alone.

    >>> decode_jpeg(encode_jpeg(dovetail.zeros(3, 4, 5, dtype=dovetail.uint8))).shape
    dovetail.Size([3, 4, 5])
    """
    return _decode("decode_jpeg", input, mode, ("JPEG", "MPO"), apply_exif_orientation)


def read_file(path: str | Path) -> Tensor:
    """The bytes of a file as a uint8 tensor ``(N,)``; a FormatError where it cannot be read."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise FormatError(path, None, f"cannot be read: {error.strerror}") from error
    return dovetail.from_numpy(np.frombuffer(data, np.uint8).copy())


def read_image(path: str | Path, mode: ImageReadMode | str = ImageReadMode.UNCHANGED, apply_exif_orientation: bool = False) -> Tensor:
    """An image file as a uint8 tensor ``(C, H, W)``; see ``decode_image``.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_png(dovetail.ones(3, 2, 5, dtype=dovetail.uint8), f"{folder}/a.png")
    ...     read_image(f"{folder}/a.png").shape
    dovetail.Size([3, 2, 5])
    """
    try:
        return decode_image(read_file(path), mode, apply_exif_orientation)
    except DecodeError as error:
        raise DecodeError(path, None, error.reason) from error


def write_file(filename: str | Path, data: Tensor) -> None:
    """Write a uint8 tensor ``(N,)`` as bytes; the file is whole or not there, whatever happens meanwhile."""
    with replacing(os.fspath(filename)) as temporary:
        temporary.write_bytes(data.numpy().tobytes())


def _encode(where: str, input: Tensor, **options: Any) -> Tensor:
    if not isinstance(input, Tensor):
        raise TypeMismatch(where, f"input is {type(input).__name__}", "expected a tensor")
    if input.dtype != dovetail.uint8 or input.ndim != 3 or input.shape[0] not in (1, 3):
        what = f"input has shape {tuple(input.shape)} and type {input.dtype}"
        raise ValueRangeError(
            where, what, "expected uint8 (C, H, W) with C 1 or 3", "v2.functional.to_dtype(…, scale=True) makes bytes of floats"
        )
    file = io.BytesIO()
    to_pil_image(input).save(file, **options)
    return dovetail.from_numpy(np.frombuffer(file.getvalue(), np.uint8).copy())


def encode_png(input: Tensor, compression_level: int = 6) -> Tensor:
    """A uint8 tensor ``(C, H, W)``, C 1 or 3, as the bytes of a PNG file, a uint8 tensor ``(N,)``; ``compression_level`` 0 to 9.

    >>> encode_png(dovetail.zeros(1, 2, 2, dtype=dovetail.uint8))[1:4].tolist() == list(b"PNG")
    True
    """
    if not 0 <= compression_level <= 9:
        raise ValueRangeError("encode_png", f"compression_level is {compression_level}", "expected 0 to 9")
    return _encode("encode_png", input, format="PNG", compress_level=compression_level)


def encode_jpeg(input: Tensor, quality: int = 75) -> Tensor:
    """A uint8 tensor ``(C, H, W)``, C 1 or 3, as the bytes of a JPEG file, a uint8 tensor ``(N,)``; ``quality`` 1 to 100.

    >>> encode_jpeg(dovetail.zeros(1, 2, 2, dtype=dovetail.uint8))[:2].tolist()
    [255, 216]
    """
    if not 1 <= quality <= 100:
        raise ValueRangeError("encode_jpeg", f"quality is {quality}", "expected 1 to 100")
    return _encode("encode_jpeg", input, format="JPEG", quality=quality)


def write_png(input: Tensor, filename: str | Path, compression_level: int = 6) -> None:
    """Write a uint8 tensor ``(C, H, W)`` as a PNG file; see ``encode_png``."""
    write_file(filename, encode_png(input, compression_level))


def write_jpeg(input: Tensor, filename: str | Path, quality: int = 75) -> None:
    """Write a uint8 tensor ``(C, H, W)`` as a JPEG file; see ``encode_jpeg``."""
    write_file(filename, encode_jpeg(input, quality))
