"""Adamax: Adam by the infinity norm."""

from __future__ import annotations

from typing import Any

from ._multi import Bunch, Form, MultiTensorOptimizer, update
from .adam import check_betas, lerp
from .optimizer import check, check_flags, check_lr, number

__all__ = ["Adamax", "adamax_update"]


@update
def adamax_update(
    np: Any, p: Any, g: Any, t: Any, u: Any, exp_avg: Any, exp_inf: Any, *,
    lr: float, beta1: float, beta2: float, eps: float,
) -> None:  # fmt: skip
    """m += (1 - β₁)(g - m); n = max(β₂ n, |g| + ε); p -= lr · m / n."""
    lerp(np, exp_avg, g, 1 - beta1, t)
    exp_inf *= beta2
    np.abs(g, out=t)
    t += eps
    np.maximum(exp_inf, t, out=exp_inf)
    np.divide(exp_avg, exp_inf, out=t)
    t *= lr
    p -= t


class Adamax(MultiTensorOptimizer):
    """Adamax: Adam whose scale is a decaying maximum of the gradient's magnitude.

    Source: Kingma and Ba, "Adam: a method for stochastic optimization", 2014, section 7. Raises a ValueError for settings
    out of range.

    >>> import dovetail as dv
    >>> w = dv.nn.Parameter(dv.ones(2)); (w * 3).sum().backward()
    >>> dv.optim.Adamax([w], lr=0.25).step(); w.tolist()
    [0.75, 0.75]
    """

    rule = adamax_update

    def __init__(
        self, params: Any, lr: Any = 2e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8, weight_decay: float = 0,
        foreach: bool | None = None, *, maximize: bool = False, differentiable: bool = False, capturable: bool = False,
    ) -> None:  # fmt: skip
        check_lr(self, lr)
        check(eps >= 0.0, self, f"Invalid epsilon value: {eps}", "expected eps >= 0")
        check_betas(self, betas)
        check(weight_decay >= 0.0, self, f"Invalid weight_decay value: {weight_decay}", "expected weight_decay >= 0")
        check_flags(self, differentiable)
        defaults = dict(
            lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, foreach=foreach, maximize=maximize,
            differentiable=differentiable, capturable=capturable,
        )  # fmt: skip
        super().__init__(params, defaults)

    def _form(self, group: dict[str, Any]) -> Form:
        return _FORM

    def _settings(self, group: dict[str, Any], bunch: Bunch) -> dict[str, Any]:
        counter = bunch.counts["step"]
        counter += 1
        beta1, beta2 = group["betas"]
        rate = number(group["lr"]) / (1 - beta1 ** counter.item(0))
        return {"lr": rate, "beta1": beta1, "beta2": beta2, "eps": group["eps"], "l2": group["weight_decay"]}


_FORM = Form(("exp_avg", "exp_inf"), ("step",), {})
