"""Gamma's distribution, drawn by acceptance and rejection, one element at a time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..generator import MersenneTwister
from .draws import floating
from .normal import _pairs

__all__ = ["single_uniform", "standard_gamma"]

_SQUEEZE = float(np.float32(0.0331))


def standard_gamma(gen: MersenneTwister, alpha: np.ndarray) -> np.ndarray:
    """Draw from the gamma distribution of rate 1 and shape ``alpha``: the stream of ``_standard_gamma``.

    Source: Marsaglia and Tsang, "A simple method for generating gamma variables", 2000.
    Raises a DtypeError for an integer type.

    >>> standard_gamma(MersenneTwister().manual_seed(0), np.array([0.5, 2.0])).round(6)
    array([0.000789, 0.631541])
    """
    floating("standard_gamma", alpha.dtype)
    tiny = np.finfo(alpha.dtype).tiny if alpha.dtype.kind == "f" else 1.1754943508222875e-38
    drawn = [max(_gamma(gen, value), float(tiny)) for value in alpha.ravel()]
    return np.array(drawn, np.float64).astype(alpha.dtype).reshape(alpha.shape)


def single_uniform(gen: MersenneTwister) -> float:
    """One 53-bit uniform of [0, 1); the arithmetic of uniform53 on Python's integers, ten times as fast for a single number.

    >>> single_uniform(MersenneTwister().manual_seed(0))
    0.9700530018065531
    """
    high, low = gen._word(), gen._word()
    return ((high & 0x1FFFFF) << 32 | low) * 2.0**-53


def _gamma(gen: MersenneTwister, alpha: Any) -> float:
    """Draw one; alpha, and the constants that PyTorch writes in float32, stay in their own precision."""
    one, scale = type(alpha)(1), 1.0
    if alpha < 1:
        if alpha == 0:
            return 0.0
        scale = (1 - single_uniform(gen)) ** float(one / alpha)
        alpha += one
    if math.isnan(alpha):
        return float(alpha)
    d = float(alpha - np.float32(1 / 3))
    c = 1 / math.sqrt(9 * d)
    while True:
        x = y = 0.0
        while y <= 0:
            x = float(_pairs(gen, 1)[0])
            y = 1 + c * x
        v, u, xx = y * y * y, 1 - single_uniform(gen), x * x
        if u < 1 - _SQUEEZE * xx * xx or math.log(u) < 0.5 * xx + d * (1 - v + math.log(v)):
            return scale * d * v
