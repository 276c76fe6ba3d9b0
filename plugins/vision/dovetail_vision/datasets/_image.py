"""Image files and bytes as PIL images: read whole, never more than 50 million pixels, and by no reader that runs a program."""

from __future__ import annotations

import io
import os

from PIL import Image

from ..images import said
from ._errors import MissingFiles, Unreadable

__all__ = ["MOST_PIXELS", "decode_image", "open_image"]

#: What an image may have, looked at in its header before anything is allocated.
MOST_PIXELS = 50_000_000

# Pillow has readers for more, among them EPS, for which it starts Ghostscript.
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "PPM", "TIFF", "MPO", "DIB", "JPEG2000", "TGA", "ICO", "PCX")


def open_image(path: str | os.PathLike[str], mode: str | None = None) -> Image.Image:
    """An image file, whole, in its own mode or in ``mode`` ("RGB", "L" …).

    Raises MissingFiles (a FileNotFoundError), and Unreadable (a DecodeError and an OSError) for what is no whole image or has
    more than 50 million pixels.
    """
    try:
        with open(path, "rb") as file:
            return _read(file, path, mode)
    except FileNotFoundError as error:
        raise MissingFiles(path, None, "the image is not there any more") from error
    except OSError as error:
        if isinstance(error, Unreadable):
            raise
        raise Unreadable(path, None, f"cannot be read: {error.strerror or error}") from error


def decode_image(data: bytes, where: str | os.PathLike[str], mode: str | None = None) -> Image.Image:
    """The bytes of an image file; ``where`` says in errors what they are."""
    return _read(io.BytesIO(data), where, mode)


def _read(file: io.BufferedIOBase, where: str | os.PathLike[str], mode: str | None) -> Image.Image:
    try:
        image = Image.open(file, formats=_FORMATS)
        if image.width * image.height > MOST_PIXELS:
            raise Unreadable(where, None, f"{image.width} × {image.height} pixels; at most {MOST_PIXELS:,} are allowed; pass a loader")
        image.load()
        return image if mode is None or image.mode == mode else image.convert(mode)
    except (Unreadable, MemoryError):
        raise
    except Exception as error:  # Pillow's readers raise whatever a damaged file leads them to
        raise Unreadable(where, None, f"cannot be read as an image ({said(error)}); is the file damaged?") from error
