"""Metrics of sound."""

from __future__ import annotations

import dovetail as dv

__all__ = ["snr"]


def snr(estimate: dv.Tensor, target: dv.Tensor) -> dv.Tensor:
    """The mean signal-to-noise ratio in decibels, ``10 log10(Σ target² / Σ (estimate - target)²)`` over the last dimension.

    >>> snr(dv.tensor([1.1, 0.9]), dv.tensor([1.0, 1.0]))
    tensor(20.0000)
    """
    tiny = 1e-12
    noise = ((estimate - target) ** 2).sum(-1)
    return (10 * (((target**2).sum(-1) + tiny) / (noise + tiny)).log10()).mean()
