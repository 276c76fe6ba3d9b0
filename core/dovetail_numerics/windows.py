"""Sliding windows over the spatial dimensions: sizes, taps and blocks shared by convolution, pooling and unfold.

A tap is one position in the kernel; the elements that it meets form a strided view of the input. Loops run over taps,
never over output positions.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from .modules import xp

__all__ = ["Sizes", "Window", "blocks", "padded", "tap_views", "unpadded", "window_sizes"]

Sizes = tuple[int, ...]
_BLOCK = 1 << 20  # elements of a column buffer: 4 MB of float32 stays near the cache, and is reused block by block


class Window(NamedTuple):
    """How windows lie over the spatial dimensions, and how many there are along each."""

    kernel: Sizes
    stride: Sizes
    padding: Sizes
    dilation: Sizes
    outs: Sizes

    def views(self, x: Any) -> Iterator[Any]:
        """For each place in the kernel the view of the padded `x` that it meets."""
        return (view for _, view in tap_views(x, self.kernel, self.stride, self.dilation, self.outs))


def window_sizes(spatial: Sequence[int], kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes) -> Sizes:
    """How many windows fit along each dimension.

    >>> window_sizes((8, 8), (3, 3), (2, 1), (1, 1), (1, 1))
    (4, 8)
    """
    each = zip(spatial, kernel, stride, padding, dilation, strict=True)
    return tuple((size + 2 * p - d * (k - 1) - 1) // s + 1 for size, k, s, p, d in each)


def tap_views(x: Any, kernel: Sizes, stride: Sizes, dilation: Sizes, outs: Sizes, axis: int = 2) -> Iterator[tuple[Sizes, Any]]:
    """For each tap, the last dimension fastest, the view of `x` that it meets: dimensions from `axis` on, of the sizes `outs`."""
    before = (slice(None),) * axis
    for tap in itertools.product(*map(range, kernel)):
        spans = (slice(t * d, t * d + s * (o - 1) + 1 if o else 0, s) for t, d, s, o in zip(tap, dilation, stride, outs, strict=True))
        yield tap, x[(*before, *spans)]


def padded(x: Any, padding: Sizes, value: float = 0, extra: Sizes | None = None) -> Any:
    """`x` with a border on the last dimensions (and `extra` more at their ends); `x` itself where there is none."""
    extra = extra or (0,) * len(padding)
    if not any(padding) and not any(extra):
        return x
    k = x.ndim - len(padding)
    shape = x.shape[:k] + tuple(n + 2 * p + e for n, p, e in zip(x.shape[k:], padding, extra, strict=True))
    out = xp(x).full(shape, value, x.dtype) if value else xp(x).zeros(shape, x.dtype)
    unpadded(out, padding, x.shape[k:])[...] = x
    return out


def unpadded(x: Any, padding: Sizes, spatial: Sequence[int]) -> Any:
    """The view inside a border."""
    return x[(..., *(slice(p, p + n) for p, n in zip(padding, spatial, strict=True)))]


def blocks(x: Any, outs: Sizes, each: int, kernel: Sizes, stride: Sizes, dilation: Sizes) -> Iterator[tuple[Any, Any, Any]]:
    """Cut the work into (batch, output rows, input rows) so that a buffer of `each` elements an output position stays small."""
    n, rows, sample = x.shape[0], outs[0], max(1, each * math.prod(outs))
    most = _BLOCK if x.__class__ is np.ndarray else _BLOCK << 4
    batch, step = max(1, most // sample), max(1, min(rows, most * rows // sample))
    reach = dilation[0] * (kernel[0] - 1) + 1
    for i in range(0, n, batch):
        for r in range(0, rows, step):
            last = min(rows, r + step)
            yield slice(i, min(n, i + batch)), slice(r, last), slice(r * stride[0], (last - 1) * stride[0] + reach)
