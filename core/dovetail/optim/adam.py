"""Adam, and the update that it shares with AdamW."""

from __future__ import annotations

from typing import Any

from ..autograd.node import CLASSES
from ._multi import Bunch, Form, MultiTensorOptimizer, update
from .optimizer import check, check_flags, check_lr, number

__all__ = ["Adam", "adam_update"]


@update
def adam_update(
    np: Any, p: Any, g: Any, t: Any, u: Any, exp_avg: Any, exp_avg_sq: Any, max_exp_avg_sq: Any = None, *,
    step_size: float, root_correction: float, beta1: float, beta2: float, eps: float, decay: float,
) -> None:  # fmt: skip
    """m += (1 - β₁)(g - m); v = β₂ v + (1 - β₂) g²; p -= step_size · m / (√v / root_correction + ε).

    decay is AdamW's factor 1 - lr λ on p, which comes first.
    """
    if decay != 1:
        p *= decay
    lerp(np, exp_avg, g, 1 - beta1, t)
    np.multiply(g, g, out=t)
    t *= 1 - beta2
    exp_avg_sq *= beta2
    exp_avg_sq += t
    if max_exp_avg_sq is not None:
        np.maximum(max_exp_avg_sq, exp_avg_sq, out=max_exp_avg_sq)
        exp_avg_sq = max_exp_avg_sq
    np.sqrt(exp_avg_sq, out=t)
    t /= root_correction
    t += eps
    np.divide(exp_avg, t, out=t)
    t *= step_size
    p -= t


def lerp(np: Any, a: Any, b: Any, weight: float, t: Any) -> None:
    """Move a towards b by this part of the way, computed from the nearer end."""
    np.subtract(b, a, out=t)
    if weight < 0.5:
        t *= weight
        a += t
    else:
        t *= 1 - weight
        np.subtract(b, t, out=a)


def check_betas(optimizer: Any, betas: Any) -> tuple[float, float]:
    """Refuse decay rates outside [0, 1), and a float beside a tensor."""
    first, second = (number(b) for b in betas)
    for i, value in enumerate((first, second)):
        check(0.0 <= value < 1.0, optimizer, f"Invalid beta parameter at index {i}: {value}", "expected 0 <= beta < 1")
    return first, second


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

    def __init__(
        self, params: Any, lr: Any = 1e-3, betas: tuple[Any, Any] = (0.9, 0.999), eps: float = 1e-8, weight_decay: float = 0,
        amsgrad: bool = False, *, foreach: bool | None = None, maximize: bool = False, capturable: bool = False,
        differentiable: bool = False, fused: bool | None = None, decoupled_weight_decay: bool = False,
    ) -> None:  # fmt: skip
        check_lr(self, lr)
        check(eps >= 0.0, self, f"Invalid epsilon value: {eps}", "expected eps >= 0")
        kinds = [b.__class__ in CLASSES for b in betas]
        checked = check_betas(self, betas)
        check(weight_decay >= 0.0, self, f"Invalid weight_decay value: {weight_decay}", "expected weight_decay >= 0")
        check(kinds[0] == kinds[1], self, "betas must be either both floats or both Tensors")
        check_flags(self, differentiable, fused, foreach)
        defaults = dict(
            lr=lr, betas=checked, eps=eps, weight_decay=weight_decay, amsgrad=amsgrad, maximize=maximize, foreach=foreach,
            capturable=capturable, differentiable=differentiable, fused=fused, decoupled_weight_decay=decoupled_weight_decay,
        )  # fmt: skip
        super().__init__(params, defaults)

    def _form(self, group: dict[str, Any]) -> Form:
        return _AMSGRAD if group["amsgrad"] else _PLAIN

    def _settings(self, group: dict[str, Any], bunch: Bunch) -> dict[str, Any]:
        counter = bunch.counts["step"]
        counter += 1
        step, lr, (beta1, beta2), decay = counter.item(0), number(group["lr"]), group["betas"], group["weight_decay"]
        decoupled = group["decoupled_weight_decay"]
        return {
            "step_size": lr / (1 - beta1**step),
            "root_correction": (1 - beta2**step) ** 0.5,
            "beta1": beta1,
            "beta2": beta2,
            "eps": group["eps"],
            "decay": 1 - lr * decay if decoupled and decay else 1,
            "l2": 0 if decoupled else decay,
        }


_PLAIN = Form(("exp_avg", "exp_avg_sq"), ("step",), {})
_AMSGRAD = Form(("exp_avg", "exp_avg_sq", "max_exp_avg_sq"), ("step",), {})
