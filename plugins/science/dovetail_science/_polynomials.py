"""Orthogonal polynomials by their recurrences, and Chebyshev's of a high degree by angles, as PyTorch computes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dovetail import Tensor
from dovetail.extend import Array, op

from ._scipy import pair

__all__ = [
    "chebyshev_polynomial_t", "chebyshev_polynomial_u", "chebyshev_polynomial_v", "chebyshev_polynomial_w", "hermite_polynomial_h",
    "hermite_polynomial_he", "laguerre_polynomial_l", "legendre_polynomial_p", "shifted_chebyshev_polynomial_t",
    "shifted_chebyshev_polynomial_u", "shifted_chebyshev_polynomial_v", "shifted_chebyshev_polynomial_w",
]  # fmt: skip

_Angle = Callable[[Any, Any], Any]


def _by_recurrence(x: Any, n: Any, first: Any, next_one: Callable[..., Any]) -> Any:
    """``p₀ = 1``, ``p₁ = first``, ``pₖ₊₁ = next_one(k, x, pₖ, pₖ₋₁)``, each element up to its own degree."""
    before, now = np.ones_like(x), first
    out = np.where(n < 0, 0, np.where(n == 0, before, now))
    for k in range(1, int(n.max(initial=0))):
        before, now = now, next_one(k, x, now, before)
        out = np.where(n == k + 1, now, out)
    return out


def _made(
    name: str, summary: str, first: Callable[[Any], Any], next_one: Callable[..., Any], angle: _Angle | None = None, above: int = 0,
    shifted: bool = False,
) -> Callable[..., Tensor]:  # fmt: skip
    """A function of (input, n); ``angle(θ, n)`` gives degrees over ``above`` inside the interval, with ``cos θ = x``."""

    def forward(input: Array, n: Array) -> Array:
        x, order = np.broadcast_arrays(input, np.trunc(np.asarray(n, np.float64)))
        x = 2 * x - 1 if shifted else x
        inside = (order > above) & (np.abs(x) < 1) if angle else np.zeros(x.shape, bool)
        out = _by_recurrence(x, np.where(inside, 0, order), first(x), next_one)
        if angle and inside.any():
            out = np.where(inside, angle(np.arccos(np.where(inside, x, 0)), order.astype(x.dtype)), out)
        return np.asarray(out, input.dtype)

    forward.__name__ = forward.__qualname__ = f"_{name}"
    compute = op(dtypes="float", name=f"science/{name}")(forward)

    def polynomial(input: Any, n: Any, *, out: Tensor | None = None) -> Tensor:
        return pair(name, compute, input, n, out)

    polynomial.__name__ = polynomial.__qualname__ = name
    polynomial.__doc__ = f"{summary} of degree ``n`` at ``input``; 0 for a negative degree."
    return polynomial


def _double(k: int, x: Any, now: Any, before: Any) -> Any:
    return (x + x) * now - before


# kind: what it is called, p₁, p(cos θ), and the degree from which on PyTorch uses that
_CHEBYSHEV: dict[str, tuple[str, Callable[[Any], Any], _Angle, int]] = {
    "t": ("first", lambda x: x, lambda a, n: np.cos(n * a), 6),
    "u": ("second", lambda x: x + x, lambda a, n: np.sin((n + 1) * a) / np.sin(a), 8),
    "v": ("third", lambda x: x + x - 1, lambda a, n: np.cos((n + 0.5) * a) / np.cos(a / 2), 8),
    "w": ("fourth", lambda x: x + x + 1, lambda a, n: np.sin((n + 0.5) * a) / np.sin(a / 2), 8),
}


def _chebyshev(kind: str, shifted: bool = False) -> Callable[..., Tensor]:
    ordinal, first, angle, above = _CHEBYSHEV[kind]
    name = f"{'shifted_' if shifted else ''}chebyshev_polynomial_{kind}"
    summary = f"The Chebyshev polynomial of the {ordinal} kind{' on [0, 1]' if shifted else ''}"
    return _made(name, summary, first, _double, angle, above, shifted)


chebyshev_polynomial_t, chebyshev_polynomial_u = _chebyshev("t"), _chebyshev("u")
chebyshev_polynomial_v, chebyshev_polynomial_w = _chebyshev("v"), _chebyshev("w")
shifted_chebyshev_polynomial_t, shifted_chebyshev_polynomial_u = _chebyshev("t", True), _chebyshev("u", True)
shifted_chebyshev_polynomial_v, shifted_chebyshev_polynomial_w = _chebyshev("v", True), _chebyshev("w", True)
hermite_polynomial_h = _made(
    "hermite_polynomial_h", "The physicists' Hermite polynomial", lambda x: x + x,
    lambda k, x, now, before: (x + x) * now - 2 * k * before,
)  # fmt: skip
hermite_polynomial_he = _made(
    "hermite_polynomial_he", "The probabilists' Hermite polynomial", lambda x: x, lambda k, x, now, before: x * now - k * before
)
laguerre_polynomial_l = _made(
    "laguerre_polynomial_l", "The Laguerre polynomial", lambda x: 1 - x,
    lambda k, x, now, before: ((k + k + 1 - x) * now - k * before) / (k + 1),
)  # fmt: skip
legendre_polynomial_p = _made(
    "legendre_polynomial_p", "The Legendre polynomial", lambda x: x,
    lambda k, x, now, before: ((k + k + 1) * x * now - k * before) / (k + 1),
)  # fmt: skip
