"""RAdam: Adam that holds back its scaling until the variance of the scale is known."""

from __future__ import annotations

from typing import Any

from ._multi import Bunch, MultiTensorOptimizer, moments, update
from .optimizer import checked

__all__ = ["RAdam", "radam_update"]


@update()
def radam_update(
    np: Any, p: Any, g: Any, t: Any, u: Any, exp_avg: Any, exp_avg_sq: Any, *, lr: float, correction: float,
    root_correction: float, rectification: float | None, beta1: float, beta2: float, eps: float, decay: float,
) -> None:  # fmt: skip
    """m and v as Adam's; p -= lr · m / correction · (root_correction / (√v + ε) · rectification, once that is defined)."""
    moments(np, p, g, t, exp_avg, exp_avg_sq, beta1, beta2, decay)
    np.divide(exp_avg, correction, out=u)
    u *= lr
    if rectification is not None:
        np.sqrt(exp_avg_sq, out=t)
        t += eps
        np.divide(root_correction, t, out=t)
        u *= t
        u *= rectification
    p -= u


class RAdam(MultiTensorOptimizer):
    """RAdam: plain momentum at first, then Adam times a rectification term that grows towards one.

    Source: Liu et al., "On the variance of the adaptive learning rate and beyond", 2019. Raises a ValueError for settings
    out of range.

    >>> import dovetail as dv
    >>> w = dv.nn.Parameter(dv.ones(2)); (w * 2).sum().backward()
    >>> dv.optim.RAdam([w], lr=0.25).step(); w.tolist()
    [0.5, 0.5]
    """

    rule = radam_update
    _last = "foreach capturable decoupled_weight_decay differentiable"

    def __init__(
        self, params: Any, lr: Any = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8, weight_decay: float = 0,
        decoupled_weight_decay: bool = False, *, foreach: bool | None = None, maximize: bool = False, capturable: bool = False,
        differentiable: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(params, checked(self, locals(), "lr", "eps", "betas", "weight_decay"))

    def _rates(self, group: dict[str, Any], lr: float, step: int, bunch: Bunch) -> dict[str, Any]:
        beta1, beta2 = group["betas"]
        left, longest, rectification = 1 - beta2**step, 2 / (1 - beta2) - 1, None
        length = longest - 2 * step * beta2**step / left  # of the simple mean that has the same variance
        if length > 5.0:
            rectification = ((length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)) ** 0.5
        return {"lr": lr, "correction": 1 - beta1**step, "root_correction": left**0.5, "rectification": rectification}
