"""Fourier transforms and windows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import dovetail as dv

from ..table import operator
from ..values import dtype, integers, number

__all__: list[str] = []


def _complex(input: Any) -> Any:
    """The last dimension holds real and imaginary part, or the real part alone."""
    if input.shape[-1] == 1:
        return dv.complex(input[..., 0], dv.zeros_like(input[..., 0]))
    return dv.complex(input[..., 0], input[..., 1])


def _transform(input: Any, length: int | None, axis: int, inverse: int, onesided: int) -> Any:
    kind = input.dtype
    x = _complex(input.float() if kind in (dv.float16, getattr(dv, "bfloat16", None)) else input)
    if inverse and onesided:
        out = dv.fft.irfft(x, n=length, dim=axis).unsqueeze(-1)
        return out.to(kind)
    out = (dv.fft.ifft if inverse else dv.fft.fft)(x, n=length, dim=axis)
    if onesided:
        out = out.narrow(axis, 0, out.shape[axis] // 2 + 1)
    return dv.view_as_real(out).to(kind)


@operator(since=20)
def DFT(input: Any, dft_length: Any = None, axis: Any = None, *, inverse: int = 0, onesided: int = 0) -> Any:
    length = None if dft_length is None else integers(dft_length)[0]
    dim = -2 if axis is None else integers(axis)[0]
    return _transform(input, length, dim % input.ndim, inverse, onesided)


@operator("DFT", since=17)
def DFT_17(input: Any, dft_length: Any = None, *, axis: int = 1, inverse: int = 0, onesided: int = 0) -> Any:
    return _transform(input, None if dft_length is None else integers(dft_length)[0], axis % input.ndim, inverse, onesided)


@operator()
def STFT(signal: Any, frame_step: Any, window: Any = None, frame_length: Any = None, *, onesided: int = 1) -> Any:
    step = integers(frame_step)[0]
    signal = signal.unsqueeze(-1) if signal.ndim == 2 else signal  # PyTorch's exporter leaves the dimension of 1 out
    length = integers(frame_length)[0] if frame_length is not None else window.shape[0]
    count = (signal.shape[1] - length) // step + 1
    frames = dv.stack([signal.narrow(1, at * step, length) for at in range(count)], 1)
    if window is not None:
        frames = frames * window.reshape(1, 1, -1, 1)
    return _transform(frames, None, 2, 0, onesided)


def _window(name: str, *factors: float) -> None:
    """Enter a window: a sum of cosines of multiples of the position, with these factors."""

    @operator(name)
    def call(size: Any, *, output_datatype: int = 1, periodic: int = 1) -> Any:
        count = int(number(size))
        x = 2 * math.pi * np.arange(count) / max(count if periodic else count - 1, 1)
        values = sum(factor * np.cos(at * x) for at, factor in enumerate(factors))
        return dv.from_numpy(np.asarray(values)).to(dtype(output_datatype))


_window("HannWindow", 0.5, -0.5)
_window("HammingWindow", 25 / 46, -21 / 46)
_window("BlackmanWindow", 0.42, -0.5, 0.08)
