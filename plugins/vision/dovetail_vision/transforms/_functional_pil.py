"""What torchvision's own file of functions on PIL images has besides those of ``transforms.functional``: programs import it by its name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PIL import Image

from . import _pil, functional

__all__ = ["affine", "perspective"]


def affine(img: Image.Image, matrix: Sequence[float], interpolation: int = 0, fill: Any = None) -> Image.Image:
    """``transforms.functional.affine`` by the six numbers of its matrix, row by row, from the result to the image.

    >>> affine(Image.new("L", (2, 1), 7), [1, 0, 1, 0, 1, 0]).tobytes()
    b'\\x07\\x00'
    """
    return _pil.affine(img, matrix, interpolation, fill)


def perspective(img: Image.Image, perspective_coeffs: Sequence[float], interpolation: int = 3, fill: Any = None) -> Image.Image:
    """``transforms.functional.perspective`` by its eight numbers; ``interpolation`` is Pillow's number, 3 its bicubic one.

    >>> perspective(Image.new("L", (2, 1), 7), [1, 0, 0, 0, 1, 0, 0, 0]).tobytes()
    b'\\x07\\x07'
    """
    return _pil.perspective(img, perspective_coeffs, interpolation, fill)


def __getattr__(name: str) -> Any:
    if name.startswith("__"):  # as __path__, by which this would be a package
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(functional, name)
