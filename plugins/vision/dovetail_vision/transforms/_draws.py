"""Random numbers for transforms, from the global stream in torchvision's order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

import dovetail
from dovetail import Tensor
from dovetail.generator import current
from dovetail_numerics import streams
from dovetail_numerics.streams import standard_gamma

__all__ = ["beta", "dirichlet", "happens", "uniform", "whole"]


def uniform(low: float, high: float) -> float:
    """A number from ``low`` to ``high``, in float32, or in float64 where that is the default type."""
    if dovetail.get_default_dtype() is dovetail.float64:
        return float(streams.uniform(current(), (1,), np.float64, low, high)[0])
    first, last = np.float32(low), np.float32(high)
    share = float(streams.uniform(current(), (1,))[0])  # times the width it is exact in float64: the sum is rounded once
    value = np.float32(share * float(last - first) + float(first))
    return float(first if value == last else value)


def whole(low: int, high: int) -> int:
    """A whole number from ``low`` to ``high - 1``."""
    return int(streams.randint(current(), low, high, 1)[0])


def happens(p: float) -> bool:
    """True with probability ``p``."""
    kind = np.float64 if dovetail.get_default_dtype() is dovetail.float64 else np.float32
    return float(streams.uniform(current(), (1,), kind)[0]) < p


def dirichlet(concentration: Sequence[float], rows: int = 1) -> Tensor:
    """Rows of shares that add up to 1, in the default type: the stream of PyTorch's Dirichlet distribution."""
    kind = np.float64 if dovetail.get_default_dtype() is dovetail.float64 else np.float32
    alpha = np.tile(np.asarray(concentration, kind), (rows, 1)).astype(np.float64)
    drawn = standard_gamma(current(), alpha)
    shares = (drawn / drawn.sum(-1, keepdims=True)).astype(kind)
    return dovetail.from_numpy(shares.clip(np.finfo(kind).tiny, np.nextafter(kind(1), kind(0))))  # never 0 or 1, as PyTorch's


def beta(alpha: float) -> float:
    """A number from Beta(alpha, alpha)."""
    return dirichlet((alpha, alpha))[0, 0].item()
