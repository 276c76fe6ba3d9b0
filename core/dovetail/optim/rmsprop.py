"""RMSprop: steps scaled by a running mean of squared gradients."""

from __future__ import annotations

from typing import Any

from ._multi import Bunch, Form, MultiTensorOptimizer, update
from .adam import lerp
from .optimizer import check, check_flags, check_lr, number

__all__ = ["RMSprop", "rmsprop_update"]


@update
def rmsprop_update(
    np: Any, p: Any, g: Any, t: Any, u: Any, square_avg: Any, *more: Any,
    lr: float, alpha: float, eps: float, momentum: float, centered: bool,
) -> None:  # fmt: skip
    """v = α v + (1 - α) g²; p -= lr · g / (√v + ε); centered: √(v - mean²); more: the momentum buffer, the mean."""
    square_avg *= alpha
    np.multiply(g, g, out=t)
    t *= 1 - alpha
    square_avg += t
    if centered:
        mean = more[-1]
        lerp(np, mean, g, 1 - alpha, t)
        np.multiply(mean, mean, out=t)
        np.subtract(square_avg, t, out=t)
        np.sqrt(t, out=t)
    else:
        np.sqrt(square_avg, out=t)
    t += eps
    np.divide(g, t, out=t)
    if momentum > 0:
        buffer = more[0]
        buffer *= momentum
        buffer += t
        np.multiply(buffer, lr, out=t)
    else:
        t *= lr
    p -= t


class RMSprop(MultiTensorOptimizer):
    """RMSprop: ``p -= lr · g / (√v + ε)`` with v the running mean of g²; centered subtracts the squared mean of g.

    Source: Tieleman and Hinton, lecture 6.5 of "Neural networks for machine learning", 2012; centered: Graves, 2013.
    Raises a ValueError for settings out of range.

    >>> import dovetail as dv
    >>> w = dv.nn.Parameter(dv.ones(2)); (w * 3).sum().backward()
    >>> dv.optim.RMSprop([w], lr=0.25, alpha=0.0).step(); w.tolist()
    [0.75, 0.75]
    """

    rule = rmsprop_update

    def __init__(
        self, params: Any, lr: Any = 1e-2, alpha: float = 0.99, eps: float = 1e-8, weight_decay: float = 0, momentum: float = 0,
        centered: bool = False, capturable: bool = False, foreach: bool | None = None, maximize: bool = False,
        differentiable: bool = False,
    ) -> None:  # fmt: skip
        check_lr(self, lr)
        check(eps >= 0.0, self, f"Invalid epsilon value: {eps}", "expected eps >= 0")
        check(momentum >= 0.0, self, f"Invalid momentum value: {momentum}", "expected momentum >= 0")
        check(weight_decay >= 0.0, self, f"Invalid weight_decay value: {weight_decay}", "expected weight_decay >= 0")
        check(alpha >= 0.0, self, f"Invalid alpha value: {alpha}", "expected alpha >= 0")
        check_flags(self, differentiable)
        defaults = dict(
            lr=lr, momentum=momentum, alpha=alpha, eps=eps, centered=centered, weight_decay=weight_decay, capturable=capturable,
            foreach=foreach, maximize=maximize, differentiable=differentiable,
        )  # fmt: skip
        super().__init__(params, defaults)

    def _form(self, group: dict[str, Any]) -> Form:
        return _FORMS[group["momentum"] > 0, bool(group["centered"])]

    def _settings(self, group: dict[str, Any], bunch: Bunch) -> dict[str, Any]:
        bunch.counts["step"] += 1
        return {
            "lr": number(group["lr"]),
            "alpha": group["alpha"],
            "eps": group["eps"],
            "l2": group["weight_decay"],
            "momentum": group["momentum"],
            "centered": group["centered"],
        }


_FORMS = {
    (moving, centered): Form(("square_avg", *["momentum_buffer"] * moving, *["grad_avg"] * centered), ("step",), {})
    for moving in (False, True)
    for centered in (False, True)
}
