"""Adafactor: the second moment of a matrix kept as one row and one column."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

from ..autograd.node import changed, wrap
from ..device import xp
from ..dtypes import finfo, float64, from_numpy_dtype, get_default_dtype
from ..errors import UnsupportedError
from .optimizer import Optimizer, check, number

__all__ = ["Adafactor"]


class Adafactor(Optimizer):
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
        rate = number(lr)
        check(rate >= 0.0, self, f"Learning rate should be >= 0 but is: {rate}")
        check(beta2_decay <= 0.0, self, f"beta2_decay should be <= 0 but is: {beta2_decay}")
        check(eps[0] is None or eps[0] >= 0.0, self, f"epsilon1 should be >= 0 but is: {eps[0]}")
        check(eps[1] >= 0.0, self, f"epsilon2 should be >= 0 but is: {eps[1]}")
        check(d >= 1.0, self, f"Clipping threshold d should be >= 1 but is: {d}")
        check(weight_decay >= 0.0, self, f"weight_decay should be >= 0 but is: {weight_decay}")
        defaults = dict(
            lr=lr, beta2_decay=beta2_decay, eps=eps, d=d, weight_decay=weight_decay, foreach=foreach, maximize=maximize,
        )  # fmt: skip
        super().__init__(params, defaults)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient; ``closure`` evaluates the loss anew and its value is returned."""
        loss = self._evaluate(closure)
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                if from_numpy_dtype(p._a.dtype).is_complex:
                    raise UnsupportedError("Adafactor", "Adafactor does not support complex parameters")
                state = self.state[p]
                if not state:
                    _start(state, p.grad._a)
                _update(p._a, -p.grad._a if group["maximize"] else p.grad._a, state, group)
                changed(p._v, "optimizer.step")
        return loss


def _start(state: dict[str, Any], g: Any) -> None:
    np = xp(g)
    state["step"] = wrap(numpy.zeros((), float64.np if get_default_dtype() is float64 else "f4"))
    if g.ndim > 1:
        state["row_var"] = wrap(np.zeros((*g.shape[:-1], 1), g.dtype))
        state["col_var"] = wrap(np.zeros((*g.shape[:-2], 1, g.shape[-1]), g.dtype))
    else:
        state["variance"] = wrap(np.zeros_like(g))


def _update(p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
    """One step of one parameter."""
    np, lr = xp(p), number(group["lr"])
    eps1, eps2 = group["eps"]
    if eps1 is None:
        eps1 = finfo(from_numpy_dtype(p.dtype)).eps
    state["step"]._a += 1
    step = float(state["step"]._a)
    weight = step ** group["beta2_decay"]
    alpha = max(eps2, _norm(np, p) / p.size**0.5) * min(lr, 1 / step**0.5)
    if group["weight_decay"] != 0:
        p *= 1 - lr * group["weight_decay"]
    if g.ndim > 1:
        row, col = state["row_var"]._a, state["col_var"]._a
        squares = g * g
        _towards(row, squares.mean(axis=-1, keepdims=True), weight)
        _towards(col, squares.mean(axis=-2, keepdims=True), weight)
        estimate = np.matmul(row, col)
        estimate /= np.maximum(row.mean(axis=-2, keepdims=True), eps1)
    else:
        _towards(state["variance"]._a, g * g, weight)
        estimate = state["variance"]._a
    change = g / np.sqrt(np.maximum(estimate, eps1 * eps1))
    scale = max(1.0, _norm(np, change) / (change.size**0.5 * group["d"]))
    change *= alpha / scale
    p -= change


def _towards(a: Any, b: Any, weight: float) -> None:
    a += (b - a) * weight if weight < 0.5 else b - a - (b - a) * (1 - weight)


def _norm(np: Any, a: Any) -> float:
    return float(np.sqrt(np.square(a, dtype=numpy.float64).sum()))
