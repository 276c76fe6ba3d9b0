"""Counts drawn by acceptance and rejection, one element at a time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import DistributionError
from ..generator import MersenneTwister
from .draws import floating
from .rejection import single_uniform

__all__ = ["binomial", "poisson"]

_STIRLING = [math.lgamma(k + 1) - ((k + 0.5) * math.log(k + 1) - (k + 1) + 0.5 * math.log(2 * math.pi)) for k in range(10)]


def poisson(gen: MersenneTwister, rate: np.ndarray) -> np.ndarray:
    """Draw counts with these rates: the stream of ``poisson``, in the type of ``rate``.

    Below a rate of 10 uniforms are multiplied (Knuth), from there on Hörmann's PTRS (1993) is used.
    Raises a RuntimeError for a negative rate, a DtypeError for an integer type.

    >>> poisson(MersenneTwister().manual_seed(0), np.array([1.0, 5.0, 50.0]))
    array([ 2.,  6., 49.])
    """
    floating("poisson", rate.dtype)
    if rate.size and not (rate >= 0).all():
        raise DistributionError("poisson", "rate has a negative value or a NaN", "expected rate >= 0")
    counts = [_poisson(gen, value) for value in rate.astype(np.float64).ravel().tolist()]
    return np.array(counts, np.float64).astype(rate.dtype).reshape(rate.shape)


def binomial(gen: MersenneTwister, count: np.ndarray, prob: np.ndarray) -> np.ndarray:
    """Draw numbers of successes in ``count`` trials of ``prob``: the stream of ``binomial``, in the type of ``count``.

    Geometric gaps are summed while the expected number is below 10; from there on Hörmann's BTRS (1993) is used.
    Raises a DtypeError for integer types. A NaN probability gives a NaN.

    >>> binomial(MersenneTwister().manual_seed(0), np.array([10.0, 100.0]), np.array([0.5, 0.25]))
    array([ 7., 26.])
    """
    floating("binomial", count.dtype)
    floating("binomial", prob.dtype)
    drawn = [count.dtype.type(_binomial(gen, n, p)) for n, p in zip(count.ravel(), prob.ravel(), strict=True)]
    return np.array(drawn, count.dtype).reshape(count.shape)


def _off_the_edge(gen: MersenneTwister) -> tuple[float, float, float]:
    """Two uniform draws, of which one is in (-½, ½), and how far that one is from the edge; one on the edge is drawn again."""
    u, v = single_uniform(gen) - 0.5, single_uniform(gen)
    return (u, v, 0.5 - abs(u)) if abs(u) != 0.5 else _off_the_edge(gen)


def _poisson(gen: MersenneTwister, rate: float) -> int:
    if rate == 0:
        return 0
    if rate >= 10:
        return _poisson_transformed(gen, rate)
    floor, product, count = math.exp(-rate), 1.0, 0
    while True:
        product *= single_uniform(gen)
        if product <= floor:
            return count
        count += 1


def _poisson_transformed(gen: MersenneTwister, rate: float) -> int:
    b = 0.931 + 2.53 * math.sqrt(rate)
    a = -0.059 + 0.02483 * b
    scale, bound = 1.1239 + 1.1328 / (b - 3.4), 0.9277 - 3.6224 / (b - 2)
    while True:
        u, v, us = _off_the_edge(gen)
        k = math.floor((2 * a / us + b) * u + rate + 0.43)
        if us >= 0.07 and v <= bound:
            return k
        if k < 0 or (us < 0.013 and v > us):
            continue
        left = (math.log(v) if v else -math.inf) + math.log(scale) - math.log(a / (us * us) + b)
        if left <= -rate + k * math.log(rate) - math.lgamma(k + 1):
            return k


def _binomial(gen: MersenneTwister, count: Any, prob: Any) -> Any:
    """Draw one; count and prob stay in their own precision, as PyTorch keeps them."""
    if count <= 0 or prob <= 0:
        return 0
    if prob >= 1:
        return count
    if prob > 0.5:
        return count - _binomial(gen, count, type(prob)(1.0 - float(prob)))
    if prob <= 0.5:
        return (_btrs if count * prob >= 10 else _gaps)(gen, count, prob)
    return math.nan


def _gaps(gen: MersenneTwister, count: Any, prob: Any) -> int:
    log_miss, passed, hits = float(np.log1p(-prob)), 0.0, 0
    while True:
        u = single_uniform(gen)
        passed += math.ceil(math.log(u) / log_miss) if u else math.inf
        if passed > count:
            return hits
        hits += 1


def _btrs(gen: MersenneTwister, count: Any, prob: Any) -> int:
    spread = float(np.sqrt(count * prob * (1 - prob)))
    odds, centre, mode = float(prob / (1 - prob)), float(count * prob) + 0.5, math.floor((count + 1) * prob)
    n, p = float(count), float(prob)
    b = 1.15 + 2.53 * spread
    a = -0.0873 + 0.0248 * b + 0.01 * p
    bound, alpha = 0.92 - 4.2 / b, (2.83 + 5.1 / b) * spread
    while True:
        u, v, us = _off_the_edge(gen)
        k = math.floor((2 * a / us + b) * u + centre)
        if k < 0 or k > n:
            continue
        if us >= 0.07 and v <= bound:
            return k
        height = (mode + 0.5) * math.log((mode + 1) / (odds * (n - mode + 1))) + (n + 1) * math.log((n - mode + 1) / (n - k + 1))
        height += (k + 0.5) * math.log(odds * (n - k + 1) / (k + 1))
        height += _tail(mode) + _tail(n - mode) - _tail(k) - _tail(n - k)
        test = v * alpha / (a / (us * us) + b)
        if test <= 0 or math.log(test) <= height:
            return k


def _tail(k: float) -> float:
    """Return what Stirling's formula for log k! leaves out."""
    if k < len(_STIRLING):
        return _STIRLING[int(k)]
    square = (k + 1) * (k + 1)
    return (1 / 12 - (1 / 360 - 1 / 1260 / square) / square) / (k + 1)
