"""Rprop: only the gradient's sign counts; every element has a step of its own."""

from __future__ import annotations

from typing import Any

from ._multi import Bunch, MultiTensorOptimizer, update
from .optimizer import check, checked, number

__all__ = ["Rprop", "rprop_update"]


@update()
def rprop_update(
    np: Any, p: Any, g: Any, t: Any, u: Any, prev: Any, step_size: Any, *, shrink: float, grow: float, least: float, most: float
) -> None:
    """s grows where g keeps its sign and shrinks where it turned (there g = 0 for once); p -= sign(g) · s."""
    np.multiply(g, prev, out=t)
    turned = t < 0
    np.copyto(u, 1)
    np.copyto(u, grow, where=t > 0)
    np.copyto(u, shrink, where=turned)
    step_size *= u
    np.maximum(step_size, least, out=step_size)
    np.minimum(step_size, most, out=step_size)
    np.copyto(prev, g)
    np.copyto(prev, 0, where=turned)
    np.sign(prev, out=t)
    t *= step_size
    p -= t


class Rprop(MultiTensorOptimizer):
    """Resilient backpropagation: a step per element that grows by etas[1] or shrinks by etas[0], within step_sizes.

    Source: Riedmiller and Braun, "A direct adaptive method for faster backpropagation learning", 1993. Raises a ValueError
    for settings out of range.

    >>> import dovetail as dv
    >>> w = dv.nn.Parameter(dv.ones(2)); (w * 2).sum().backward()
    >>> dv.optim.Rprop([w], lr=0.25).step(); w.tolist()
    [0.75, 0.75]
    """

    rule = rprop_update
    _last = "capturable"

    def __init__(
        self, params: Any, lr: Any = 1e-2, etas: tuple[float, float] = (0.5, 1.2), step_sizes: tuple[float, float] = (1e-6, 50), *,
        capturable: bool = False, foreach: bool | None = None, maximize: bool = False, differentiable: bool = False,
    ) -> None:  # fmt: skip
        defaults = checked(self, locals(), "lr")
        check(0.0 < etas[0] < 1.0 < etas[1], self, f"Invalid eta values: {etas[0]}, {etas[1]}", "expected 0 < etas[0] < 1 < etas[1]")
        super().__init__(params, defaults)

    def _start(self, group: dict[str, Any]) -> dict[str, float]:
        return {"step": 0.0, "step_size": number(group["lr"])}

    def _rates(self, group: dict[str, Any], lr: float, step: int, bunch: Bunch) -> dict[str, Any]:
        (shrink, grow), (least, most) = group["etas"], group["step_sizes"]
        return {"shrink": shrink, "grow": grow, "least": least, "most": most}
