"""Stochastic gradient descent, plain, with momentum, or with Nesterov's."""

from __future__ import annotations

from typing import Any

from ._multi import Bunch, MultiTensorOptimizer, update
from .optimizer import check, checked, number

__all__ = ["SGD", "sgd_update"]


@update(momentum_buffer="momentum")
def sgd_update(
    np: Any, p: Any, g: Any, t: Any, u: Any, momentum_buffer: Any = None, *,
    lr: float, momentum: float, inflow: float, nesterov: bool,
) -> None:  # fmt: skip
    """b = μ b + inflow · g; p -= lr · b (Nesterov: lr · (g + μ b)); without momentum p -= lr · g."""
    if momentum_buffer is not None:
        momentum_buffer *= momentum
        if inflow == 1:
            momentum_buffer += g
        else:
            np.multiply(g, inflow, out=t)
            momentum_buffer += t
        if nesterov:
            np.multiply(momentum_buffer, momentum, out=t)
            t += g
            g = t
        else:
            g = momentum_buffer
    np.multiply(g, lr, out=t)
    p -= t


class SGD(MultiTensorOptimizer):
    """Stochastic gradient descent: ``p -= lr · g``, with momentum ``p -= lr · b`` where ``b = μ b + (1 - dampening) g``.

    The first step sets b = g. Source: Sutskever et al., "On the importance of initialization and momentum", 2013. foreach
    and fused are accepted and change nothing. Raises a ValueError for settings out of range.

    >>> import dovetail as dv
    >>> w = dv.nn.Parameter(dv.ones(2)); (w * 3).sum().backward()
    >>> dv.optim.SGD([w], lr=0.25).step(); w.tolist()
    [0.25, 0.25]
    """

    rule = sgd_update

    def __init__(
        self, params: Any, lr: Any = 1e-3, momentum: float = 0, dampening: float = 0, weight_decay: Any = 0,
        nesterov: bool = False, *, maximize: bool = False, foreach: bool | None = None, differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:  # fmt: skip
        defaults = checked(self, locals(), "lr", "momentum", "weight_decay")
        fits = not nesterov or (momentum > 0 and dampening == 0)
        check(fits, self, "Nesterov momentum requires a momentum and zero dampening", f"got momentum={momentum}, dampening={dampening}")
        super().__init__(params, defaults)

    def _start(self, group: dict[str, Any]) -> dict[str, float]:
        return {}

    def _settings(self, group: dict[str, Any], bunch: Bunch, plain: list[str]) -> dict[str, Any]:
        inflow = 1 if bunch.fresh else 1 - group["dampening"]
        settings = {"lr": number(group["lr"]), "l2": number(group["weight_decay"]), "inflow": inflow}
        settings["momentum"], settings["nesterov"] = group["momentum"], group["nesterov"]
        return settings
