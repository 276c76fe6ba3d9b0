"""Sums over the last axis and the two halves of every normalisation: standardise rows, and send a gradient back through it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._op import xp

__all__ = ["back", "dots", "means", "standardise"]

_LONG = 4096  # a longer row is summed pairwise: BLAS would lose digits


def means(x: Any) -> Any:
    """The mean of each row (last axis)."""
    n = x.shape[-1]
    if x.__class__ is np.ndarray and 0 < n <= _LONG and x.dtype.char in "fd" and x.flags.c_contiguous:
        return x @ np.full(n, 1 / n, x.dtype)
    return x.mean(axis=-1)


def dots(x: Any, y: Any) -> Any:
    """``Σ x·y`` of each pair of rows."""
    if x.__class__ is np.ndarray and x.shape[-1] <= _LONG:
        return np.vecdot(x, y)
    return (x * y).sum(axis=-1)


def standardise(rows: Any, eps: float, centre: bool = True) -> tuple[Any, Any, Any]:
    """(x - mean) · rstd of each row, a new array; its mean and rstd = 1/√(variance + eps), (…, 1) each.

    Without `centre` the mean is taken as zero.
    """
    mean = means(rows)[..., None] if centre else None
    out = rows - mean if centre else rows
    rstd = dots(out, out)[..., None]
    rstd /= max(rows.shape[-1], 1)
    rstd += eps
    xp(rows).sqrt(rstd, out=rstd)
    xp(rows).divide(1, rstd, out=rstd)
    if centre:
        out *= rstd
    else:
        out = out * rstd
    return out, mean, rstd


def back(g: Any, rows: Any, rstd: Any, centre: bool = True) -> Any:
    """The gradient by the input of :func:`standardise`, given its result and that result's gradient; changes `g`."""
    by_scale = dots(g, rows)[..., None] / rows.shape[-1]
    if centre:
        g -= means(g)[..., None]
    g -= rows * by_scale
    g *= rstd
    return g
