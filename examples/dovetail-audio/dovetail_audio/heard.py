"""A training as it sounds: one tone a step, higher for a smaller loss. For the hooks ``train/step_end`` and ``train/fit_end``."""

from __future__ import annotations

import math

import numpy as np

import dovetail as dv

from .clips import Clip

__all__ = ["sound"]

_RATE, _TONE = 8000, 400  # samples a second, and in each tone
_MOST = 2400  # tones: two minutes


def sound(losses: list[float]) -> Clip:
    """A clip with a tone for each loss, or for every n-th of very many: 220 Hz for the first, an octave more where it has halved.

    >>> sound([1.0, 0.5]).waveform.shape
    dovetail.Size([800])
    """
    losses = losses[:: -(-len(losses) // _MOST) or 1]
    first = next((loss for loss in losses if math.isfinite(loss) and loss > 0), 1.0)
    octaves = [math.log2(first / loss) if math.isfinite(loss) and loss > 0 else -2.0 for loss in losses]
    pitch = np.repeat(220.0 * 2.0 ** np.clip(octaves, -2.0, 4.0), _TONE)
    return Clip(dv.from_numpy((0.3 * np.sin(np.cumsum(pitch) * (2 * np.pi / _RATE))).astype(np.float32)), _RATE)
