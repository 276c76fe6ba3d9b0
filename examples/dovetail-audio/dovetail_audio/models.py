"""Models that listen."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from typing import Any

import dovetail as dv
from dovetail.errors import HashMismatch, ValueRangeError
from dovetail.extend import Module

__all__ = ["Wav2Small", "shipped", "wav2small"]

nn = dv.nn


class _Separable(Module):
    """A convolution of each channel by itself, then one across channels; the number of frames halves (rounded up)."""

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        self.depth = nn.Conv1d(channels, channels, 5, 2, 2, groups=channels, bias=False)
        self.point = nn.Conv1d(channels, out_channels, 1, bias=False)
        self.norm = nn.BatchNorm1d(out_channels)

    def forward(self, x: dv.Tensor) -> dv.Tensor:
        return nn.functional.hardswish(self.norm(self.point(self.depth(x))))


class Wav2Small(Module):
    """Words from log-mel frames: ``(N, n_mels, frames)``, and ``(N,)`` with how many frames count, to ``(N, num_classes)``.

    Frames that do not count have no influence: they are zero at every layer's input and are left out of the mean in time.
    """

    def __init__(self, n_mels: int = 40, num_classes: int = 8, width: int = 32) -> None:
        super().__init__()
        if min(n_mels, num_classes, width) < 1:
            what = f"n_mels is {n_mels}, num_classes is {num_classes} and width is {width}"
            raise ValueRangeError("Wav2Small", what, "expected 1 or more of each")
        self.scale = nn.BatchNorm1d(n_mels)
        self.stem = nn.Sequential(nn.Conv1d(n_mels, width, 5, 1, 2, bias=False), nn.BatchNorm1d(width), nn.Hardswish())
        self.blocks = nn.ModuleList([_Separable(width, width), _Separable(width, 2 * width), _Separable(2 * width, 2 * width)])
        self.head = nn.Linear(2 * width, num_classes)

    def forward(self, features: dv.Tensor, lengths: dv.Tensor | None = None) -> dv.Tensor:
        if lengths is None:
            lengths = dv.full((features.shape[0],), features.shape[-1], device=features.device)
        x = _only(self.scale(features), lengths)
        x = _only(self.stem(x), lengths)
        for block in self.blocks:
            lengths = (lengths + 1) // 2
            x = _only(block(x), lengths)
        return self.head(x.sum(-1) / lengths[:, None])


def _only(x: dv.Tensor, lengths: dv.Tensor) -> dv.Tensor:
    """``(N, channels, frames)`` with zeros from each row's length on."""
    counts = dv.arange(x.shape[-1], device=x.device) < lengths[:, None]
    return x * counts[:, None]


def shipped(entry: Any) -> dict[str, dv.Tensor]:
    """The tensors of weights that are part of the package; a HashMismatch when the file is not the one that was declared."""
    path = files("dovetail_audio") / entry.file
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != entry.sha256:
        raise HashMismatch(path, None, f"its SHA-256 is {found}; expected {entry.sha256}; install dovetail-audio again")
    return dv.load(str(path))


def wav2small(n_mels: int = 40, num_classes: int = 8, width: int = 32, weights: Any = None) -> Wav2Small:
    """Build the network, with trained weights when ``weights`` is an entry of `audio/wav2small@…`.

    ``python -m dovetail_audio.recipe`` trains them.
    """
    model = Wav2Small(n_mels, num_classes, width)
    if weights is not None:
        model.load_state_dict(shipped(weights))
    return model
