"""Optimizers of SciPy on a model's parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import dovetail as dv
from dovetail.errors import UnsupportedError, ValueRangeError
from dovetail.extend import Optimizer

__all__ = ["ScipyMinimize"]

_METHODS = ("L-BFGS-B", "BFGS", "CG", "TNC", "SLSQP")


class ScipyMinimize(Optimizer):
    """Minimize a closure with `scipy.optimize.minimize`, all parameters together as one vector of float64.

    For small, smooth, full-batch problems: physics-informed networks, fits, style transfer. Each ``step`` runs at most ``max_iter``
    iterations and returns the loss before them, as ``optim.LBFGS`` does.

    Args:
        params: parameters of one group.
        method: ``"L-BFGS-B"``, ``"BFGS"``, ``"CG"``, ``"TNC"`` or ``"SLSQP"``.
        max_iter: iterations in one step.
        tol: stops where SciPy's measure of the method falls below it; None leaves it to SciPy.
        bounds: a pair (low, high) for every element, either of them None; not for BFGS and CG.

    >>> x = dv.nn.Parameter(dv.tensor([3.0, -2.0]))
    >>> optimizer = ScipyMinimize([x])
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = ((x - 1) ** 2).sum()
    ...     loss.backward()
    ...     return loss
    >>> optimizer.step(closure).item()
    13.0
    >>> x.detach().round(decimals=4)
    tensor([1., 1.])
    """

    def __init__(
        self,
        params: Any,
        method: str = "L-BFGS-B",
        max_iter: int = 20,
        tol: float | None = None,
        bounds: tuple[float | None, float | None] | None = None,
    ) -> None:
        if method not in _METHODS:
            raise ValueRangeError("ScipyMinimize", f"method is {method!r}", f"expected one of {', '.join(_METHODS)}")
        if max_iter < 1:
            raise ValueRangeError("ScipyMinimize", f"max_iter is {max_iter}", "expected 1 or more")
        if bounds is not None and method in ("BFGS", "CG"):
            raise ValueRangeError("ScipyMinimize", f"{method} takes no bounds", "expected bounds=None", "use L-BFGS-B")
        super().__init__(params, {"method": method, "max_iter": max_iter, "tol": tol, "bounds": bounds})
        if len(self.param_groups) != 1:
            raise ValueRangeError("ScipyMinimize", f"got {len(self.param_groups)} parameter groups", "expected one")

    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # type: ignore[override]
        """Minimize; ``closure`` clears the gradients, computes the loss, calls ``backward`` and returns the loss."""
        from scipy.optimize import minimize

        if closure is None:
            raise UnsupportedError("ScipyMinimize.step", "there is no closure", "expected a function that gives the loss")
        group = self.param_groups[0]
        params = [p for p in group["params"] if p.requires_grad]
        losses: list[float] = []

        def evaluate(vector: Any) -> tuple[float, Any]:
            self._assign(params, vector)
            with dv.enable_grad():
                loss = float(closure())
            losses.append(loss)
            grads = [np.zeros(p.numel()) if p.grad is None else p.grad.detach().cpu().double().numpy().ravel() for p in params]
            return loss, np.concatenate(grads)

        start = np.concatenate([p.detach().cpu().double().numpy().ravel() for p in params])
        bounds = None if group["bounds"] is None else [group["bounds"]] * start.size
        options = {"maxiter": group["max_iter"]}
        done = minimize(evaluate, start, jac=True, method=group["method"], tol=group["tol"], bounds=bounds, options=options)
        self._assign(params, done.x)
        return dv.tensor(losses[0], dtype=params[0].dtype)

    @staticmethod
    def _assign(params: list[Any], vector: Any) -> None:
        """Write a vector into the parameters, in order."""
        at = 0
        with dv.no_grad():
            for p in params:
                part = np.ascontiguousarray(vector[at : at + p.numel()]).reshape(tuple(p.shape))
                p.copy_(dv.from_numpy(part).to(p.dtype).to(p.device))
                at += p.numel()
