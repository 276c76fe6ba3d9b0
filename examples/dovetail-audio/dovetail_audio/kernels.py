"""A kernel for softshrink, which takes noise off a spectrum: what is left after clipping, in blocks that stay in the cache."""

from __future__ import annotations

from typing import Any

import numpy as np

from dovetail.extend import Kernel

__all__ = ["softshrink"]

BLOCK = 16384  # values


def _forward(input: np.ndarray, lambd: float) -> Any:
    if lambd < 0 or not input.flags.c_contiguous:
        return NotImplemented  # the reference serves this call, forward and gradient, or says what is wrong with it
    out = np.empty_like(input)
    source, result = input.reshape(-1), out.reshape(-1)
    for start in range(0, source.size, BLOCK):
        x, rest = source[start : start + BLOCK], result[start : start + BLOCK]
        np.clip(x, -lambd, lambd, out=rest)
        np.subtract(x, rest, out=rest)
    return out


softshrink = Kernel(_forward)
