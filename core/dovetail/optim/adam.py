"""Adam, and the update that it shares with AdamW."""

from __future__ import annotations

from typing import Any

from ..autograd.node import Tensor
from ._multi import Bunch, MultiTensorOptimizer, moments, update
from .optimizer import check, checked, number

__all__ = ["Adam", "adam_update"]


@update(max_exp_avg_sq="amsgrad")
def adam_update(
    np: Any, p: Any, g: Any, t: Any, u: Any, exp_avg: Any, exp_avg_sq: Any, max_exp_avg_sq: Any = None, *,
    step_size: float, root_correction: float, beta1: float, beta2: float, eps: float, decay: float,
) -> None:  # fmt: skip
    """m += (1 - β₁)(g - m); v = β₂ v + (1 - β₂) g²; p -= step_size · m / (√v / root_correction + ε).

    decay is AdamW's factor 1 - lr λ on p, which comes first.
    """
    moments(np, p, g, t, exp_avg, exp_avg_sq, beta1, beta2, decay)
    if max_exp_avg_sq is not None:
        np.maximum(max_exp_avg_sq, exp_avg_sq, out=max_exp_avg_sq)
        exp_avg_sq = max_exp_avg_sq
    np.sqrt(exp_avg_sq, out=t)
    t /= root_correction
    t += eps
    np.divide(exp_avg, t, out=t)
    t *= step_size
    p -= t


class Adam(MultiTensorOptimizer):
    """Adam: steps scaled by running means of the gradient and its square.

    Source: Kingma and Ba, "Adam: a method for stochastic optimization", 2014; amsgrad: Reddi et al., 2018. foreach,
    fused and capturable are accepted and change nothing. Raises a ValueError for settings out of range.

    >>> import dovetail as dv
    >>> w = dv.nn.Parameter(dv.ones(2)); (w * 3).sum().backward()
    >>> dv.optim.Adam([w], lr=0.5).step(); w.tolist()
    [0.5, 0.5]
    """

    rule = adam_update
    _last = "foreach capturable differentiable fused decoupled_weight_decay"

    def __init__(
        self, params: Any, lr: Any = 1e-3, betas: tuple[Any, Any] = (0.9, 0.999), eps: float = 1e-8, weight_decay: float = 0,
        amsgrad: bool = False, *, foreach: bool | None = None, maximize: bool = False, capturable: bool = False,
        differentiable: bool = False, fused: bool | None = None, decoupled_weight_decay: bool = False,
    ) -> None:  # fmt: skip
        defaults = checked(self, locals(), "lr", "eps", "betas", "weight_decay")
        for name, value in (("lr", lr), ("betas[0]", betas[0]), ("betas[1]", betas[1])):
            fits = capturable or not (foreach and isinstance(value, Tensor))
            check(fits, self, f"{name} as a Tensor is not supported for capturable=False and foreach=True")
        kind = next((kind for kind in (float, Tensor) if all(isinstance(beta, kind) for beta in betas)), None)
        check(kind is not None, self, f"betas must be either both floats or both Tensors, got {betas}")
        if kind is Tensor:
            defaults["betas"] = tuple(map(number, betas))
        super().__init__(params, defaults)

    def _rates(self, group: dict[str, Any], lr: float, step: int, bunch: Bunch) -> dict[str, Any]:
        beta1, beta2 = group["betas"]
        return {"step_size": lr / (1 - beta1**step), "root_correction": (1 - beta2**step) ** 0.5}
