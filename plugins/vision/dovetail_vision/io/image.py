"""Images from files and bytes and back, through Pillow."""

from __future__ import annotations

import io
import os
import warnings
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, ImageSequence

import dovetail
from dovetail import Tensor
from dovetail.errors import DecodeError, FormatError, TypeMismatch, UnknownAttribute, UnsupportedError, ValueRangeError
from dovetail.io.atomic import replacing

from ..images import said
from ..transforms.functional import to_pil_image

__all__ = [
    "ImageReadMode", "decode_avif", "decode_gif", "decode_heic", "decode_image", "decode_jpeg", "decode_png", "decode_webp", "encode_jpeg",
    "encode_png", "read_file", "read_image", "write_file", "write_jpeg", "write_png",
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
    RGBA = RGB_ALPHA


Bytes = Tensor | bytes
Mode = ImageReadMode | str
_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
_DEEP_PNG_COLOURS = {2: "RGB", 4: "grey with transparency", 6: "RGBA"}


def _own_mode(image: Image.Image) -> str:
    """The mode that holds what is in the file: palettes become colours."""
    if image.mode in ("1", "L", "I", "F"):
        return "L"
    if image.mode in ("LA", "La"):
        return "LA"
    return "RGBA" if "A" in image.getbands() or "transparency" in image.info else "RGB"


def _chosen(where: str, mode: Mode) -> int:
    if isinstance(mode, str) and mode.upper() not in ImageReadMode.__members__:
        raise UnknownMode(where, f"mode is {mode!r}", f"expected one of {', '.join(ImageReadMode.__members__)}")
    return (ImageReadMode[mode.upper()] if isinstance(mode, str) else mode).value


class UnknownMode(ValueRangeError, KeyError):
    """Raised where torchvision raises a KeyError for the name of a mode."""

    __str__ = Exception.__str__


def _deep(pixels: np.ndarray, wanted: int) -> np.ndarray:
    """Grey values of 16 bits ``(H, W)`` with the channels that are asked for."""
    grey, full = pixels.astype(np.uint16)[..., None], np.full((*pixels.shape, 1), 65535, np.uint16)
    return np.concatenate([grey] * (3 if wanted > 2 else 1) + ([full] if wanted in (2, 4) else []), -1)


def _pixels(where: str, image: Image.Image, data: bytes, mode: int, turn: bool) -> np.ndarray:
    """The pixels of an open image, ``(H, W)`` or ``(H, W, C)``; of several ``(N, H, W, 3)``."""
    frames = getattr(image, "n_frames", 1) if image.format == "GIF" else 1
    if image.width * image.height * frames > _MOST_PIXELS:
        size = f"{image.width} × {image.height} pixels" + (f" in {frames} frames" if frames > 1 else "")
        raise DecodeError(where, None, f"{size}; at most {_MOST_PIXELS:,} are allowed")
    if image.format == "GIF":
        return np.stack([np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(image)])[slice(None) if frames > 1 else 0]
    if image.format == "PNG" and data[24:26] in {bytes([16, kind]) for kind in _DEEP_PNG_COLOURS}:
        what = f"the file has 16 bits a channel and is {_DEEP_PNG_COLOURS[data[25]]}; of such depth grey ones alone are read"
        raise DecodeError(where, None, f"{what}; save it with 8 bits")
    if turn:
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16"):
        return _deep(np.asarray(image), mode)
    return np.asarray(image.convert(_MODES.get(mode) or _own_mode(image)))


def _bytes_of(where: str, input: Any) -> bytes:
    if not isinstance(input, Tensor):
        if not isinstance(input, (bytes, bytearray)):
            raise TypeMismatch(where, f"input is {type(input).__name__}", "expected the bytes of a file, uint8 (N,)")
        return bytes(input)
    if input.dtype != dovetail.uint8 or input.ndim != 1:
        raise ValueRangeError(where, f"input has shape {tuple(input.shape)} and type {input.dtype}", "expected the bytes, uint8 (N,)")
    if not input.is_cpu:
        raise ValueRangeError(where, f"input is on {input.device}", "expected a tensor on the CPU")
    return input.numpy().tobytes()


def _decode(where: str, input: Any, mode: Mode, formats: tuple[str, ...], turn: bool = False) -> Tensor:
    data, chosen = _bytes_of(where, input), _chosen(where, mode)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the cap is ours
            if any(format not in Image.OPEN for format in formats):
                Image.init()
            with Image.open(io.BytesIO(data), formats=formats) as image:
                pixels = _pixels(where, image, data, chosen, turn)
    except DecodeError:
        raise
    except Image.DecompressionBombError as error:  # what Pillow refuses when it opens a file
        raise DecodeError(where, None, f"{error}; at most {_MOST_PIXELS:,} pixels are allowed") from error
    except Exception as error:  # Pillow's readers raise whatever damaged bytes lead them to
        raise DecodeError(where, None, f"these are no whole image of this kind ({said(error)})") from error
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    return dovetail.from_numpy(np.ascontiguousarray(np.moveaxis(pixels, -1, -3)))


def decode_image(input: Bytes | str | Path, mode: Mode = ImageReadMode.UNCHANGED, apply_exif_orientation: bool = False) -> Tensor:
    """A PNG, JPEG, GIF or WebP image, its bytes or a uint8 tensor ``(N,)`` of them or a path, as a uint8 tensor ``(C, H, W)``.

    PNG images of 16 bits are uint16, animated GIFs ``(N, 3, H, W)``. Raises a DecodeError for anything else, and for more than
    50 million pixels, before they are unpacked.

    >>> decode_image(encode_png(dovetail.zeros(3, 4, 5, dtype=dovetail.uint8)), "GRAY").shape
    dovetail.Size([1, 4, 5])
    """
    if isinstance(input, (str, Path)):
        return read_image(input, mode, apply_exif_orientation)
    return _decode("decode_image", input, mode, ("PNG", "JPEG", "GIF", "WEBP"), apply_exif_orientation)


def decode_png(input: Bytes, mode: Mode = ImageReadMode.UNCHANGED, apply_exif_orientation: bool = False) -> Tensor:
    """``decode_image`` for PNG alone.

    >>> decode_png(encode_png(dovetail.ones(1, 4, 5, dtype=dovetail.uint8))).max().item()
    1
    """
    return _decode("decode_png", input, mode, ("PNG",), apply_exif_orientation)


def decode_jpeg(
    input: Bytes | list[Tensor], mode: Mode = ImageReadMode.UNCHANGED, device: Any = "cpu", apply_exif_orientation: bool = False
) -> Any:
    """``decode_image`` for JPEG alone, or for a list of them; decoded on the CPU, then brought to ``device``.

    >>> decode_jpeg(encode_jpeg(dovetail.zeros(3, 4, 5, dtype=dovetail.uint8))).shape
    dovetail.Size([3, 4, 5])
    """
    if not isinstance(input, list):
        return _decode("decode_jpeg", input, mode, ("JPEG",), apply_exif_orientation).to(device)
    if not input or not all(isinstance(part, Tensor) for part in input):
        raise ValueRangeError("decode_jpeg", f"input is a list of {len(input)}", "expected one tensor or more")
    return [decode_jpeg(part, mode, device, apply_exif_orientation) for part in input]


def decode_gif(input: Bytes) -> Tensor:
    """``decode_image`` for GIF alone: ``(3, H, W)``, or ``(N, 3, H, W)`` of several frames.

    >>> file = io.BytesIO()
    >>> Image.new("RGB", (5, 4)).save(file, "GIF")
    >>> decode_gif(file.getvalue()).shape
    dovetail.Size([3, 4, 5])
    """
    return _decode("decode_gif", input, ImageReadMode.RGB, ("GIF",))


def decode_webp(input: Bytes, mode: Mode = ImageReadMode.UNCHANGED) -> Tensor:
    """``decode_image`` for WebP alone.

    >>> file = io.BytesIO()
    >>> Image.new("RGBA", (5, 4)).save(file, "WEBP")
    >>> decode_webp(file.getvalue(), "RGB").shape
    dovetail.Size([3, 4, 5])
    """
    return _decode("decode_webp", input, mode, ("WEBP",))


def _by_plugin(where: str, input: Bytes, mode: Mode, format: str, remedy: str) -> Tensor:
    Image.init()
    if format not in Image.OPEN:
        raise UnsupportedError(where, f"this Pillow reads no {format}", "", remedy)
    return _decode(where, input, mode, (format,))


def decode_avif(input: Bytes, mode: Mode = ImageReadMode.UNCHANGED) -> Tensor:
    """An AVIF image, where Pillow reads it; raises an UnsupportedError (NotImplementedError) where it does not."""
    return _by_plugin("decode_avif", input, mode, "AVIF", "install Pillow 11.3 or newer")


def decode_heic(input: Bytes, mode: Mode = ImageReadMode.UNCHANGED) -> Tensor:
    """A HEIC image, where Pillow reads it; raises an UnsupportedError (NotImplementedError) where it does not."""
    return _by_plugin("decode_heic", input, mode, "HEIF", "pip install pillow-heif, and call pillow_heif.register_heif_opener()")


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
    if not isinstance(data, Tensor) or data.dtype != dovetail.uint8 or data.ndim != 1:
        got = f"{tuple(data.shape)} of {data.dtype}" if isinstance(data, Tensor) else type(data).__name__
        raise ValueRangeError("write_file", f"data is {got}", "expected uint8 (N,)")
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


def encode_jpeg(input: Tensor | list[Tensor], quality: int = 75) -> Any:
    """A uint8 tensor ``(C, H, W)``, C 1 or 3, or a list of them, as the bytes of JPEG files, uint8 ``(N,)``; ``quality`` 1 to 100.

    >>> encode_jpeg(dovetail.zeros(1, 2, 2, dtype=dovetail.uint8))[:2].tolist()
    [255, 216]
    """
    if not 1 <= quality <= 100:
        raise ValueRangeError("encode_jpeg", f"quality is {quality}", "expected 1 to 100")
    if isinstance(input, list):
        if not input:
            raise ValueRangeError("encode_jpeg", "input is an empty list", "expected one tensor or more")
        return [encode_jpeg(part, quality) for part in input]
    return _encode("encode_jpeg", input, format="JPEG", quality=quality)


def write_png(input: Tensor, filename: str | Path, compression_level: int = 6) -> None:
    """Write a uint8 tensor ``(C, H, W)`` as a PNG file; see ``encode_png``."""
    write_file(filename, encode_png(input, compression_level))


def write_jpeg(input: Tensor, filename: str | Path, quality: int = 75) -> None:
    """Write a uint8 tensor ``(C, H, W)`` as a JPEG file; see ``encode_jpeg``."""
    write_file(filename, encode_jpeg(input, quality))


def __getattr__(name: str) -> Any:
    """Say of torchvision's former functions for videos where they went."""
    if name in ("VideoReader", "read_video", "read_video_timestamps", "write_video"):
        what = f"there is no {name}: torchvision gave its videos up too"
        raise UnknownAttribute(__name__, what, "", "decode with PyAV or OpenCV, and make a tv_tensors.Video of the frames (T, C, H, W)")
    raise UnknownAttribute(__name__, f"there is no {name}", f"expected one of {', '.join(__all__)}")
