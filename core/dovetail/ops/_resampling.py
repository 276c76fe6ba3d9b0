"""Linear maps along axes, applied tap by tap: interpolation and adaptive averaging; their gradients are the transposed maps."""

from __future__ import annotations

from typing import Any

import numpy as np

from dovetail_numerics.taps import Axis, taps_of, transposed_taps

from ._op import Array, op, xp

__all__ = ["Axis", "resample"]


@op(dtypes=None, contiguous="volumes")
def resample(input: Array, specs: tuple[Axis, ...], transposed: bool = False) -> Array:
    """Map the last axes of `input` linearly, each by its spec, or by the transpose of that map."""
    x, n = input, len(specs)
    for k in range(n) if transposed else range(n - 1, -1, -1):
        if x.dtype == np.uint8 and not specs[k].kind.startswith("nearest"):
            x = _bytes_along(x, x.ndim - n + k, specs[k])
        else:
            x = _along(x, x.ndim - n + k, specs[k], transposed)
    return x.copy() if x is input else x


resample.vjp(lambda g, specs, transposed: resample(g, specs, not transposed))


def _along(x: Any, axis: int, spec: Axis, transposed: bool = False) -> Any:
    """Apply a map, or its transpose, along one axis."""
    if spec.size == spec.out and spec.factor is None:
        return x
    index, weights = transposed_taps(spec) if transposed else taps_of(spec)
    m, out = xp(x), None
    shape = (-1, *(1,) * (x.ndim - 1 - axis))
    for t in range(index.shape[1]):
        part = m.take(x, m.asarray(index[:, t]), axis=axis)
        if weights is not None:
            part *= m.asarray(weights[:, t].astype(x.dtype)).reshape(shape)
        out = part if out is None else m.add(out, part, out=out)
    return m.zeros((*x.shape[:axis], len(index), *x.shape[axis + 1 :]), x.dtype) if out is None else out


def _bytes_along(x: Any, axis: int, spec: Axis) -> Any:
    """A map of bytes along one axis, with whole weights of 15 bits and bytes as result, as Pillow and PyTorch compute it."""
    if spec.size == spec.out and spec.factor is None:
        return x
    index, weights = taps_of(spec)
    weights = weights.copy()
    for t in range(1, index.shape[1]):  # at the border one input is read several times
        again = index[:, t] == index[:, t - 1]
        weights[again, t] += weights[again, t - 1]
        weights[again, t - 1] = 0
    bits = next((b for b in range(22) if int(0.5 + weights.max(initial=0) * 2 ** (b + 1)) >= 1 << 15), 22)
    scaled = np.trunc(weights * 2**bits + np.copysign(0.5, weights)).astype(np.int32)
    m, shape = xp(x), (-1, *(1,) * (x.ndim - 1 - axis))
    out = m.full((*x.shape[:axis], len(index), *x.shape[axis + 1 :]), 1 << (bits - 1), np.int32)
    for t in range(index.shape[1]):
        out += m.take(x, m.asarray(index[:, t]), axis=axis) * m.asarray(scaled[:, t]).reshape(shape)
    return m.clip(out >> bits, 0, 255).astype(np.uint8)
