"""Spoken commands, made on the spot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import dovetail as dv
from dovetail.errors import ValueRangeError
from dovetail.extend import Dataset

from .clips import Clip

__all__ = ["RATE", "WORDS", "Commands"]

RATE = 8000

# What a word consists of: (duration in seconds, loudness, first formant from and to, second formant from and to), in hertz; a sound
# without formants is noise. The vowels are those of Peterson and Barney, Control Methods Used in a Study of the Vowels, 1952.
_I, _E, _A, _O, _U, _UH = (270, 2290), (530, 1840), (730, 1090), (570, 840), (300, 870), (640, 1190)
_N, _L, _R = (250, 1500), (360, 1100), (310, 1060)
_S, _F, _BURST, _PAUSE = (0.09, 0.5), (0.07, 0.2), (0.02, 0.6), (0.04, 0.0)


def _glide(seconds: float, start: tuple[int, int], end: tuple[int, int], loudness: float = 1.0) -> tuple[Any, ...]:
    return seconds, loudness, (start[0], end[0]), (start[1], end[1])


_SOUNDS: dict[str, list[tuple[Any, ...]]] = {
    "yes": [_glide(0.10, _I, _E), _glide(0.08, _E, _E), _S],
    "no": [_glide(0.07, _N, _N, 0.6), _glide(0.18, _O, _U)],
    "up": [_glide(0.12, _UH, _UH), _PAUSE, _BURST],
    "down": [_BURST, _glide(0.16, _A, _U), _glide(0.08, _N, _N, 0.6)],
    "left": [_glide(0.06, _L, _E, 0.7), _glide(0.10, _E, _E), _F, _BURST],
    "right": [_glide(0.06, _R, _A, 0.7), _glide(0.16, _A, _I), _PAUSE, _BURST],
    "go": [_BURST, _glide(0.20, _O, _U)],
    "stop": [_S, _PAUSE, _BURST, _glide(0.12, _A, _A), _PAUSE, _BURST],
}

#: The eight words, in the order of their labels.
WORDS = tuple(_SOUNDS)


def _voice(draw: np.random.Generator, sound: tuple[Any, ...], pitch: float, size: float, pace: float) -> np.ndarray:
    """One sound: two gliding formants in pulses of the pitch, or noise without its low frequencies."""
    count = int(sound[0] * pace * RATE)
    edge = np.minimum(1, np.minimum(np.arange(count), np.arange(count)[::-1]) / 40)
    if len(sound) == 2:
        return sound[1] * edge * np.diff(draw.normal(0, 0.4, count + 1))
    seconds = np.arange(count) / RATE
    pulse = (0.5 + 0.5 * np.cos(2 * np.pi * pitch * seconds)) ** 2
    wave = np.zeros(count)
    for weight, (start, end) in zip((1.0, 0.6), sound[2:], strict=True):
        wave += weight * np.sin(2 * np.pi * np.cumsum(np.linspace(start, end, count) * size) / RATE + draw.uniform(0, 6))
    return sound[1] * edge * pulse * wave


class Commands(Dataset):
    """Eight words as ``(Clip, label)``, with speakers of different pitch, size and pace, in noise at -5 to 20 dB.

    Clips last 0.2 to 0.7 s, at 8,000 samples a second. Clip ``i`` of a split follows from ``seed`` and ``i`` alone. ``count`` is the number
    of clips (1,600 to train on and 400 held out), ``transform`` is applied to each clip.

    >>> clip, label = Commands("test")[0]
    >>> clip.rate, WORDS[label]
    (8000, 'yes')
    """

    def __init__(
        self, split: str = "train", seed: int = 0, count: int | None = None, transform: Callable[[Clip], Any] | None = None
    ) -> None:
        if split not in ("train", "test"):
            raise ValueRangeError("Commands", f"there is no split {split!r}", "expected train or test")
        self.split, self.seed, self.transform = split, seed, transform
        self.count = {"train": 1600, "test": 400}[split] if count is None else count

    def __len__(self) -> int:
        return self.count

    def clip(self, index: int) -> Clip:
        """The clip as it is made, without the transform."""
        draw = np.random.default_rng([self.seed, self.split == "test", index])
        pitch, size, pace = draw.uniform(85, 230), draw.uniform(0.85, 1.18), draw.uniform(0.75, 1.3)
        sounds = [_voice(draw, sound, pitch, size, pace) for sound in _SOUNDS[WORDS[index % len(WORDS)]]]
        wave = np.concatenate([np.zeros(draw.integers(0, 800)), *sounds, np.zeros(draw.integers(0, 800))])
        noise = draw.normal(0, wave.std() * 10 ** (-draw.uniform(-5, 20) / 20), len(wave))
        wave = (wave + noise) * draw.uniform(0.1, 0.4)
        return Clip(dv.from_numpy(np.clip(wave, -1, 1).astype("float32")), RATE)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        if not -len(self) <= index < len(self):
            raise IndexError(f"Commands: index {index} is out of range of {len(self)} clips")
        index = int(index) % len(self)
        clip = self.clip(index)
        return (clip if self.transform is None else self.transform(clip)), index % len(WORDS)
