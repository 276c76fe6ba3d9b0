"""Adadelta: steps in units of the parameters, without a global rate."""

from __future__ import annotations

from typing import Any

from ._multi import Bunch, Form, MultiTensorOptimizer, update
from .optimizer import check, check_flags, check_lr, number

__all__ = ["Adadelta", "adadelta_update"]


@update
def adadelta_update(np: Any, p: Any, g: Any, t: Any, u: Any, square_avg: Any, acc_delta: Any, *, lr: float, rho: float, eps: float) -> None:
    """v = ρ v + (1 - ρ) g²; δ = √(d + ε) / √(v + ε) · g; d = ρ d + (1 - ρ) δ²; p -= lr · δ."""
    square_avg *= rho
    np.multiply(g, g, out=t)
    t *= 1 - rho
    square_avg += t
    np.add(square_avg, eps, out=t)
    np.sqrt(t, out=t)
    np.add(acc_delta, eps, out=u)
    np.sqrt(u, out=u)
    u /= t
    u *= g
    acc_delta *= rho
    np.multiply(u, u, out=t)
    t *= 1 - rho
    acc_delta += t
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

    def __init__(
        self, params: Any, lr: Any = 1.0, rho: float = 0.9, eps: float = 1e-6, weight_decay: float = 0,
        foreach: bool | None = None, *, capturable: bool = False, maximize: bool = False, differentiable: bool = False,
    ) -> None:  # fmt: skip
        check_lr(self, lr)
        check(0.0 <= rho <= 1.0, self, f"Invalid rho value: {rho}", "expected 0 <= rho <= 1")
        check(eps >= 0.0, self, f"Invalid epsilon value: {eps}", "expected eps >= 0")
        check(weight_decay >= 0.0, self, f"Invalid weight_decay value: {weight_decay}", "expected weight_decay >= 0")
        check_flags(self, differentiable)
        defaults = dict(
            lr=lr, rho=rho, eps=eps, weight_decay=weight_decay, maximize=maximize, capturable=capturable, foreach=foreach,
            differentiable=differentiable,
        )  # fmt: skip
        super().__init__(params, defaults)

    def _form(self, group: dict[str, Any]) -> Form:
        return _FORM

    def _settings(self, group: dict[str, Any], bunch: Bunch) -> dict[str, Any]:
        bunch.counts["step"] += 1
        return {"lr": number(group["lr"]), "rho": group["rho"], "eps": group["eps"], "l2": group["weight_decay"]}


_FORM = Form(("square_avg", "acc_delta"), ("step",), {})
