"""Spectra of short frames of a signal: stft."""

from __future__ import annotations

from typing import Any

from ..autograd.node import CLASSES, Tensor
from ..errors import DtypeError, ShapeError, TypeMismatch, UnsupportedError
from ._keywords import once
from .complex import view_as_real
from .pad import pad
from .spectral import fft_c2c, fft_r2c
from .strides import unfold

__all__ = ["stft"]


def window_of(where: str, n_fft: int, win_length: int, window: Any, like: Tensor) -> Tensor:
    """The window in the middle of a frame."""
    if not 0 < win_length <= n_fft:
        raise ShapeError(where, f"expected 0 < win_length <= n_fft, but got win_length={win_length}", f"n_fft is {n_fft}")
    if window is None:
        once("A window was not provided. A rectangular window will be applied. To suppress this warning, pass window=torch.ones(n_fft)")
        window = like.real.new_ones(win_length)
    if window.__class__ not in CLASSES:
        raise TypeMismatch(f"{where}()", f"argument 'window' must be Tensor, not {type(window).__name__}")
    if window._a.shape != (win_length,):
        what = f"expected a 1D window tensor of size equal to win_length={win_length}, but got window with size {list(window._a.shape)}"
        raise ShapeError(where, what)
    left = (n_fft - win_length) // 2
    window = window.to(like.real.dtype) if window._a.dtype.kind in "iub" else window
    return pad(window, (left, n_fft - win_length - left))


def stft(
    input: Tensor, n_fft: int, hop_length: int | None = None, win_length: int | None = None, window: Tensor | None = None,
    center: bool = True, pad_mode: str = "reflect", normalized: bool = False, onesided: bool | None = None,
    return_complex: bool | None = None, align_to_window: bool | None = None,
) -> Tensor:  # fmt: skip
    """The Fourier transforms of frames of a signal (L) or (B, L), `hop_length` apart: (B, frequencies, frames).

    Frames are `n_fft` long (`hop_length` a quarter of that) and multiplied by `window`, whose `win_length` elements stand in their
    middle. With `center` the signal is padded so that frame t is centred on ``t · hop_length``; `onesided` keeps ``n_fft // 2 + 1``
    frequencies. Raises a RuntimeError for lengths that do not fit, and for a real signal without `return_complex`.

    >>> import dovetail as dv
    >>> dv.stft(dv.tensor([1., 0., 0., 0.]), 2, 2, window=dv.ones(2), center=False, return_complex=True)
    tensor([[1.+0.j, 0.+0.j],
            [1.+0.j, 0.+0.j]])
    """
    if not isinstance(normalized, bool):
        raise TypeMismatch("stft()", f"argument 'normalized' must be bool, not {type(normalized).__name__}")
    shape, hop, size = input._a.shape, n_fft // 4 if hop_length is None else hop_length, n_fft if win_length is None else win_length
    if center and align_to_window is not None:
        raise ShapeError("stft", "align_to_window should only be set when center = false")
    if input._a.dtype.char not in "fdFD":
        raise DtypeError("stft", "expected a tensor of floating point or complex values", "", "convert with .float()")
    if len(shape) not in (1, 2):
        kind = UnsupportedError if center and len(shape) > 3 else ShapeError  # PyTorch pads first, and cannot
        raise kind("stft", f"expected a 1D or 2D tensor, but got shape {list(shape)}")
    if center and pad_mode != "constant" and not input._a.size:
        raise ShapeError("stft", f"Expected a signal that is not empty to pad, but got shape {list(shape)}")
    margin = n_fft // 2 if center else (n_fft - size) // 2 if align_to_window else 0
    signal = pad(input.reshape((1, *(1,) * (2 - len(shape)), *shape)), (margin, margin), pad_mode if center else "constant")[0]
    if not 0 < n_fft <= signal._a.shape[-1]:
        raise ShapeError("stft", f"expected 0 < n_fft < {signal._a.shape[-1]}, but got n_fft={n_fft}")
    if hop <= 0:
        raise ShapeError("stft", f"expected hop_length > 0, but got hop_length={hop}")
    frames = unfold(signal, -1, n_fft, hop) * window_of("stft", n_fft, size, window, input)
    if return_complex is None and not frames.is_complex():
        raise ShapeError("stft", "requires the return_complex parameter be given for real inputs", "", "pass return_complex=True")
    if onesided and frames.is_complex():
        raise ShapeError("stft", "Cannot have onesided output if window or input is complex")
    half, norm = onesided is not False and not frames.is_complex(), "ortho" if normalized else "backward"
    out = (fft_r2c(frames, (2,), norm) if half else fft_c2c(frames, (2,), norm, False)).mT
    out = out if len(shape) == 2 else out[0]
    if return_complex is False:
        once("stft with return_complex=False is deprecated: view_as_real of the complex result is what it gives")
    return view_as_real(out) if return_complex is False else out
