"""ASGD: gradient descent whose averaged path is the answer."""

from __future__ import annotations

from typing import Any

from ..dtypes import get_default_dtype
from ._multi import Bunch, MultiTensorOptimizer, update
from .optimizer import checked, number

__all__ = ["ASGD", "asgd_update"]


@update()
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
        super().__init__(params, checked(self, locals(), "lr", "weight_decay"))

    def _start(self, group: dict[str, Any]) -> dict[str, float]:
        return {"step": 0.0, "eta": float(number(group["lr"])), "mu": 1.0}

    def _rates(self, group: dict[str, Any], lr: float, step: int, bunch: Bunch) -> dict[str, Any]:
        etas, mus, rounded = bunch.counts["eta"], bunch.counts["mu"], get_default_dtype().np.type
        now = {"eta": etas.item(0), "mu": mus.item(0)}
        etas[...] = rounded(lr / (1 + group["lambd"] * lr * step) ** group["alpha"])  # for the next step, rounded as PyTorch does
        mus[...] = rounded(1 / max(1, step - group["t0"]))
        return now
