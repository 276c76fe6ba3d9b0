"""NAdam: Adam with Nesterov's momentum."""

from __future__ import annotations

from typing import Any

from ._multi import Bunch, Form, MultiTensorOptimizer, update
from .adam import check_betas, lerp
from .optimizer import check, check_flags, check_lr, number

__all__ = ["NAdam", "nadam_update"]


@update
def nadam_update(
    np: Any, p: Any, g: Any, t: Any, u: Any, exp_avg: Any, exp_avg_sq: Any, *,
    grad_rate: float, mean_rate: float, correction: float, beta1: float, beta2: float, eps: float, decay: float,
) -> None:  # fmt: skip
    """m and v as Adam's; p -= (grad_rate · g + mean_rate · m) / (√(v / correction) + ε)."""
    if decay != 1:
        p *= decay
    lerp(np, exp_avg, g, 1 - beta1, t)
    np.multiply(g, g, out=t)
    t *= 1 - beta2
    exp_avg_sq *= beta2
    exp_avg_sq += t
    np.divide(exp_avg_sq, correction, out=t)
    np.sqrt(t, out=t)
    t += eps
    np.divide(g, t, out=u)
    u *= grad_rate
    p -= u
    np.divide(exp_avg, t, out=u)
    u *= mean_rate
    p -= u


class NAdam(MultiTensorOptimizer):
    """NAdam: Adam that looks ahead along its momentum, whose rate warms up as β₁ (1 - ½ · 0.96^(step · momentum_decay)).

    Source: Dozat, "Incorporating Nesterov momentum into Adam", 2016. Raises a ValueError for settings out of range.

    >>> import dovetail as dv
    >>> w = dv.nn.Parameter(dv.ones(2)); (w * 3).sum().backward()
    >>> adam = dv.optim.NAdam([w]); adam.step(); sorted(adam.state[w])
    ['exp_avg', 'exp_avg_sq', 'mu_product', 'step']
    """

    rule = nadam_update

    def __init__(
        self, params: Any, lr: Any = 2e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8, weight_decay: float = 0,
        momentum_decay: float = 4e-3, decoupled_weight_decay: bool = False, *, foreach: bool | None = None,
        maximize: bool = False, capturable: bool = False, differentiable: bool = False,
    ) -> None:  # fmt: skip
        check_lr(self, lr)
        check(eps >= 0.0, self, f"Invalid epsilon value: {eps}", "expected eps >= 0")
        check_betas(self, betas)
        check(weight_decay >= 0.0, self, f"Invalid weight_decay value: {weight_decay}", "expected weight_decay >= 0")
        check(momentum_decay >= 0.0, self, f"Invalid momentum_decay value: {momentum_decay}", "expected momentum_decay >= 0")
        check_flags(self, differentiable)
        defaults = dict(
            lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, momentum_decay=momentum_decay,
            decoupled_weight_decay=decoupled_weight_decay, maximize=maximize, foreach=foreach, capturable=capturable,
            differentiable=differentiable,
        )  # fmt: skip
        super().__init__(params, defaults)

    def _form(self, group: dict[str, Any]) -> Form:
        return _FORM

    def _settings(self, group: dict[str, Any], bunch: Bunch) -> dict[str, Any]:
        counter, product = bunch.counts["step"], bunch.counts["mu_product"]
        counter += 1
        step, lr, (beta1, beta2), decay = counter.item(0), number(group["lr"]), group["betas"], group["weight_decay"]
        mu, mu_next = (beta1 * (1.0 - 0.5 * 0.96 ** (s * group["momentum_decay"])) for s in (step, step + 1))
        product *= mu
        so_far, decoupled = product.item(0), group["decoupled_weight_decay"]
        return {
            "grad_rate": lr * (1.0 - mu) / (1.0 - so_far),
            "mean_rate": lr * mu_next / (1.0 - so_far * mu_next),
            "correction": 1 - beta2**step,
            "beta1": beta1,
            "beta2": beta2,
            "eps": group["eps"],
            "decay": 1 - lr * decay if decoupled and decay else 1,
            "l2": 0 if decoupled else decay,
        }


_FORM = Form(("exp_avg", "exp_avg_sq"), ("step", "mu_product"), {"mu_product": 1.0})
