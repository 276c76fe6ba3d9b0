"""Adafactor: the second moment of a matrix kept as one row and one column."""

from __future__ import annotations

from typing import Any

import numpy

from ..autograd.node import wrap
from ..dtypes import finfo
from .optimizer import OneByOne, check, checked, counter_type, number

__all__ = ["Adafactor"]


class Adafactor(OneByOne):
    """Adafactor: steps relative to the parameters' size, scaled by a factored second moment: m + n numbers for (m, n).

    lr bounds the relative step min(lr, 1/√step); beta2 is 1 - step^beta2_decay; eps = (ε₁ or None for the type's, ε₂); d
    clips the update's root mean square. Source: Shazeer and Stern, 2018. Raises a ValueError for settings out of range.

    >>> import dovetail as dv
    >>> w = dv.nn.Parameter(dv.ones(2, 3)); w.sum().backward()
    >>> ada = dv.optim.Adafactor([w]); ada.step(); ada.state[w]["row_var"].shape
    dovetail.Size([2, 1])
    """

    def __init__(
        self, params: Any, lr: Any = 1e-2, beta2_decay: float = -0.8, eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0, weight_decay: float = 0.0, *, foreach: bool | None = None, maximize: bool = False,
    ) -> None:  # fmt: skip
        defaults = checked(self, locals())
        check(number(lr) >= 0.0, self, f"Learning rate should be >= 0 but is: {number(lr)}")
        check(beta2_decay <= 0.0, self, f"beta2_decay should be <= 0 but is: {beta2_decay}")
        check(eps[0] is None or eps[0] >= 0.0, self, f"epsilon1 should be >= 0 but is: {eps[0]}")
        check(eps[1] >= 0.0, self, f"epsilon2 should be >= 0 but is: {eps[1]}")
        check(d >= 1.0, self, f"Clipping threshold d should be >= 1 but is: {d}")
        check(weight_decay >= 0.0, self, f"weight_decay should be >= 0 but is: {weight_decay}")
        super().__init__(params, defaults)

    def _update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        if not state:
            state["step"] = wrap(numpy.zeros((), counter_type()))
            parts = {"row_var": g[..., :1], "col_var": g[..., :1, :]} if g.ndim > 1 else {"variance": g}
            state.update({name: g.new_zeros(part.shape) for name, part in parts.items()})
        state["step"] += 1
        step, lr, (eps1, eps2) = state["step"].item(), number(group["lr"]), group["eps"]
        eps1 = finfo(p.dtype).eps if eps1 is None else eps1
        weight = step ** group["beta2_decay"]
        alpha = max(eps2, p.norm().item() / p.numel() ** 0.5) * min(lr, 1 / step**0.5)
        if group["maximize"]:
            g = -g
        p.mul_(1 - lr * group["weight_decay"])
        if g.ndim > 1:
            row, col = state["row_var"], state["col_var"]
            row.lerp_((g * g).mean(-1, keepdim=True), weight)
            col.lerp_((g * g).mean(-2, keepdim=True), weight)
            estimate = row @ col / row.mean(-2, keepdim=True).clamp(min=eps1)
        else:
            estimate = state["variance"].lerp_(g * g, weight)
        change = g / estimate.clamp(min=eps1 * eps1).sqrt()
        p.sub_(change, alpha=alpha / max(1.0, change.norm().item() / (change.numel() ** 0.5 * group["d"])))
