"""From raw draws to uniform numbers, and the arithmetic that PyTorch's compiled code does on them."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np

from ..errors import DistributionError, DtypeError
from ..generator import MersenneTwister, joined

__all__ = [
    "Shape", "below", "demand", "doubles", "floating", "fma", "is_floating", "largest", "narrow", "real_of",
    "size_of", "uniform24", "uniform53",
]  # fmt: skip

Shape: TypeAlias = int | tuple[int, ...]

_SPLIT = float(2**27 + 1)
_CHUNK = 1 << 13  # elements: what a chunk needs stays in the processor's cache


def demand(condition: Any, where: str, what: str, expected: str = "") -> None:
    """Raise a DistributionError (a RuntimeError) unless the condition holds."""
    if not condition:
        raise DistributionError(where, what, expected)


def size_of(shape: Shape) -> int:
    """Return the number of elements of a shape.

    >>> size_of((2, 3)), size_of(4), size_of(())
    (6, 4, 1)
    """
    return math.prod(shape) if isinstance(shape, tuple) else int(shape)


def is_floating(dtype: np.dtype) -> bool:
    """Say whether this is a real floating type (bfloat16, which NumPy files under 'V', is one).

    >>> is_floating(np.dtype("f2")), is_floating(np.dtype("c8"))
    (True, False)
    """
    return dtype.kind == "f" or (dtype.kind == "V" and dtype.name == "bfloat16")  # the name takes NumPy 3 µs


def floating(where: str, dtype: Any) -> np.dtype:
    """The NumPy type for what a caller passed; a DtypeError unless it is a real floating one."""
    kind = np.dtype(dtype)
    if not is_floating(kind):
        raise DtypeError(where, f"dtype is {kind}", "expected a floating type", "draw floats, then convert")
    return kind


def real_of(dtype: np.dtype) -> np.dtype:
    """The type of a complex type's parts."""
    return np.dtype(f"f{dtype.itemsize // 2}")


def largest(dtype: np.dtype) -> float:
    """The largest number of a floating type."""
    return float(np.finfo(dtype).max) if dtype.kind == "f" else 3.3895313892515355e38  # of bfloat16


def uniform24(gen: MersenneTwister, shape: Shape) -> np.ndarray:
    """Draw float32 numbers of [0, 1) with 24 bits: one 32-bit draw each."""
    return fractions(gen._words(size_of(shape))).reshape(shape)


def fractions(words: np.ndarray) -> np.ndarray:
    """The lower 24 bits of each word as a float32 of [0, 1)."""
    out = (words & np.uint32(0xFFFFFF)).view(np.int32).astype(np.float32)
    out *= np.float32(2.0**-24)
    return out


def uniform53(gen: MersenneTwister, shape: Shape) -> np.ndarray:
    """Draw float64 numbers of [0, 1) with 53 bits: two 32-bit draws each."""
    return doubles(gen._words(2 * size_of(shape))).reshape(shape)


def doubles(words: np.ndarray) -> np.ndarray:
    """The lower 53 bits of each pair of words as a float64 of [0, 1)."""
    bits = joined(words)
    bits &= np.uint64(2**53 - 1)
    out = bits.view(np.int64).astype(np.float64)
    out *= 2.0**-53
    return out


def below(words: np.ndarray, p: float) -> np.ndarray:
    """Whether the number of [0, 1) that each pair of words makes is less than p."""
    return doubles(words) < p


def narrow(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Convert float64 values as PyTorch does: to 16 bits by way of float32, to an integer by truncation."""
    if dtype.itemsize == 2 and is_floating(dtype):
        values = values.astype(np.float32)
    with np.errstate(invalid="ignore", over="ignore"):
        return values.astype(dtype, copy=False)


def fma(a: np.ndarray, b: float, c: float) -> np.ndarray:
    """Return a * b + c in float64 with a single rounding, which is what PyTorch's compiled code does.

    The product's error is found by Dekker's splitting, the sum's by Knuth's two-sum.

    >>> fma(np.array([1 + 2.0**-30]), 1 - 2.0**-30, -1.0)
    array([-8.67361738e-19])
    """
    if c == 0 or math.frexp(b)[0] == 0.5 or abs(b) > 1e290:
        return a * b + c
    out = np.empty_like(a)
    for start in range(0, len(a), _CHUNK):
        out[start : start + _CHUNK] = _fused(a[start : start + _CHUNK], b, c)
    return out


def _fused(a: np.ndarray, b: float, c: float) -> np.ndarray:
    product = a * b
    part = a * _SPLIT
    high = part - (part - a)
    low = a - high
    split = b * _SPLIT
    b_high = split - (split - b)
    b_low = b - b_high
    error = ((high * b_high - product) + high * b_low + low * b_high) + low * b_low
    total = product + c
    moved = total - product
    total += (product - (total - moved)) + (c - moved) + error
    return total
