"""The signal of spectra of its frames: ``dovetail.istft``."""

from __future__ import annotations

from ..autograd.node import Tensor
from ..errors import RangeError, ShapeError
from ._guard import public_function
from ._keywords import once
from .frames import window_of
from .pad import pad
from .spectral import fft_c2c, fft_c2r
from .strides import unfold_grad

__all__ = ["istft"]


@public_function
def istft(
    input: Tensor, n_fft: int, hop_length: int | None = None, win_length: int | None = None, window: Tensor | None = None,
    center: bool = True, normalized: bool = False, onesided: bool | None = None, length: int | None = None,
    return_complex: bool = False,
) -> Tensor:  # fmt: skip
    """The signal whose :func:`stft` comes nearest to these spectra: (B, frequencies, frames) → (B, L). Griffin and Lim, 1984.

    `length` cuts the signal or fills it with zeros. Raises a RuntimeError for spectra that are not complex, for lengths that do not
    fit, and where the windows add up to zero.

    >>> import dovetail as dv
    >>> w = dv.hann_window(4)
    >>> dv.istft(dv.stft(dv.arange(6.), 4, window=w, return_complex=True), 4, window=w).round(decimals=4)
    tensor([0., 1., 2., 3., 4., 5.])
    """
    hop, size = n_fft // 4 if hop_length is None else hop_length, n_fft if win_length is None else win_length
    if not input.is_complex():
        raise ShapeError("istft", "requires a complex-valued input tensor matching the output from stft with return_complex=True.")
    if input.ndim < 2:
        raise RangeError("istft", f"Dimension out of range: expected 2 or 3 dimensions, but got {input.ndim}")
    if input.numel() == 0 or input.ndim not in (2, 3):
        raise ShapeError("istft", f"expected a tensor with 2 or 3 dimensions that is not empty, but got shape {list(input.shape)}")
    half = input.shape[-2] != n_fft if onesided is None else onesided
    if input.shape[-2] != (n_fft // 2 + 1 if half else n_fft):
        what = f"expected the frequency dimension of the input tensor to match n_fft{' / 2 + 1' if half else ''} when onesided={bool(half)}"
        raise ShapeError("istft", f"{what}, but got {input.shape[-2]}")
    if not 0 < hop <= size:
        raise ShapeError("istft", f"expected 0 < hop_length <= win_length, but got {hop} and {size}")
    window = window_of("istft", n_fft, size, window, input)
    if return_complex and half:
        raise ShapeError("istft", "Cannot have onesided output if window or input is complex")
    if not return_complex and window.is_complex():
        raise ShapeError("istft", "Complex windows are incompatible with return_complex=False")
    spectra, norm = (input if input.ndim == 3 else input[None]).mT, "ortho" if normalized else "backward"
    frames = fft_c2c(spectra, (2,), norm, True) if return_complex else fft_c2r(spectra[..., : n_fft // 2 + 1], (2,), norm, n_fft)
    total, first = n_fft + hop * (spectra.shape[1] - 1), n_fft // 2 if center else 0
    last = total - first if length is None else first + length
    weight = (window * window).expand(1, spectra.shape[1], n_fft)
    out, weight = (unfold_grad(x, (len(x), total), 1, n_fft, hop)[:, first:last] for x in (frames * window, weight))
    if not weight.numel() or float(weight.detach().abs().min()) <= 1e-11:
        raise ShapeError("istft", "window overlap add min: 1", "", "check center, hop_length and the window")
    if last > total:
        once("The length of signal is shorter than the length parameter. Result is being padded with zeros in the tail.", 5)
    out = pad(out / weight, (0, max(last - total, 0)))
    return out if input.ndim == 3 else out[0]
