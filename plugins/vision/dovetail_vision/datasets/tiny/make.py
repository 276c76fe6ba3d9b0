"""What the makers of tiny sets share: a folder that goes away, small pictures, files with text."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

__all__ = ["made", "photo", "pixels", "text"]

_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".bmp": "BMP", ".ppm": "PPM", ".webp": "WEBP", ".gif": "GIF"}


@contextmanager
def made(write: Callable[[Path], None]) -> Iterator[str]:
    """A folder with the files that ``write`` makes, while the block runs."""
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder))
        yield folder


def pixels(seed: int, *shape: int, most: int = 256) -> np.ndarray:
    """Random bytes below ``most``."""
    return np.random.RandomState(seed).randint(0, most, shape).astype(np.uint8)


def photo(path: Path, seed: int = 0, size: tuple[int, int] = (8, 6), mode: str = "RGB", most: int = 256) -> None:
    """A picture of random colours, ``size`` being width and height; its folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (size[1], size[0], 3) if mode == "RGB" else (size[1], size[0])
    image = Image.fromarray(pixels(seed, *shape, most=most))
    if mode == "P":
        image = Image.fromarray(pixels(seed, *shape, most=most)).convert("P")
        image.putpalette([value for i in range(256) for value in (i, 255 - i, i // 2)])
    image.save(path, _FORMATS[path.suffix.lower()])


def text(path: Path, *lines: str) -> None:
    """A text file; its folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
