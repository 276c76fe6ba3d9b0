"""Geometry of PIL images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from dovetail.errors import ValueRangeError

__all__ = ["affine", "crop", "hue", "pad", "perspective", "resize", "rotate", "to_grayscale"]

Fill = float | Sequence[float] | None


def _colour(where: str, image: Image.Image, fill: Fill) -> Any:
    """One number or a tuple of them, as many as the image has bands; whole numbers unless its mode is "F"."""
    bands = len(image.getbands())
    cast = float if image.mode == "F" else int
    if fill is None:
        fill = 0
    if not isinstance(fill, (list, tuple)):
        return cast(fill) if bands == 1 else (cast(fill),) * bands
    if len(fill) not in (1, bands):
        what = f"fill has {len(fill)} values but the image has {bands} channels (mode {image.mode!r})"
        raise ValueRangeError(where, what, "expected one value or one a channel")
    return tuple(cast(value) for value in (fill if len(fill) == bands else tuple(fill) * bands))


def pad(image: Image.Image, ltrb: Sequence[int], fill: Fill, mode: str) -> Image.Image:
    """Pad by (left, top, right, bottom); negative numbers cut."""
    if mode == "constant":
        padded = ImageOps.expand(image, tuple(ltrb), _colour("pad", image, fill))
        if image.mode == "P":
            padded.putpalette(image.getpalette())
        return padded
    left, top, right, bottom = ltrb
    if min(ltrb) < 0:
        cut = [-min(side, 0) for side in ltrb]
        image = image.crop((cut[0], cut[1], image.width - cut[2], image.height - cut[3]))
        left, top, right, bottom = (max(side, 0) for side in ltrb)
    pixels = np.asarray(image)
    widths = [(top, bottom), (left, right)] + [(0, 0)] * (pixels.ndim - 2)
    padded = Image.fromarray(np.pad(pixels, widths, mode=mode))
    if image.mode == "P":
        padded.putpalette(image.getpalette())
    return padded


def crop(image: Image.Image, top: int, left: int, height: int, width: int) -> Image.Image:
    """Cut a box out; what lies outside the image is black."""
    return image.crop((left, top, left + width, top + height))


def resize(image: Image.Image, height: int, width: int, resample: int) -> Image.Image:
    """Resize to exactly (height, width)."""
    return image.resize((width, height), resample)


def affine(image: Image.Image, matrix: Sequence[float], resample: int, fill: Fill) -> Image.Image:
    """Take each output pixel from where ``matrix`` (output to input, in pixels) says."""
    colour = _colour("affine", image, fill)
    return image.transform(image.size, Image.Transform.AFFINE, tuple(matrix), resample, fillcolor=colour)


def rotate(image: Image.Image, angle: float, resample: int, expand: bool, center: Sequence[float] | None, fill: Fill) -> Image.Image:
    """Turn counter-clockwise by degrees."""
    return image.rotate(angle, resample, expand, center, fillcolor=_colour("rotate", image, fill))


def perspective(image: Image.Image, coefficients: Sequence[float], resample: int, fill: Fill) -> Image.Image:
    """Take each output pixel from where the coefficients (output to input) say."""
    colour = _colour("perspective", image, fill)
    return image.transform(image.size, Image.Transform.PERSPECTIVE, tuple(coefficients), resample, fillcolor=colour)


def to_grayscale(image: Image.Image, channels: int) -> Image.Image:
    """Grey, as one channel or as three equal ones."""
    grey = image.convert("L")
    return grey if channels == 1 else Image.merge("RGB", (grey, grey, grey))


def hue(image: Image.Image, factor: float) -> Image.Image:
    """Turn the hue by ``factor`` of the whole circle; grey images stay."""
    if image.mode in ("L", "1", "I", "F"):
        return image
    h, s, v = image.convert("HSV").split()
    turned = np.array(h, np.uint8) + np.int32(factor * 255).astype(np.uint8)
    return Image.merge("HSV", (Image.fromarray(turned), s, v)).convert(image.mode)
