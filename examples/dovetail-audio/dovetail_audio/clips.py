"""Clips: pieces of sound, and how they become a batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

import dovetail as dv
from dovetail.errors import ShapeError, ValueRangeError

__all__ = ["Clip", "ClipBatch", "examples", "join"]


@dataclass(frozen=True, eq=False)
class Clip:
    """A piece of sound: ``waveform`` of shape ``(samples,)`` or ``(channels, samples)`` between -1 and 1, at ``rate`` samples a second.

    >>> Clip(dv.zeros(4000), 8000).seconds
    0.5
    """

    waveform: dv.Tensor
    rate: int

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return self.waveform.shape[-1] / self.rate

    def mono(self) -> Clip:
        """The mean of its channels."""
        return self if self.waveform.ndim == 1 else Clip(self.waveform.mean(0), self.rate)

    def resampled(self, rate: int) -> Clip:
        """At another rate, by linear interpolation (good enough to listen for words; it does not filter what it folds)."""
        if rate == self.rate:
            return self
        old = np.atleast_2d(self.waveform.numpy())
        count = max(1, round(old.shape[1] * rate / self.rate))
        at = np.arange(count) * self.rate / rate
        new = np.stack([np.interp(at, np.arange(old.shape[1]), channel) for channel in old]).astype(old.dtype)
        return Clip(dv.from_numpy(new.reshape(*self.waveform.shape[:-1], count)), rate)


class ClipBatch(NamedTuple):
    """Clips of one rate: waveforms ``(N, …, longest)`` with silence behind the shorter ones, and lengths ``(N,)`` in samples."""

    waveforms: dv.Tensor
    lengths: dv.Tensor
    rate: int


def join(clips: list[Clip]) -> ClipBatch:
    """Fill clips with silence to the longest. Raises an error for clips of different rates or channels.

    >>> join([Clip(dv.ones(2), 8000), Clip(dv.ones(3), 8000)]).waveforms
    tensor([[1., 1., 0.],
            [1., 1., 1.]])
    """
    rates, channels = ({clip.rate for clip in clips}, {tuple(clip.waveform.shape[:-1]) for clip in clips})
    if len(rates) > 1:
        raise ValueRangeError("collate", f"clips of {sorted(rates)} samples a second", "expected one rate", "use Clip.resampled")
    if len(channels) > 1:
        raise ShapeError("collate", f"clips of channels {sorted(channels)}", "expected as many in each", "use Clip.mono")
    lengths = [clip.waveform.shape[-1] for clip in clips]
    filled = [dv.nn.functional.pad(clip.waveform, (0, max(lengths) - n)) for clip, n in zip(clips, lengths, strict=True)]
    return ClipBatch(dv.stack(filled), dv.tensor(lengths), clips[0].rate)


def examples() -> list[Clip]:
    """Three clips of different lengths, for the tests."""
    return [Clip(dv.linspace(-1, 1, n), 8000) for n in (5, 3, 8)]
