"""Linear maps along one axis, as taps: for each output the few inputs it reads and their weights.

Interpolation and adaptive averaging are such maps along each spatial axis in turn, and their gradients are the transposed maps.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np

__all__ = ["Axis", "far", "near", "taps_of", "transposed_taps"]

CUBIC, _CUBIC_SMOOTH = -0.75, -0.5  # Keys' parameter: plain, and with antialiasing
_SUPPORT = {"linear": 1.0, "cubic": 2.0, "lanczos": 3.0}


class Axis(NamedTuple):
    """What maps one axis: kind, sizes, the factor that the caller gave (None: out/in), and options."""

    kind: str  # "nearest", "nearest-exact", "linear", "cubic", "lanczos" or "mean" (adaptive averaging)
    size: int
    out: int
    factor: float | None = None
    align_corners: bool = False
    antialias: bool = False


@functools.lru_cache(maxsize=128)
def taps_of(spec: Axis) -> tuple[Any, Any]:
    """(out, taps) input indices and weights; no weights where all are one."""
    i, scale = np.arange(spec.out), _scale(spec)
    if spec.kind == "mean":
        start, end = i * spec.size // spec.out, -((-(i + 1) * spec.size) // spec.out)
        taps = np.arange((end - start).max(initial=0))
        inside = start[:, None] + taps < end[:, None]
        return np.minimum(start[:, None] + taps, end[:, None] - 1), inside / (end - start)[:, None]
    if spec.kind.startswith("nearest"):
        shift = np.float32(0.5 if spec.kind == "nearest-exact" else 0)
        at = np.floor((i.astype(np.float32) + shift) * np.float32(scale)).astype(np.int64)
        return np.minimum(at, spec.size - 1)[:, None], None
    if spec.antialias:
        return _smooth(spec, scale)
    at = i * scale if spec.align_corners else (i + 0.5) * scale - 0.5
    if spec.kind == "linear":
        at = np.maximum(at, 0)
        low = np.minimum(np.floor(at).astype(np.int64), spec.size - 1)
        part = np.clip(at - low, 0, 1)
        return np.stack([low, np.minimum(low + 1, spec.size - 1)], 1), np.stack([1 - part, part], 1)
    low, taps = np.floor(at)[:, None], np.arange(-1, 3)
    return np.clip(low.astype(np.int64) + taps, 0, spec.size - 1), _keys(at[:, None] - low - taps, CUBIC)


def _scale(spec: Axis) -> float:
    """Input steps for one output step."""
    if spec.align_corners:
        return (spec.size - 1) / (spec.out - 1) if spec.out > 1 else 0.0
    return 1 / spec.factor if spec.factor else spec.size / spec.out


def _smooth(spec: Axis, scale: float) -> tuple[Any, Any]:
    """Antialiased taps: the filter is as wide as the outputs lie apart, and its weights add up to one."""
    wide = max(scale, 1.0)
    support = _SUPPORT[spec.kind] * wide
    centre = scale * (np.arange(spec.out) + 0.5)
    start = np.maximum((centre - support + 0.5).astype(np.int64), 0)
    end = np.minimum((centre + support + 0.5).astype(np.int64), spec.size)
    taps = np.arange((end - start).max(initial=1))
    index = start[:, None] + taps
    distance = (index - centre[:, None] + 0.5) / wide
    weights = {"linear": _triangle, "lanczos": _lanczos, "cubic": lambda d: _keys(d, _CUBIC_SMOOTH)}[spec.kind](distance)
    weights = np.where(index < end[:, None], weights, 0)
    weights /= weights.sum(1, keepdims=True)
    return np.minimum(index, np.maximum(end - 1, 0)[:, None]), weights


def _triangle(d: Any) -> Any:
    return np.maximum(1 - np.abs(d), 0)


def _lanczos(d: Any) -> Any:
    return np.where(np.abs(d) < 3, np.sinc(d) * np.sinc(d / 3), 0)


def _keys(d: Any, a: float) -> Any:
    """The cubic convolution kernel (Keys, 1981)."""
    d = np.abs(d)
    return np.where(d < 1, near(d, a), np.where(d < 2, far(d, a), 0))


def near(d: Any, a: float = CUBIC) -> Any:
    """The cubic convolution kernel at distances up to 1; for arrays and tensors."""
    return ((a + 2) * d - (a + 3)) * d * d + 1


def far(d: Any, a: float = CUBIC) -> Any:
    """The cubic convolution kernel at distances from 1 to 2."""
    return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a


@functools.lru_cache(maxsize=128)
def transposed_taps(spec: Axis) -> tuple[Any, Any]:
    """The taps of the transposed map: for each input, the outputs that read it."""
    index, weights = taps_of(spec)
    out, taps = index.shape
    values = np.ones(index.size) if weights is None else weights.ravel()
    kept = np.flatnonzero(values)
    order = kept[np.argsort(index.ravel()[kept], kind="stable")]
    reads, writers, values = index.ravel()[order], np.repeat(np.arange(out), taps)[order], values[order]
    counts = np.bincount(reads, minlength=spec.size)
    slot = np.arange(len(reads)) - np.repeat(np.cumsum(counts) - counts, counts)
    back = np.zeros((spec.size, int(counts.max(initial=0))), np.int64)
    shares = np.zeros(back.shape)
    back[reads, slot], shares[reads, slot] = writers, values
    return back, shares
