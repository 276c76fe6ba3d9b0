"""SparseAdam: Adam for sparse gradients, whose arithmetic comes with the sparse tensors themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import UnsupportedError
from ..ops._override import of_plugin
from .optimizer import Optimizer, check, checked, number

__all__ = ["SparseAdam"]


class SparseAdam(Optimizer):
    """Adam that touches only the rows with a gradient: those of ``nn.Embedding(sparse=True)``.

    Raises a ValueError for settings out of range and complex or sparse parameters, a RuntimeError for a dense gradient.

    >>> import dovetail as dv
    >>> w = dv.nn.Parameter(dv.ones(2)); w.sum().backward()
    >>> dv.optim.SparseAdam([w]).step()
    Traceback (most recent call last):
    dovetail.errors.UnsupportedError: SparseAdam: SparseAdam does not support dense gradients, please consider Adam instead
    """

    def __init__(
        self, params: Any, lr: Any = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8, maximize: bool = False
    ) -> None:
        defaults = checked(self, locals(), "betas")
        check(number(lr) > 0.0, self, f"Invalid learning rate: {lr}", "expected lr > 0")
        check(eps > 0.0, self, f"Invalid epsilon value: {eps}", "expected eps > 0")
        super().__init__(params, defaults)
        places = [(p, [i, j]) for i, group in enumerate(self.param_groups) for j, p in enumerate(group["params"])]
        sparse, complex_ = [at for p, at in places if p.is_sparse], [at for p, at in places if p.is_complex()]
        check(not sparse, self, f"Sparse params at indices {sparse}: SparseAdam requires dense parameter tensors")
        check(not complex_, self, f"Complex params at indices {complex_}: SparseAdam does not support complex parameters")

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update the rows that have gradients; ``closure`` evaluates the loss anew and its value is returned."""
        loss = self._evaluate(closure)
        for group in self.param_groups:
            given = [p for p in group["params"] if p.grad is not None]
            if any(not p.grad.is_sparse for p in given):
                raise UnsupportedError("SparseAdam", "SparseAdam does not support dense gradients, please consider Adam instead")
            if given:
                of_plugin("step")(self, group, given)
        return loss
