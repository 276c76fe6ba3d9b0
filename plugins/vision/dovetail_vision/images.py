"""Images to tensors, through Pillow, with a cap that is checked before anything is allocated."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np

import dovetail as dv
from dovetail.errors import DecodeError

__all__ = ["decode", "example", "said"]

_FORMATS = {".png": ("PNG",), ".jpg": ("JPEG",), ".jpeg": ("JPEG",), ".bmp": ("BMP", "DIB"), ".gif": ("GIF",), ".webp": ("WEBP",)}


def decode(data: bytes, kind: str, most: int) -> dv.Tensor:
    """A uint8 tensor (C, H, W): one channel for grey images (of 16 bits the upper 8), four where there is transparency, otherwise three.

    Raises a DecodeError for bytes that are no whole image of this kind, or of more than ``most`` elements.

    >>> image = io.BytesIO(); example(image)
    >>> decode(image.getvalue(), ".png", 100).shape
    dovetail.Size([3, 4, 5])
    """
    from PIL import Image

    where = f"image ({kind})"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if any(format not in Image.OPEN for format in _FORMATS[kind]):
                Image.init()
            with Image.open(io.BytesIO(data), formats=_FORMATS[kind]) as image:
                mode = "L" if image.mode in ("1", "L", "I", "I;16", "F") else "RGBA" if "A" in image.getbands() else "RGB"
                elements = image.width * image.height * len(Image.new(mode, (1, 1)).getbands())
                if elements > most:
                    size = f"{image.width} × {image.height} pixels are {elements:,} elements"
                    raise DecodeError(where, None, f"{size}; at most {most:,} are allowed")
                deep = image.mode.startswith("I;16")  # which Pillow would cut off at 255
                array = (np.asarray(image) >> 8).astype(np.uint8) if deep else np.asarray(image.convert(mode))
    except DecodeError:
        raise
    except Exception as error:  # Pillow's readers raise whatever a damaged file leads them to
        raise DecodeError(where, None, said(error)) from error
    return dv.from_numpy(np.ascontiguousarray(array.reshape(*array.shape[:2], -1).transpose(2, 0, 1)))


def said(error: Exception) -> str:
    """What one of Pillow's readers complains of, without the place of a stream in memory.

    >>> said(ValueError("cannot identify image file <_io.BytesIO object at 0x7f00>"))
    'ValueError: cannot identify image file'
    """
    return f"{type(error).__name__}: {error}".partition(" <_io.")[0]


def example(target: Path | io.BytesIO) -> None:
    """Write a small picture, for the tests; the format follows the suffix, PNG for a stream."""
    from PIL import Image

    values = (np.arange(4 * 5 * 3).reshape(4, 5, 3) * 4).astype("uint8")
    kind = None if isinstance(target, Path) else "PNG"
    Image.fromarray(values).save(target, kind)
