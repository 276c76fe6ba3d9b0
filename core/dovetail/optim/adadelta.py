"""Adadelta: steps in units of the parameters, without a global rate."""

from __future__ import annotations

from typing import Any

from ._multi import MultiTensorOptimizer, mean_square, update
from .optimizer import check, checked

__all__ = ["Adadelta", "adadelta_update"]


@update()
def adadelta_update(np: Any, p: Any, g: Any, t: Any, u: Any, square_avg: Any, acc_delta: Any, *, lr: float, rho: float, eps: float) -> None:
    """v = ρ v + (1 - ρ) g²; δ = √(d + ε) / √(v + ε) · g; d = ρ d + (1 - ρ) δ²; p -= lr · δ."""
    mean_square(np, square_avg, g, rho, t)
    np.add(square_avg, eps, out=t)
    np.sqrt(t, out=t)
    np.add(acc_delta, eps, out=u)
    np.sqrt(u, out=u)
    u /= t
    u *= g
    mean_square(np, acc_delta, u, rho, t)
    u *= lr
    p -= u


class Adadelta(MultiTensorOptimizer):
    """Adadelta: the step is the gradient times the ratio of running means of past steps and past gradients.

    Source: Zeiler, "ADADELTA: an adaptive learning rate method", 2012. Raises a ValueError for settings out of range.

    >>> import dovetail as dv
    >>> w = dv.nn.Parameter(dv.ones(2)); (w * 3).sum().backward()
    >>> dv.optim.Adadelta([w], rho=0.0, eps=0.0).step(); w.tolist()
    [1.0, 1.0]
    """

    rule = adadelta_update
    _last = "capturable foreach differentiable"

    def __init__(
        self, params: Any, lr: Any = 1.0, rho: float = 0.9, eps: float = 1e-6, weight_decay: float = 0,
        foreach: bool | None = None, *, capturable: bool = False, maximize: bool = False, differentiable: bool = False,
    ) -> None:  # fmt: skip
        defaults = checked(self, locals(), "lr", "eps", "weight_decay")
        check(0.0 <= rho <= 1.0, self, f"Invalid rho value: {rho}", "expected 0 <= rho <= 1")
        super().__init__(params, defaults)
