"""Adagrad: steps scaled by the sum of all squared gradients so far."""

from __future__ import annotations

from typing import Any

import numpy

from ..autograd.node import wrap
from ..device import xp
from ._multi import Bunch, MultiTensorOptimizer, update
from .optimizer import checked, counter_type

__all__ = ["Adagrad", "adagrad_update"]


@update()
def adagrad_update(np: Any, p: Any, g: Any, t: Any, u: Any, sum: Any, *, lr: float, eps: float) -> None:
    """s += g²; p -= lr · g / (√s + ε)."""
    np.multiply(g, g, out=t)
    sum += t
    np.sqrt(sum, out=t)
    t += eps
    np.divide(g, t, out=t)
    t *= lr
    p -= t


class Adagrad(MultiTensorOptimizer):
    """Adagrad: ``p -= lr / (1 + (step - 1) lr_decay) · g / (√sum + ε)``. Its state exists from the start.

    Source: Duchi, Hazan and Singer, "Adaptive subgradient methods", 2011. Raises a ValueError for settings out of range.

    >>> import dovetail as dv
    >>> w = dv.nn.Parameter(dv.ones(2)); (w * 3).sum().backward()
    >>> dv.optim.Adagrad([w], lr=0.25).step(); w.tolist()
    [0.75, 0.75]
    """

    rule = adagrad_update
    _last = "weight_decay initial_accumulator_value foreach maximize differentiable fused"

    def __init__(
        self, params: Any, lr: Any = 1e-2, lr_decay: float = 0, weight_decay: float = 0, initial_accumulator_value: float = 0,
        eps: float = 1e-10, foreach: bool | None = None, *, maximize: bool = False, differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:  # fmt: skip
        super().__init__(params, checked(self, locals(), "lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps"))
        start = initial_accumulator_value
        for p in self._every():
            filled = xp(p._a).full_like(p._a, complex(start, start) if p._a.dtype.kind == "c" else start)
            self.state[p] = {"step": wrap(numpy.zeros((), counter_type())), "sum": wrap(filled)}

    def _rates(self, group: dict[str, Any], lr: float, step: int, bunch: Bunch) -> dict[str, Any]:
        return {"lr": lr / (1 + (step - 1) * group["lr_decay"])}
