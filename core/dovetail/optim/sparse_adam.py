"""SparseAdam: Adam for sparse gradients, which the core does not have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import UnsupportedError
from .optimizer import Optimizer, check, checked, number

__all__ = ["SparseAdam"]


class SparseAdam(Optimizer):
    """Adam that touches only the rows with a gradient. Gradients of the core are dense, and ``step`` says so.

    Raises a ValueError for settings out of range or complex parameters, a RuntimeError for a dense gradient.

    >>> import dovetail as dv
    >>> w = dv.nn.Parameter(dv.ones(2)); w.sum().backward()
    >>> dv.optim.SparseAdam([w]).step()
    Traceback (most recent call last):
    dovetail.errors.UnsupportedError: SparseAdam: SparseAdam does not support dense gradients, please consider Adam instead
    """

    def __init__(
        self, params: Any, lr: Any = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8, maximize: bool = False
    ) -> None:
        check(number(lr) > 0.0, self, f"Invalid learning rate: {lr}", "expected lr > 0")
        check(eps > 0.0, self, f"Invalid epsilon value: {eps}", "expected eps > 0")
        super().__init__(params, checked(self, locals(), "betas"))
        places = [[i, j] for i, group in enumerate(self.param_groups) for j, p in enumerate(group["params"]) if p.is_complex()]
        check(not places, self, f"Complex params at indices {places}: SparseAdam does not support complex parameters")

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Refuse dense gradients; without any gradient there is nothing to do."""
        loss = self._evaluate(closure)
        if any(p.grad is not None for p in self._every()):
            raise UnsupportedError("SparseAdam", "SparseAdam does not support dense gradients, please consider Adam instead")
        return loss
