"""Pixels read at places off the grid, some rows of the result at a time: what is in hand stays in the cache and is used again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ._fused import fused, fused_double

__all__ = ["affine", "elastic", "perspective", "read"]

Block = tuple[slice, np.ndarray, np.ndarray]  # which pixels of the result, and x and y of the places they come from
_PIXELS = 1 << 14


def _mapped(matrix: np.ndarray, x: np.ndarray, y: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """The rows of ``matrix`` (K, 3) times (x, y, 1), for the pixels of some rows: (K, n). PyTorch adds in this order.

    Its product of matrices rounds ``b y`` where it has fewer than 400 multiplications, and else fuses it into the sum.
    """
    rows, width = max(1, _PIXELS // len(x)), len(x)
    along, b, y = matrix[:, :1, None] * x, matrix[:, 1:2, None], y[:, None]
    large, double = 6 * width * len(y) >= 400, matrix.dtype != np.float32
    if large and not double:
        b = b.astype(np.float64)
        along = _held(along, np.abs(b * y).max(1, keepdims=True))
    for start in range(0, len(y), rows):
        some = y[start : start + rows]
        found = fused_double(some, b, along) if large and double else (along + b * some).astype(matrix.dtype, copy=False)
        found += matrix[:, 2, None, None]
        yield slice(start * width, (start + len(some)) * width), found.reshape(len(matrix), -1)


def _held(along: np.ndarray, largest: np.ndarray) -> np.ndarray:
    """``along`` in float64, where products of float32 are exact; what is too small to be added to ``largest`` there still decides
    which way a tie falls."""
    least = largest * 2.0**-51
    return np.where(np.abs(along) < least, np.sign(along) * least, along)


def _unnormalized(found: np.ndarray, height: int, width: int) -> np.ndarray:
    """From -1..1 to pixels, whole numbers being their middles, in place; PyTorch counts in this order."""
    found += 1
    for line, size in zip(found, (width, height), strict=True):
        line[...] = fused(line, size * 0.5, -0.5)
    return found


def affine(matrix: np.ndarray, size: Sequence[int], new_size: Sequence[int]) -> Iterator[Block]:
    """Places by a matrix ``(2, 3)`` that takes points of the result, from its middle, to points of the image."""
    x, y = (np.arange(length, dtype=matrix.dtype) - matrix.dtype.type((length - 1) / 2) for length in new_size[::-1])
    scaled = matrix / np.array([[size[1] * 0.5], [size[0] * 0.5]], matrix.dtype)
    for where, found in _mapped(scaled, x, y):
        yield where, *_unnormalized(found, *size)


def perspective(numbers: np.ndarray, size: Sequence[int]) -> Iterator[Block]:
    """Places by the eight numbers of a perspective, counted from the upper left corner."""
    x, y = (np.arange(length, dtype=numbers.dtype) + numbers.dtype.type(0.5) for length in size[::-1])
    scaled = numbers[:6].reshape(2, 3) / np.array([[size[1] * 0.5], [size[0] * 0.5]], numbers.dtype)
    divisor = np.array([[*numbers[6:], 1]], numbers.dtype)
    for where, found in _mapped(np.concatenate([scaled, divisor]), x, y):
        with np.errstate(all="ignore"):  # some pixels may come from infinity
            found = found[:2] / found[2]
            found -= 1
            yield where, *_unnormalized(found, *size)


def elastic(x: np.ndarray, y: np.ndarray, displacement: np.ndarray) -> Iterator[Block]:
    """Places by the move ``(H, W, 2)`` of each pixel from ``(x, y)``, all in -1..1."""
    size = len(y), len(x)
    rows = max(1, _PIXELS // size[1])
    for start in range(0, size[0], rows):
        some = displacement[start : start + rows]
        found = np.stack([x + some[..., 0], y[start : start + rows, None] + some[..., 1]]).reshape(2, -1)
        yield slice(start * size[1], start * size[1] + found.shape[1]), *_unnormalized(found, *size)


def read(
    pixels: np.ndarray, blocks: Iterator[Block], new_size: Sequence[int], nearest: bool, fill: Sequence[float] | None, kind: Any
) -> np.ndarray:
    """Images ``(..., H, W)`` at the places of ``blocks``, outside which is 0 or ``fill``; bytes stay bytes, others are ``kind``."""
    height, width = pixels.shape[-2:]
    colours = np.resize(np.array(fill or [0.0], kind), pixels.size // (height * width))
    out = np.empty((len(colours), new_size[0] * new_size[1]), np.uint8 if pixels.dtype == np.uint8 else kind)
    padded = np.zeros((len(colours) + 1, height + 4, width + 4), out.dtype if nearest else kind)
    if nearest and fill:  # each pixel is of the image or of what is around
        padded[:-1] = (np.rint(colours) if out.dtype == np.uint8 else colours)[:, None, None]
    padded[:-1, 2:-2, 2:-2], padded[-1, 2:-2, 2:-2] = pixels.reshape(-1, height, width), 1
    planes, across = padded.reshape(len(padded), -1), width + 4
    with np.errstate(invalid="ignore"):
        for where, x, y in blocks:
            left, top = (np.rint(x, out=x), np.rint(y, out=y)) if nearest else (np.floor(x), np.floor(y))
            if not nearest:
                x -= left
                y -= top
            places = _places(left, top, height, width, across)
            if nearest:
                for plane, line in zip(planes[:-1], out, strict=True):
                    plane.take(places, mode="clip", out=line[where])
            else:
                _blend(planes, places, x, y, across, out[:, where], colours if fill else None)
    return out.reshape(*pixels.shape[:-2], *new_size)


def _places(left: np.ndarray, top: np.ndarray, height: int, width: int, across: int) -> np.ndarray:
    """Where the pixel is in a plane with two more on each side; what is further outside is there too."""
    for line, size in ((left, width), (top, height)):
        np.minimum(np.maximum(line, -2, out=line), size, out=line)
        line += 2
    if across * (height + 4) > 1 << 24:
        top, left = top.astype(np.float64), left.astype(np.float64)  # float32 has not these numbers
    top *= across
    top += left
    return top.astype(np.intp)


def _blend(
    planes: np.ndarray, places: np.ndarray, x: np.ndarray, y: np.ndarray, across: int, out: np.ndarray, colours: np.ndarray | None
) -> None:
    """Write the mean of four pixels each, weighted by the places between them."""
    lines = ((0, 1 - y), (across, y)), ((0, 1 - x), (1, x))
    corners = [(down + along, row * column) for down, row in lines[0] for along, column in lines[1]]
    corner = np.empty(len(places), planes.dtype)

    def summed(plane: np.ndarray, into: np.ndarray) -> np.ndarray:
        for i, (step, weight) in enumerate(corners):
            some = plane[step:].take(places, mode="clip", out=corner if i else into)
            some *= weight
            if i:
                into += some
        return into

    whole = out.dtype != planes.dtype
    cover = None if colours is None else summed(planes[-1], np.empty_like(corner))
    rest = None if cover is None else 1 - cover
    found = np.empty_like(corner)
    for i, plane in enumerate(planes[:-1]):
        line = summed(plane, found if whole else out[i])
        if cover is not None and colours is not None:
            line *= cover
            line += np.multiply(rest, colours[i], out=corner)
        if whole:
            np.copyto(out[i], np.rint(line, out=line), casting="unsafe")
