"""Adagrad: steps scaled by the sum of all squared gradients so far."""

from __future__ import annotations

from typing import Any

import numpy

from ..autograd.node import wrap
from ..device import xp
from ..dtypes import float64, get_default_dtype
from ._multi import Bunch, Form, MultiTensorOptimizer, update
from .optimizer import check, check_flags, check_lr, number

__all__ = ["Adagrad", "adagrad_update"]


@update
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

    def __init__(
        self, params: Any, lr: Any = 1e-2, lr_decay: float = 0, weight_decay: float = 0, initial_accumulator_value: float = 0,
        eps: float = 1e-10, foreach: bool | None = None, *, maximize: bool = False, differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:  # fmt: skip
        check_lr(self, lr)
        check(lr_decay >= 0.0, self, f"Invalid lr_decay value: {lr_decay}", "expected lr_decay >= 0")
        check(weight_decay >= 0.0, self, f"Invalid weight_decay value: {weight_decay}", "expected weight_decay >= 0")
        what = f"Invalid initial_accumulator_value value: {initial_accumulator_value}"
        check(initial_accumulator_value >= 0.0, self, what, "expected a number >= 0")
        check(eps >= 0.0, self, f"Invalid epsilon value: {eps}", "expected eps >= 0")
        check_flags(self, differentiable, fused, foreach)
        defaults = dict(
            lr=lr, lr_decay=lr_decay, eps=eps, weight_decay=weight_decay, initial_accumulator_value=initial_accumulator_value,
            foreach=foreach, maximize=maximize, differentiable=differentiable, fused=fused,
        )  # fmt: skip
        super().__init__(params, defaults)
        kind = float64.np if get_default_dtype() is float64 else numpy.dtype("f4")
        for group in self.param_groups:
            for p in group["params"]:
                a = p._a
                start = complex(initial_accumulator_value, initial_accumulator_value) if a.dtype.kind == "c" else initial_accumulator_value
                self.state[p]["step"] = wrap(numpy.zeros((), kind))
                self.state[p]["sum"] = wrap(xp(a).full_like(a, start))

    def _form(self, group: dict[str, Any]) -> Form:
        return _FORM

    def _settings(self, group: dict[str, Any], bunch: Bunch) -> dict[str, Any]:
        counter = bunch.counts["step"]
        counter += 1
        rate = number(group["lr"]) / (1 + (counter.item(0) - 1) * group["lr_decay"])
        return {"lr": rate, "eps": group["eps"], "l2": group["weight_decay"]}


_FORM = Form(("sum",), ("step",), {})
