"""NAdam: Adam with Nesterov's momentum."""

from __future__ import annotations

from typing import Any

from ._multi import Bunch, MultiTensorOptimizer, moments, update
from .optimizer import checked

__all__ = ["NAdam", "nadam_update"]


@update()
def nadam_update(
    np: Any, p: Any, g: Any, t: Any, u: Any, exp_avg: Any, exp_avg_sq: Any, *,
    grad_rate: float, mean_rate: float, correction: float, beta1: float, beta2: float, eps: float, decay: float,
) -> None:  # fmt: skip
    """m and v as Adam's; p -= (grad_rate · g + mean_rate · m) / (√(v / correction) + ε)."""
    moments(np, p, g, t, exp_avg, exp_avg_sq, beta1, beta2, decay)
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
    _last = "foreach capturable differentiable"

    def __init__(
        self, params: Any, lr: Any = 2e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8, weight_decay: float = 0,
        momentum_decay: float = 4e-3, decoupled_weight_decay: bool = False, *, foreach: bool | None = None,
        maximize: bool = False, capturable: bool = False, differentiable: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(params, checked(self, locals(), "lr", "eps", "betas", "weight_decay", "momentum_decay"))

    def _start(self, group: dict[str, Any]) -> dict[str, float]:
        return {"step": 0.0, "mu_product": 1.0}

    def _rates(self, group: dict[str, Any], lr: float, step: int, bunch: Bunch) -> dict[str, Any]:
        (beta1, beta2), product = group["betas"], bunch.counts["mu_product"]
        mu, mu_next = (beta1 * (1.0 - 0.5 * 0.96 ** (s * group["momentum_decay"])) for s in (step, step + 1))
        product *= mu
        so_far = product.item(0)
        grad_rate, mean_rate = lr * (1.0 - mu) / (1.0 - so_far), lr * mu_next / (1.0 - so_far * mu_next)
        return {"grad_rate": grad_rate, "mean_rate": mean_rate, "correction": 1 - beta2**step}
