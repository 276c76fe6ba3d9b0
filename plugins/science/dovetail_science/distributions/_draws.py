"""Gamma and Dirichlet draws that follow PyTorch's random stream, with gradients to their parameters.

The gradient of a draw x to a parameter a is that of the quantile function at a fixed probability, ``dx/da = -(dF/da) / p(x)`` (implicit
reparameterization, Figurnov et al., 2018), here by a central difference of SciPy's quantile functions, good to about nine digits.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import dovetail as dv
from dovetail import Tensor
from dovetail.autograd import Function
from dovetail.errors import UnsupportedError

__all__: list[str] = []

# PyTorch writes these constants as float32 and computes in float64, and the stream shows it.
_SQUEEZE = float(np.float32(0.0331))
_THIRD = float(np.float32(1) / np.float32(3))


class _Single:
    """The stream, one number at a time."""

    def uniform(self) -> float:
        return dv.rand((), dtype=dv.float64).item()

    def normal(self) -> float:
        return dv.randn((), dtype=dv.float64).item()

    def close(self) -> None:
        pass


class _Block:
    """The same numbers drawn ahead in blocks, for many draws; `close` leaves the stream as if they had been drawn one at a time.

    Normal numbers come in pairs (Box and Muller) of which the stream keeps the second one for the next call.
    """

    def __init__(self, expected: int) -> None:
        self.start, single = dv.get_rng_state(), _Single()
        kept, after = single.normal(), single.uniform()
        dv.set_rng_state(self.start)
        self.had_kept = single.uniform() == after  # the normal number took nothing from the stream
        self.kept: float | None = kept if self.had_kept else None
        self.used, self.pair_at = 0, -1
        dv.set_rng_state(self.start)
        self.ahead = dv.rand(expected, dtype=dv.float64).tolist()

    def uniform(self) -> float:
        if self.used == len(self.ahead):
            self.ahead += dv.rand(len(self.ahead), dtype=dv.float64).tolist()
        self.used += 1
        return self.ahead[self.used - 1]

    def normal(self) -> float:
        if self.kept is not None:
            value, self.kept = self.kept, None
            return value
        self.pair_at = self.used
        angle, u = 2.0 * math.pi * self.uniform(), self.uniform()
        radius = math.sqrt(-2.0 * math.log1p(-u))
        self.kept = radius * math.sin(angle)
        return radius * math.cos(angle)

    def close(self) -> None:
        dv.set_rng_state(self.start)
        single, behind = _Single(), self.used
        if self.had_kept and (self.kept is None or self.pair_at >= 0):
            single.normal()
        if self.pair_at >= 0:
            dv.rand(self.pair_at, dtype=dv.float64)
            single.normal()
            if self.kept is None:
                single.normal()
            behind -= self.pair_at + 2
        dv.rand(behind, dtype=dv.float64)


def _one_gamma(alpha: float, stream: _Single | _Block) -> float:
    """One draw by rejection (Marsaglia and Tsang, 2000); a shape below one is raised by one and the draw scaled down."""
    scale = 1.0
    if alpha < 1:
        if alpha == 0:
            return 0.0
        scale = (1 - stream.uniform()) ** (1 / alpha)
        alpha += 1
    d = alpha - _THIRD
    c = 1 / math.sqrt(9 * d)
    while True:
        y = 0.0
        while y <= 0:
            x = stream.normal()
            y = 1 + c * x
        v = y * y * y
        u = 1 - stream.uniform()
        xx = x * x
        if u < 1 - _SQUEEZE * xx * xx or math.log(u) < 0.5 * xx + d * (1 - v + math.log(v)):
            return scale * d * v


def _gammas(alpha: Tensor) -> Tensor:
    if alpha.dtype not in (dv.float32, dv.float64):
        raise UnsupportedError("distributions", f"gamma draws are not implemented for {alpha.dtype}", "expected float32 or float64")
    shapes = alpha.double().flatten().tolist()
    stream = _Single() if len(shapes) < 16 else _Block(3 * len(shapes))
    values = [_one_gamma(a, stream) for a in shapes]
    stream.close()
    return dv.tensor(values, dtype=dv.float64, device=alpha.device).reshape(alpha.shape)


def _slope(lower: Any, upper: Any, quantile: Any, other: Any, a: Any) -> Any:
    """d(quantile)/da at the probabilities of a draw; the nearer tail is used, where the probability has all its digits."""
    h = 1e-4 * a
    p, q = lower(a), upper(a)
    near = p <= 0.5
    with np.errstate(all="ignore"):
        rise = np.where(near, quantile(a + h, p) - quantile(a - h, p), other(a + h, q) - other(a - h, q))
    return np.nan_to_num(rise / (2 * h))


class _Gamma(Function):
    """Draws of Gamma(alpha, 1)."""

    @staticmethod
    def forward(ctx: Any, alpha: Tensor) -> Tensor:
        out = _gammas(alpha).to(alpha.dtype)
        tiny = dv.finfo(alpha.dtype).tiny
        out = dv.where(out > tiny, out, tiny)  # NaN too
        ctx.save_for_backward(alpha, out)
        return out

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        from scipy.special import gammainc, gammaincc, gammainccinv, gammaincinv

        alpha, out = ctx.saved_tensors
        x = out.detach().double().numpy()
        slope = _slope(lambda a: gammainc(a, x), lambda a: gammaincc(a, x), gammaincinv, gammainccinv, alpha.detach().double().numpy())
        return g * dv.from_numpy(np.asarray(slope)).to(alpha.dtype)


class _Dirichlet(Function):
    """Draws of a Dirichlet; the gradient follows each share as the Beta variable that it is."""

    @staticmethod
    def forward(ctx: Any, concentration: Tensor) -> Tensor:
        gammas = _gammas(concentration).clamp(min=dv.finfo(dv.float64).tiny)  # of very small shapes all may be zero
        f = dv.finfo(concentration.dtype)
        out = (gammas / gammas.sum(-1, keepdim=True)).to(concentration.dtype).clamp(min=f.tiny, max=1 - f.eps / 2)
        ctx.save_for_backward(concentration, out)
        return out

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        from scipy.special import betainc, betaincc, betainccinv, betaincinv

        concentration, out = ctx.saved_tensors
        alpha = concentration.detach().double().numpy()
        beta = alpha.sum(-1, keepdims=True) - alpha
        x = out.detach().double().numpy()
        slope = _slope(
            lambda a: betainc(a, beta, x), lambda a: betaincc(a, beta, x),
            lambda a, p: betaincinv(a, beta, p), lambda a, q: betainccinv(a, beta, q), alpha,
        )  # fmt: skip
        grad = dv.from_numpy(np.asarray(slope / (1 - x))).to(concentration.dtype)
        return grad * (g - (out * g).sum(-1, True))


def _standard_gamma(alpha: Tensor) -> Tensor:
    """Draw from Gamma(alpha, 1), element by element."""
    return _Gamma.apply(alpha)
