"""Adamax: Adam by the infinity norm."""

from __future__ import annotations

from typing import Any

from ._multi import Bunch, MultiTensorOptimizer, lerp, update
from .optimizer import checked

__all__ = ["Adamax", "adamax_update"]


@update()
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
        super().__init__(params, checked(self, locals(), "lr", "eps", "betas", "weight_decay"))

    def _rates(self, group: dict[str, Any], lr: float, step: int, bunch: Bunch) -> dict[str, Any]:
        return {"lr": lr / (1 - group["betas"][0] ** step)}
