"""Transforms of sound."""

from __future__ import annotations

from typing import Any

import numpy as np

import dovetail as dv
from dovetail import plugins
from dovetail.errors import ShapeError, ValueRangeError

from .clips import Clip, ClipBatch

__all__ = ["LogMel", "filter_bank", "hertz", "mel"]


def mel(frequency: Any) -> Any:
    """``2595 log10(1 + f / 700)``: hertz to mel (O'Shaughnessy, Speech Communication, 1987; The HTK Book, section 5.4).

    >>> round(float(mel(1000.0)))
    1000
    """
    return 2595 * np.log10(1 + np.asarray(frequency) / 700)


def hertz(mels: Any) -> Any:
    """The inverse of `mel`: ``700 (10^(m / 2595) - 1)``."""
    return 700 * (10 ** (np.asarray(mels) / 2595) - 1)


def filter_bank(n_mels: int, n_fft: int, rate: int) -> np.ndarray:
    """Triangles over the frequencies of a transform: ``(n_mels, n_fft // 2 + 1)``.

    The corners lie at equal distances in mel between 0 and half the rate; each triangle is 1 in its middle and 0 from its neighbours'
    middles on (Davis, Mermelstein, Comparison of Parametric Representations for Monosyllabic Word Recognition, 1980).
    """
    corners = hertz(np.linspace(0, mel(rate / 2), n_mels + 2))
    bins = np.linspace(0, rate / 2, n_fft // 2 + 1)
    low, middle, high = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    return np.maximum(0, np.minimum((bins - low) / (middle - low), (high - bins) / (high - middle)))


class LogMel:
    """Logarithms of the energy in mel bands: ``(…, samples)`` to ``(…, n_mels, frames)``.

    ``out[m, t] = log(1e-6 + Σ_k bank[m, k] |rfft(window · x[t · hop : t · hop + length])[k]|²)``, with frames of 25 ms every 10 ms and the
    triangles of `filter_bank`. A signal shorter than one frame is filled with silence. A `Clip` gives a tensor; a `ClipBatch` a pair of
    tensors, the second with the number of frames of each clip that hold sound. Source: Davis and Mermelstein, 1980, as in The HTK Book.
    """

    def __init__(self, rate: int = 8000, n_mels: int = 40, window: str = "hann") -> None:
        if rate < 1000 or n_mels < 1:
            raise ValueRangeError("LogMel", f"rate is {rate} and n_mels is {n_mels}", "expected a rate from 1000 and n_mels from 1")
        self.rate, self.n_mels, self.window = rate, n_mels, window
        self.length, self.hop = rate // 40, rate // 100
        self.n_fft = 1 << (self.length - 1).bit_length()
        taper = plugins.call("audio/window", name=window, length=self.length)
        if taper is None:
            raise ValueRangeError("LogMel", f"no plugin knows the window {window!r}", "expected hann, hamming or ones")
        self.taper = dv.from_numpy(np.asarray(taper, "float32"))
        self.bank = dv.from_numpy(filter_bank(n_mels, self.n_fft, rate).T.astype("float32"))

    def __call__(self, sound: Any) -> Any:
        if isinstance(sound, Clip | ClipBatch) and sound.rate != self.rate:
            raise ValueRangeError("LogMel", f"the clip has {sound.rate} samples a second", f"expected {self.rate}", "use Clip.resampled")
        if isinstance(sound, ClipBatch):
            return self.features(sound.waveforms), self.frames(sound.lengths)
        return self.features(sound.waveform if isinstance(sound, Clip) else sound)

    def frames(self, samples: Any) -> Any:
        """The number of whole frames in so many samples, at least 1."""
        return ((samples - self.length) // self.hop + 1).clamp(min=1)

    def features(self, waveform: dv.Tensor) -> dv.Tensor:
        """The transform of a tensor; gradients go through it."""
        if not waveform.ndim:
            raise ShapeError("LogMel", "the waveform has no dimension", "expected (…, samples)")
        if waveform.shape[-1] < self.length:
            waveform = dv.nn.functional.pad(waveform, (0, self.length - waveform.shape[-1]))
        frames = waveform.unfold(-1, self.length, self.hop) * self.taper
        spectrum = dv.fft.rfft(frames, self.n_fft)
        energy = spectrum.real**2 + spectrum.imag**2
        return (energy @ self.bank + 1e-6).log().transpose(-1, -2)

    def __repr__(self) -> str:
        return f"LogMel(rate={self.rate}, n_mels={self.n_mels}, window={self.window!r})"
