"""Products added to numbers and rounded once, as the processor's own instruction does where PyTorch's compiler puts it."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["fused", "fused_double"]


def fused(a: np.ndarray, b: Any, c: Any) -> np.ndarray:
    """``a b + c`` of float32 or float64, rounded once.

    >>> x = np.float32([1 + 2**-12])
    >>> x * x - 1, fused(x, x, -1)
    (array([0.00048828], dtype=float32), array([0.00048834], dtype=float32))
    """
    if a.dtype == np.float32:  # float64 holds the product exactly
        return (a.astype(np.float64) * np.asarray(b, np.float64) + np.asarray(c, np.float64)).astype(np.float32)
    return fused_double(a, np.asarray(b, np.float64), np.asarray(c, np.float64))  # type: ignore[no-any-return]


def fused_double(a: Any, b: Any, c: Any) -> Any:
    """``a b + c`` of float64 arrays, tensors or numbers: what product and sum have lost is added to what they gave.

    Dekker, Numer. Math. 18 (1971) 224, and Knuth, TAOCP 2, 4.2.2.
    """
    product = a * b
    total = product + c
    (high, low), (other_high, other_low) = _halves(a), _halves(b)
    lost = ((high * other_high - product) + high * other_low + low * other_high) + low * other_low
    added = total - product
    return total + (((product - (total - added)) + (c - added)) + lost)


def _halves(x: Any) -> tuple[Any, Any]:
    """Two numbers of 26 bits whose sum is ``x``."""
    large = x * (2.0**27 + 1.0)
    high = large - (large - x)
    return high, x - high
