"""Windows, by PyTorch's `torch.signal.windows`: symmetric by default, periodic with ``sym=False``.

>>> import dovetail as dv
>>> hann(5)
tensor([0.0000, 0.5000, 1.0000, 0.5000, 0.0000])
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import dovetail as dv
from dovetail import Tensor
from dovetail.errors import TypeMismatch, ValueRangeError

__all__ = [
    "bartlett", "blackman", "cosine", "exponential", "gaussian", "general_cosine", "general_hamming", "hamming", "hann", "kaiser",
    "nuttall",
]  # fmt: skip


def _options(name: str, M: int, dtype: Any, layout: Any, device: Any) -> tuple[Any, dict[str, Any]]:
    """The element type, and the options of the tensors to make; what no window can be is refused."""
    dtype = dv.get_default_dtype() if dtype is None else dtype
    if M < 0:
        raise ValueRangeError(name, f"M is {M}", "expected a length of 0 or more")
    if layout not in (None, dv.strided):
        raise ValueRangeError(name, f"layout is {layout}", "expected a strided one")
    if dtype not in (dv.float32, dv.float64):
        raise ValueRangeError(name, f"dtype is {dtype}", "expected float32 or float64")
    if M >= 2 and not isinstance(M, int):
        raise TypeMismatch(name, f"M is {M}", "expected an int")
    return dtype, {"dtype": dtype, "device": device}


def _line(M: int, start: Any, step: Any, options: dict[str, Any]) -> Tensor:
    """``start, start + step, …``, M of them."""
    return dv.linspace(start=start, end=start + (M - 1) * step, steps=M, **options)


def _done(window: Tensor, requires_grad: bool) -> Tensor:
    return window.requires_grad_(requires_grad) if requires_grad else window


def general_cosine(
    M: int, *, a: Sequence[float], sym: bool = True, dtype: Any = None, layout: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """A sum of cosines, ``w(n) = Σ_i (-1)^i a_i cos(2π i n / (M - 1))``."""
    _, options = _options("general_cosine", M, dtype, layout, device)
    if M < 2:
        return dv.ones((M,), requires_grad=requires_grad, **options)
    if not isinstance(a, Sequence):
        raise TypeMismatch("general_cosine", f"a is {type(a).__name__}", "expected a list or a tuple")
    if not a:
        raise ValueRangeError("general_cosine", "a is empty", "expected one coefficient or more")
    k = _line(M, 0, 2 * math.pi / (M - 1 if sym else M), options)
    weights = dv.tensor([(-1) ** i * w for i, w in enumerate(a)], **options)
    i = dv.arange(weights.shape[0], **options)
    return _done((weights.unsqueeze(-1) * dv.cos(i.unsqueeze(-1) * k)).sum(0), requires_grad)


def general_hamming(
    M: int, *, alpha: float = 0.54, sym: bool = True, dtype: Any = None, layout: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """``w(n) = alpha - (1 - alpha) cos(2π n / (M - 1))``."""
    weights = [alpha, 1.0 - alpha]
    return general_cosine(M, a=weights, sym=sym, dtype=dtype, layout=layout, device=device, requires_grad=requires_grad)


def _of_cosines(name: str, a: list[float], summary: str) -> Callable[..., Tensor]:
    """The window with these coefficients."""

    def window(
        M: int, *, sym: bool = True, dtype: Any = None, layout: Any = None, device: Any = None, requires_grad: bool = False
    ) -> Tensor:
        return general_cosine(M, a=a, sym=sym, dtype=dtype, layout=layout, device=device, requires_grad=requires_grad)

    window.__name__ = window.__qualname__ = name
    window.__doc__ = summary
    return window


hamming = _of_cosines("hamming", [0.54, 1.0 - 0.54], "The Hamming window, a general Hamming window of 0.54.")
hann = _of_cosines("hann", [0.5, 0.5], "The Hann window, ``½ (1 - cos(2π n / (M - 1)))``.")
blackman = _of_cosines("blackman", [0.42, 0.5, 0.08], "The Blackman window, of the coefficients 0.42, 0.5 and 0.08.")
nuttall = _of_cosines("nuttall", [0.3635819, 0.4891775, 0.1365995, 0.0106411], "Nuttall's minimum 4-term Blackman-Harris window.")


def bartlett(M: int, *, sym: bool = True, dtype: Any = None, layout: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """The triangular window, ``1 - |2n / (M - 1) - 1|``."""
    _, options = _options("bartlett", M, dtype, layout, device)
    if M < 2:
        return dv.ones((M,), requires_grad=requires_grad, **options)
    k = _line(M, -1, 2 / (M if not sym else M - 1), options)
    return _done(1 - dv.abs(k), requires_grad)


def cosine(M: int, *, sym: bool = True, dtype: Any = None, layout: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Half a sine wave, ``sin(π (n + ½) / M)``."""
    _, options = _options("cosine", M, dtype, layout, device)
    if M == 0:
        return dv.empty((0,), requires_grad=requires_grad, **options)
    step = math.pi / (M + 1 if not sym and M > 1 else M)
    return _done(dv.sin(_line(M, 0.5 * step, step, options)), requires_grad)


def exponential(
    M: int,
    *,
    center: float | None = None,
    tau: float = 1.0,
    sym: bool = True,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """``exp(-|n - center| / tau)``; a centre of one's own goes with ``sym=False`` only."""
    _, options = _options("exponential", M, dtype, layout, device)
    if tau <= 0:
        raise ValueRangeError("exponential", f"tau is {tau}", "expected a positive number")
    if sym and center is not None:
        raise ValueRangeError("exponential", f"center is {center} and the window is symmetric", "expected None", "pass sym=False")
    if M == 0:
        return dv.empty((0,), requires_grad=requires_grad, **options)
    middle = (M if not sym and M > 1 else M - 1) / 2.0 if center is None else center
    return _done(dv.exp(-dv.abs(_line(M, -middle / tau, 1 / tau, options))), requires_grad)


def gaussian(
    M: int, *, std: float = 1.0, sym: bool = True, dtype: Any = None, layout: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """``exp(-(n - (M-1)/2)² / (2 std²))``."""
    _, options = _options("gaussian", M, dtype, layout, device)
    if std <= 0:
        raise ValueRangeError("gaussian", f"std is {std}", "expected a positive number")
    if M == 0:
        return dv.empty((0,), requires_grad=requires_grad, **options)
    scale = 1 / (std * math.sqrt(2))
    start = -(M if not sym and M > 1 else M - 1) / 2.0
    return _done(dv.exp(-(_line(M, start * scale, scale, options) ** 2)), requires_grad)


def kaiser(
    M: int, *, beta: float = 12.0, sym: bool = True, dtype: Any = None, layout: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """The Kaiser window, ``I₀(beta √(1 - (2n / (M-1) - 1)²)) / I₀(beta)``."""
    dtype, options = _options("kaiser", M, dtype, layout, device)
    if beta < 0:
        raise ValueRangeError("kaiser", f"beta is {beta}", "expected 0 or more")
    if M < 2:
        return dv.ones((M,), requires_grad=requires_grad, **options)
    whole = dv.tensor(beta, **options)
    k = _line(M, -whole.item(), 2.0 * whole.item() / (M if not sym else M - 1), options)
    inside = dv.clamp(whole * whole - k * k, min=0)
    return _done(dv.i0(dv.sqrt(inside)) / dv.i0(whole), requires_grad)
