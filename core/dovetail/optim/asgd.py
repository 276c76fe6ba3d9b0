"""ASGD: gradient descent whose averaged path is the answer."""

from __future__ import annotations

from typing import Any

from ..dtypes import get_default_dtype
from ._multi import Bunch, Form, MultiTensorOptimizer, update
from .optimizer import check, check_flags, check_lr, number

__all__ = ["ASGD", "asgd_update"]


@update
def asgd_update(np: Any, p: Any, g: Any, t: Any, u: Any, ax: Any, *, eta: float, mu: float, lambd: float) -> None:
    """p = (1 - λ η) p - η g; ax += μ (p - ax)."""
    p *= 1 - lambd * eta
    np.multiply(g, eta, out=t)
    p -= t
    if mu == 1:
        np.copyto(ax, p)
    else:
        np.subtract(p, ax, out=t)
        t *= mu
        ax += t


class ASGD(MultiTensorOptimizer):
    """Averaged stochastic gradient descent; from step t0 on ``state[p]["ax"]`` is the mean of the parameters' path.

    Source: Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", 1992. Raises a ValueError for
    settings out of range.

    >>> import dovetail as dv
    >>> w = dv.nn.Parameter(dv.ones(2)); (w * 2).sum().backward()
    >>> dv.optim.ASGD([w], lr=0.25, lambd=0).step(); w.tolist()
    [0.5, 0.5]
    """

    rule = asgd_update

    def __init__(
        self, params: Any, lr: Any = 1e-2, lambd: float = 1e-4, alpha: float = 0.75, t0: float = 1e6, weight_decay: float = 0,
        foreach: bool | None = None, maximize: bool = False, differentiable: bool = False, capturable: bool = False,
    ) -> None:  # fmt: skip
        check_lr(self, lr)
        check(weight_decay >= 0.0, self, f"Invalid weight_decay value: {weight_decay}", "expected weight_decay >= 0")
        check_flags(self, differentiable)
        defaults = dict(
            lr=lr, lambd=lambd, alpha=alpha, t0=t0, weight_decay=weight_decay, foreach=foreach, maximize=maximize,
            differentiable=differentiable, capturable=capturable,
        )  # fmt: skip
        super().__init__(params, defaults)

    def _form(self, group: dict[str, Any]) -> Form:
        return Form(("ax",), ("step", "eta", "mu"), {"eta": float(number(group["lr"])), "mu": 1.0})

    def _settings(self, group: dict[str, Any], bunch: Bunch) -> dict[str, Any]:
        counter, etas, mus = (bunch.counts[name] for name in ("step", "eta", "mu"))
        counter += 1
        step, eta, mu = counter.item(0), etas.item(0), mus.item(0)
        lr, lambd = number(group["lr"]), group["lambd"]
        rounded = get_default_dtype().np.type  # as PyTorch stores them, also where the counters are float64
        etas[...] = rounded(lr / (1 + lambd * lr * step) ** group["alpha"])  # for the next step
        mus[...] = rounded(1 / max(1, step - group["t0"]))
        return {"eta": eta, "mu": mu, "lambd": lambd, "l2": group["weight_decay"]}
