"""How rows and columns of pixels are resized: products with bands of weights, one direction after the other."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from ._fused import fused

__all__ = ["bands", "byte_bands", "resized", "resized_bytes", "table"]

_OUTPUTS = 16  # outputs that share one product: fewer would be more calls, more would be more zeros


def _triangle(x: np.ndarray) -> np.ndarray:
    return np.maximum(0.0, 1.0 - np.abs(x))


def _keys(sharpness: float) -> Callable[[np.ndarray], np.ndarray]:
    """Cubic convolution; Keys, IEEE Trans. ASSP 29 (1981) 1153, equation 15 with ``a`` free."""
    a = sharpness

    def kernel(x: np.ndarray) -> np.ndarray:
        x = np.abs(x)
        near = fused(fused(x, a + 2, -(a + 3)) * x, x, 1)
        far = fused(fused(fused(x, a, -5 * a), x, 8 * a), x, -4 * a)
        return np.where(x < 1, near, np.where(x < 2, far, x.dtype.type(0)))

    return kernel


def _lanczos(x: np.ndarray) -> np.ndarray:
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0.0)


# PyTorch takes -0.5 (as Pillow does) where it smooths and -0.75 where it does not.
_KERNELS = {
    ("bilinear", False): (_triangle, 1.0),
    ("bilinear", True): (_triangle, 1.0),
    ("bicubic", False): (_keys(-0.75), 2.0),
    ("bicubic", True): (_keys(-0.5), 2.0),
    ("lanczos", True): (_lanczos, 3.0),
}


def _taps(mode: str, antialias: bool, size: int, new_size: int, dtype: Any = np.float64) -> tuple[np.ndarray, np.ndarray]:
    """Which pixels each output is made of ``(new_size, taps)``, and their weights.

    Output ``i`` lies at ``(i + 0.5) * size / new_size - 0.5``. With ``antialias`` the kernel is as wide as the step where
    that is more than a pixel, and what would fall outside is left out; without, the pixel at the edge stands in for it.
    """
    kernel, support = _KERNELS[mode, antialias]
    if antialias:
        return _smoothing_taps(kernel, support, size, new_size, np.dtype(dtype).type)
    number = np.dtype(dtype).type
    centres = fused(np.arange(new_size, dtype=dtype) + number(0.5), number(size) / number(new_size), -0.5)
    if mode == "bilinear":
        centres = np.clip(centres, 0, size - 1)
    taps = _around(centres, int(support))
    return np.clip(taps, 0, size - 1), kernel((taps - centres[:, None]).astype(dtype))


def _around(centres: np.ndarray, reach: int) -> np.ndarray:
    return np.floor(centres).astype(np.int64)[:, None] + np.arange(-reach, reach + 2)


def _smoothing_taps(kernel: Callable[..., np.ndarray], support: float, size: int, new_size: int, number: Any) -> tuple[Any, Any]:
    """Counted in ``number`` and added one by one as PyTorch does, so that the same weights are 0: a bool is True where any is not."""
    step = number(size) / number(new_size)
    stretch = max(step, number(1))
    edges = ((np.arange(new_size) + 0.5) * float(step)).astype(number)[:, None]  # distances from the image's edge
    width = number(support * float(stretch))
    taps = _around(edges[:, 0] - 0.5, int(np.ceil(width)))
    distances = ((taps - edges).astype(number).astype(np.float64) + 0.5) * float(1 / stretch)
    values = kernel(distances.astype(number))
    first, last = (np.trunc(end.astype(np.float64) + 0.5) for end in (edges - width, edges + width))
    values[(taps < np.maximum(first, 0)) | (taps >= np.minimum(last, size))] = 0
    return np.clip(taps, 0, size - 1), values / values.cumsum(axis=1)[:, -1:]


def _scattered(taps: np.ndarray, values: np.ndarray, size: int, dtype: Any) -> np.ndarray:
    """The matrix ``(size, new_size)`` of weights given by pixel; those of one pixel add up."""
    out = np.zeros((size, len(taps)), dtype)
    outputs = np.broadcast_to(np.arange(len(taps))[:, None], taps.shape)
    kept = values != 0
    np.add.at(out, (taps[kept], outputs[kept]), values[kept])
    return out


def table(mode: str, antialias: bool, size: int, new_size: int) -> np.ndarray:
    """The matrix ``(size, new_size)`` that resizes rows of pixels.

    >>> table("bilinear", True, 4, 2).T
    array([[0.42857143, 0.42857143, 0.14285714, 0.        ],
           [0.        , 0.14285714, 0.42857143, 0.42857143]])
    """
    return _scattered(*_taps(mode, antialias, size, new_size), size, np.float64)


Band = tuple[int, int, int, int, np.ndarray]


def _in_bands(weights: np.ndarray, taps: np.ndarray) -> tuple[Band, ...]:
    """A matrix ``(size, new_size)`` in strips: outputs from and to, pixels from and to, and the weights between them."""
    found = []
    for start in range(0, len(taps), _OUTPUTS):
        stop = min(start + _OUTPUTS, len(taps))
        low, high = int(taps[start, 0]), int(taps[stop - 1, -1]) + 1
        found.append((start, stop, low, high, weights[low:high, start:stop]))
    return tuple(found)


@lru_cache(maxsize=64)
def bands(mode: str, antialias: bool, size: int, new_size: int, dtype: str) -> tuple[Band, ...]:
    """The weights for floats, in strips."""
    taps, values = _taps(mode, antialias, size, new_size, dtype)
    return _in_bands(_scattered(taps, values, size, dtype), taps)


@lru_cache(maxsize=64)
def byte_bands(mode: str, antialias: bool, size: int, new_size: int) -> tuple[tuple[Band, ...], np.ndarray | None]:
    """The weights for bytes, in strips: whole numbers below 2**15 over a power of two, which is what PyTorch resizes bytes with.

    They are float32 where every sum of products is exact in it, if need be of bytes less 128, and float64 otherwise; what
    128 in every pixel gives comes second where it has been taken off.
    """
    taps, values = _taps(mode, antialias, size, new_size)
    if not antialias:  # several taps may be the pixel at the edge: their sum is rounded, not each
        values = np.take_along_axis(_scattered(taps, values, size, np.float64).T, taps, 1)
        values[:, 1:][taps[:, 1:] == taps[:, :-1]] = 0.0
    bits, most = 0, values.max()
    while bits < 22 and int(0.5 + most * (1 << (bits + 1))) < 1 << 15:
        bits += 1
    rounded = np.trunc(values * (1 << bits) + np.where(values < 0, -0.5, 0.5)) / (1 << bits)
    reach = np.abs(rounded).sum(1).max() * (1 << bits)
    plain, centred = 255 * reach <= 1 << 24, bits <= 16 and 128 * reach <= 1 << 24
    weights = _scattered(taps, rounded, size, np.float32 if plain or centred else np.float64)
    middle = None if plain or not centred else (128 * rounded.sum(1)).astype(np.float32)
    return _in_bands(weights, taps), middle


def resized(values: np.ndarray, dim: int, strips: tuple[Band, ...]) -> np.ndarray:
    """Floats ``(..., H, W)`` with another width (``dim`` -1) or height (-2)."""
    shape = list(values.shape)
    shape[dim] = strips[-1][1]
    out = np.empty(shape, strips[0][4].dtype)
    if dim == -1:
        rows, into = values.reshape(-1, values.shape[-1]), out.reshape(-1, shape[-1])
        for start, stop, low, high, weights in strips:
            np.matmul(rows[:, low:high], weights, out=into[:, start:stop])
    else:
        for start, stop, low, high, weights in strips:
            np.matmul(weights.T, values[..., low:high, :], out=out[..., start:stop, :])
    return out


def resized_bytes(values: Any, sizes: tuple[int, int], mode: str, antialias: bool) -> np.ndarray:
    """Bytes ``(..., H, W)`` resized to ``sizes``, width first, each direction rounded."""
    for dim, size in ((-1, sizes[1]), (-2, sizes[0])):
        if values.shape[dim] == size:
            continue
        strips, middle = byte_bands(mode, antialias, values.shape[dim], size)
        values = values.astype(strips[0][4].dtype, order="C", copy=False)
        values = resized(values if middle is None else values - np.float32(128), dim, strips)
        values += np.float32(0.5) if middle is None else np.float32(0.5) + (middle if dim == -1 else middle[:, None])
        np.clip(np.floor(values, out=values), 0, 255, out=values)
    return values.astype(np.uint8)
