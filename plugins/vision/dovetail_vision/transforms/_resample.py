"""The weights with which rows and columns of pixels are resized."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

__all__ = ["byte_weights", "weights"]


def _triangle(x: np.ndarray) -> np.ndarray:
    return np.maximum(0.0, 1.0 - np.abs(x))


def _keys(sharpness: float) -> Callable[[np.ndarray], np.ndarray]:
    """Cubic convolution; Keys, IEEE Trans. ASSP 29 (1981) 1153, equation 15 with ``a`` free."""

    def kernel(x: np.ndarray) -> np.ndarray:
        x, a = np.abs(x), sharpness
        near = ((a + 2) * x - (a + 3)) * x * x + 1
        far = (((x - 5) * x + 8) * x - 4) * a
        return np.where(x < 1, near, np.where(x < 2, far, 0.0))

    return kernel


# PyTorch takes -0.5 (as Pillow does) where it smooths and -0.75 where it does not.
_KERNELS = {
    ("bilinear", False): (_triangle, 1.0),
    ("bilinear", True): (_triangle, 1.0),
    ("bicubic", False): (_keys(-0.75), 2.0),
    ("bicubic", True): (_keys(-0.5), 2.0),
}


@lru_cache(maxsize=64)
def weights(mode: str, antialias: bool, size: int, new_size: int) -> np.ndarray:
    """The matrix ``(new_size, size)`` whose product with a column of pixels is the resized column.

    Output ``i`` lies at ``(i + 0.5) * size / new_size - 0.5``. With ``antialias`` the kernel is as wide as the step where
    that is more than a pixel, and what would fall outside is left out; without, the pixel at the edge stands in for it.

    >>> weights("bilinear", True, 4, 2)
    array([[0.42857143, 0.42857143, 0.14285714, 0.        ],
           [0.        , 0.14285714, 0.42857143, 0.42857143]])
    """
    kernel, support = _KERNELS[mode, antialias]
    step = size / new_size
    stretch = max(step, 1.0) if antialias else 1.0
    centres = (np.arange(new_size) + 0.5) * step - 0.5
    if mode == "bilinear" and not antialias:
        centres = np.clip(centres, 0, size - 1)
    reach = int(np.ceil(support * stretch))  # no pixel further than this counts
    taps = np.floor(centres).astype(np.int64)[:, None] + np.arange(-reach, reach + 2)
    values = kernel((taps - centres[:, None]) / stretch)
    if antialias:
        values[(taps < 0) | (taps >= size)] = 0.0
        values /= values.sum(axis=1, keepdims=True)
    table = np.zeros((new_size, size))
    np.add.at(table, (np.arange(new_size)[:, None], np.clip(taps, 0, size - 1)), values)
    return table


@lru_cache(maxsize=64)
def byte_weights(mode: str, antialias: bool, size: int, new_size: int) -> tuple[np.ndarray, int]:
    """``weights`` in whole numbers below 2**15, and the power of two that they are times: what PyTorch resizes bytes with.

    >>> byte_weights("bilinear", True, 4, 2)
    (array([[28087., 28087.,  9362.,     0.],
           [    0.,  9362., 28087., 28087.]]), 16)
    """
    table, bits = weights(mode, antialias, size, new_size), 0
    while bits < 22 and int(0.5 + table.max() * (1 << (bits + 1))) < 1 << 15:
        bits += 1
    return np.trunc(table * (1 << bits) + np.where(table < 0, -0.5, 0.5)), bits
