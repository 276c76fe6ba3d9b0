"""Distributions that are a function of one uniform number: uniform, exponential, Cauchy, geometric."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import DtypeError
from ..generator import MersenneTwister
from .draws import Shape, demand, floating, fma, is_floating, largest, narrow, real_of, size_of, uniform24, uniform53

__all__ = ["cauchy", "exponential", "geometric", "uniform"]

_CHUNK = 1 << 15


def uniform(gen: MersenneTwister, shape: Shape, dtype: Any = np.float32, low: float = 0.0, high: float = 1.0) -> np.ndarray:
    """Draw from [low, high): the stream of ``rand`` and ``uniform_``, bit for bit.

    float64 takes 53 bits from two draws, every other type 24 bits from one. A complex type is filled part by part.
    Raises a RuntimeError where low > high or the type cannot hold the interval, a DtypeError for an integer type.

    >>> uniform(MersenneTwister().manual_seed(0), (3,))
    array([0.4962566 , 0.7682218 , 0.08847743], dtype=float32)
    """
    dtype = np.dtype(dtype)
    if low == 0 and high == 1 and dtype.char in "fd":
        return (uniform24 if dtype.char == "f" else uniform53)(gen, shape)
    if dtype.kind == "c":
        return uniform(gen, 2 * size_of(shape), real_of(dtype), low, high).view(dtype).reshape(shape)
    _check_interval(floating("uniform", dtype), low, high)
    if dtype == np.float64:
        out = fma(uniform53(gen, size_of(shape)), high - low, low)
    else:
        out = _stretch(gen, size_of(shape), np.float32(low), np.float32(high)).astype(dtype, copy=False)
    kind, exact = dtype.type, np.float32 if dtype.itemsize == 2 else dtype.type
    out[out == kind(exact(high))] = kind(exact(low))  # the rounding may have reached the open end
    return out.reshape(shape)


def exponential(gen: MersenneTwister, shape: Shape, dtype: Any = np.float32, lambd: float = 1.0) -> np.ndarray:
    """Draw from λ·exp(-λx), as -log(1 - u) / λ in float64.

    PyTorch built with MKL on an Intel processor draws ``exponential_`` from a stream of MKL's; this is its stream everywhere else.
    Raises a RuntimeError where lambd is not positive, a DtypeError for an integer type.

    >>> exponential(MersenneTwister().manual_seed(0), 2, np.float64, 2.0).round(6)
    array([1.754163, 0.615192])
    """
    dtype = floating("exponential", dtype)
    demand(lambd > 0, "exponential", f"lambd is {lambd}", "expected lambd > 0")
    return narrow(np.log1p(-uniform53(gen, shape)) * (-1.0 / lambd), dtype)


def cauchy(gen: MersenneTwister, shape: Shape, dtype: Any = np.float32, median: float = 0.0, sigma: float = 1.0) -> np.ndarray:
    """Draw from the Cauchy distribution, as median + sigma · tan(π(u - ½)) in float64.

    Raises a RuntimeError where sigma is not positive, a DtypeError for an integer type.

    >>> cauchy(MersenneTwister().manual_seed(0), 2, np.float64).round(6)
    array([10.597729,  0.764767])
    """
    dtype = floating("cauchy", dtype)
    demand(sigma > 0, "cauchy", f"sigma is {sigma}", "expected sigma > 0")
    return narrow(np.tan(np.pi * (uniform53(gen, shape) - 0.5)) * sigma + median, dtype)


def geometric(gen: MersenneTwister, shape: Shape, dtype: Any = np.float32, p: float = 0.5) -> np.ndarray:
    """Draw the number of trials up to the first success, as ⌈log u / log(1 - p)⌉ in float64.

    Raises a RuntimeError unless 0 < p < 1, a DtypeError for bool and complex types.

    >>> geometric(MersenneTwister().manual_seed(0), 4, np.int64, 0.25)
    array([1, 2, 3, 1])
    """
    dtype = np.dtype(dtype)
    if not (is_floating(dtype) or dtype.kind in "iu"):
        raise DtypeError("geometric", f"dtype is {dtype}", "expected an integer or a floating type")
    demand(0 < p < 1, "geometric", f"p is {p}", "expected 0 < p < 1")
    with np.errstate(divide="ignore"):
        return narrow(np.ceil(np.log(uniform53(gen, shape)) / np.log1p(-p)), dtype)


def _stretch(gen: MersenneTwister, count: int, low: np.float32, high: np.float32) -> np.ndarray:
    """Return 24-bit uniforms on [low, high) in float32, the multiplication and addition rounded once."""
    width = np.float32(high - low)
    if low == 0:
        out = uniform24(gen, count)
        out *= width
        return out
    bits = gen._words(count)
    out = np.empty(count, np.float32)
    step = float(width) * 2.0**-24  # bits * step is exact in float64, so that the sum is rounded once
    for start in range(0, count, _CHUNK):
        part = (bits[start : start + _CHUNK] & np.uint32(0xFFFFFF)).view(np.int32).astype(np.float64)
        part *= step
        part += float(low)
        out[start : start + _CHUNK] = part
    return out


def _check_interval(dtype: np.dtype, low: float, high: float) -> None:
    limit = largest(dtype)
    if -limit <= low <= high <= limit and high - low <= limit:  # and no text is formed
        return
    for name, value in (("low", low), ("high", high)):
        demand(abs(value) <= limit, "uniform", f"{name} is {value}", f"expected a number that {dtype} can hold")
    demand(low <= high, "uniform", f"low is {low} and high is {high}", "expected low <= high")
    demand(high - low <= limit, "uniform", f"high - low is {high - low}", f"expected a difference that {dtype} can hold")
