"""L-BFGS: a quasi-Newton method that evaluates the loss several times per step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..autograd.modes import enable_grad
from ..autograd.node import changed, wrap
from ..device import xp
from ..errors import UnsupportedError
from ._line_search import strong_wolfe
from .optimizer import Optimizer, check, check_lr, number

__all__ = ["LBFGS"]


class LBFGS(Optimizer):
    """Limited-memory BFGS with one group of parameters: ``step(closure)``, where the closure computes loss and gradients.

    max_eval defaults to 1.25 max_iter; line_search_fn is None (fixed step lr) or "strong_wolfe". Source: Nocedal and
    Wright, "Numerical optimization", chapters 3 and 7. Raises a ValueError for settings out of range or several groups.

    >>> import dovetail as dv
    >>> w = dv.nn.Parameter(dv.ones(2) * 4)
    >>> lbfgs = dv.optim.LBFGS([w], line_search_fn="strong_wolfe")
    >>> def closure():
    ...     lbfgs.zero_grad(); loss = ((w - 3) ** 2).sum(); loss.backward(); return loss
    >>> _ = lbfgs.step(closure); w.tolist()
    [3.0, 3.0]
    """

    def __init__(
        self, params: Any, lr: Any = 1, max_iter: int = 20, max_eval: int | None = None, tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9, history_size: int = 100, line_search_fn: str | None = None,
    ) -> None:  # fmt: skip
        check_lr(self, lr)
        defaults = dict(
            lr=lr, max_iter=max_iter, max_eval=max_iter * 5 // 4 if max_eval is None else max_eval, tolerance_grad=tolerance_grad,
            tolerance_change=tolerance_change, history_size=history_size, line_search_fn=line_search_fn,
        )  # fmt: skip
        super().__init__(params, defaults)
        what = "LBFGS doesn't support per-parameter options (parameter groups)"
        check(len(self.param_groups) == 1, self, what, f"got {len(self.param_groups)} groups")

    @property
    def _params(self) -> list[Any]:
        params: list[Any] = self.param_groups[0]["params"]
        return params

    def _flat_grad(self) -> Any:
        """All gradients as one vector, zeros where there is none."""
        np = xp(self._params[0]._a)
        flat = [_real(np.zeros_like(p._a) if p.grad is None else p.grad._a).reshape(-1) for p in self._params]
        return np.concatenate(flat)

    def _move(self, t: float, direction: Any) -> None:
        """Add a multiple of a flat vector to the parameters."""
        at = 0
        for p in self._params:
            count = p._a.size * (2 if p._a.dtype.kind == "c" else 1)
            part = direction[at : at + count]
            if p._a.dtype.kind == "c":
                part = part.view(p._a.dtype)
            p._a += part.reshape(p._a.shape) * t
            changed(p._v, "optimizer.step")
            at += count

    def step(self, closure: Callable[[], Any]) -> Any:  # type: ignore[override]
        """Iterate up to max_iter times and return the loss of the first evaluation."""
        group = self.param_groups[0]
        if group["line_search_fn"] not in (None, "strong_wolfe"):
            raise UnsupportedError("LBFGS", "only 'strong_wolfe' is supported", f"got line_search_fn={group['line_search_fn']!r}")
        state = self.state[self._params[0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)

        def evaluate() -> Any:
            with enable_grad():
                return closure()

        first = evaluate()
        state["func_evals"] += 1
        grad = self._flat_grad()
        if not _peak(grad) <= group["tolerance_grad"]:
            _Search(self, group, state, evaluate).go(float(first), grad)
        return first


class _Search:
    """One call of ``step``: the memory of past steps, and the loop."""

    def __init__(self, optimizer: LBFGS, group: dict[str, Any], state: dict[str, Any], evaluate: Callable[[], Any]) -> None:
        self.optimizer, self.group, self.state, self.evaluate = optimizer, group, state, evaluate
        had = {key: _bare(state.get(key)) for key in ("d", "t", "old_dirs", "old_stps", "ro", "H_diag", "prev_flat_grad")}
        self.d, self.t, self.scale, self.before = had["d"], had["t"], had["H_diag"], had["prev_flat_grad"]
        self.changes, self.steps, self.ro = had["old_dirs"] or [], had["old_stps"] or [], had["ro"] or []

    def go(self, loss: float, grad: Any) -> None:
        """Iterate until a tolerance, or a limit, is met; the loss and gradient are those at the present point."""
        group, state, lr = self.group, self.state, number(self.group["lr"])
        evaluations, rounds = 1, 0
        while rounds < group["max_iter"]:
            rounds += 1
            state["n_iter"] += 1
            self.d = self._direction(grad)
            self.before, loss_before = grad.copy(), loss
            self.t = min(1.0, 1.0 / float(abs(grad).sum())) * lr if state["n_iter"] == 1 else lr
            slope = float(grad @ self.d)
            if slope > -group["tolerance_change"]:
                break
            loss, grad, used = self._advance(loss, grad, slope, evaluations, rounds == group["max_iter"])
            evaluations += used
            state["func_evals"] += used
            if rounds == group["max_iter"] or evaluations >= group["max_eval"] or _peak(grad) <= group["tolerance_grad"]:
                break
            if _peak(self.d * self.t) <= group["tolerance_change"] or abs(loss - loss_before) < group["tolerance_change"]:
                break
        self._keep(loss_before)

    def _direction(self, grad: Any) -> Any:
        """The approximate inverse Hessian times the negative gradient (two-loop recursion)."""
        if self.state["n_iter"] == 1:
            self.changes, self.steps, self.ro, self.scale = [], [], [], 1.0
            return -grad
        change, step = grad - self.before, self.d * self.t
        curvature = float(change @ step)
        if curvature > 1e-10:
            if len(self.changes) == self.group["history_size"]:
                for history in (self.changes, self.steps, self.ro):
                    history.pop(0)
            self.changes.append(change)
            self.steps.append(step)
            self.ro.append(1.0 / curvature)
            self.scale = curvature / float(change @ change)
        q, weights = -grad, []
        for change, step, ro in zip(reversed(self.changes), reversed(self.steps), reversed(self.ro), strict=True):
            weight = float(step @ q) * ro
            weights.append(weight)
            q -= change * weight
        q *= self.scale
        for change, step, ro, weight in zip(self.changes, self.steps, self.ro, reversed(weights), strict=True):
            q += step * (weight - float(change @ q) * ro)
        return q

    def _advance(self, loss: float, grad: Any, slope: float, evaluations: int, last: bool) -> tuple[float, Any, int]:
        """Go along the direction: by line search, or by the fixed step (the last one without evaluating anew)."""
        optimizer = self.optimizer
        if self.group["line_search_fn"] is None:
            optimizer._move(self.t, self.d)
            return (loss, grad, 0) if last else (float(self.evaluate()), optimizer._flat_grad(), 1)
        start = [p._a.copy() for p in optimizer._params]

        def probe(t: float) -> tuple[float, Any]:
            optimizer._move(t, self.d)
            found = float(self.evaluate()), optimizer._flat_grad()
            for p, a in zip(optimizer._params, start, strict=True):
                p._a[...] = a
            return found

        limit = self.group["max_eval"] - evaluations
        loss, grad, self.t, used = strong_wolfe(probe, self.d, self.t, loss, grad, slope, max_ls=limit)
        optimizer._move(self.t, self.d)
        return loss, grad, used

    def _keep(self, loss_before: float) -> None:
        state = self.state
        state["d"], state["prev_flat_grad"] = wrap(self.d), wrap(self.before)
        state["old_dirs"], state["old_stps"] = [wrap(a) for a in self.changes], [wrap(a) for a in self.steps]
        state["t"], state["ro"], state["H_diag"], state["prev_loss"] = self.t, self.ro, self.scale, loss_before


def _real(a: Any) -> Any:
    return xp(a).ascontiguousarray(a).view(f"f{a.dtype.itemsize // 2}") if a.dtype.kind == "c" else a


def _bare(value: Any) -> Any:
    """A kept value (also one of PyTorch's, where numbers are tensors) as raw arrays and floats."""
    if isinstance(value, list):
        return [_bare(v) for v in value]
    a = getattr(value, "_a", value)
    return float(a) if getattr(a, "ndim", None) == 0 else a


def _peak(a: Any) -> float:
    return float(abs(a).max())
