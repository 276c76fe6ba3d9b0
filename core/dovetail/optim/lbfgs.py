"""L-BFGS: a quasi-Newton method that evaluates the loss several times per step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dovetail_numerics.line_search import strong_wolfe

from ..autograd.modes import no_grad
from ..autograd.node import changed
from ..errors import UnsupportedError
from ..ops.join import cat
from .optimizer import Optimizer, check, checked, number

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
        max_eval = max_iter * 5 // 4 if max_eval is None else max_eval
        super().__init__(params, checked(self, locals(), "lr"))
        what = "LBFGS doesn't support per-parameter options (parameter groups)"
        check(len(self.param_groups) == 1, self, what, f"got {len(self.param_groups)} groups")

    @property
    def _params(self) -> Any:
        return self.param_groups[0]["params"]

    def _flat_grad(self) -> Any:
        """All gradients as one real vector, zeros where there is none."""
        flat = [(p.new_zeros(p.shape) if p.grad is None else p.grad).reshape(-1) for p in self._params]
        return cat([g.contiguous().view(g.dtype.to_real()) if g.is_complex() else g for g in flat])

    def _move(self, t: float, direction: Any) -> None:
        """Add a multiple of a flat vector to the parameters."""
        at = 0
        for p in self._params:
            count = p.numel() * (2 if p.is_complex() else 1)
            part = direction[at : at + count]
            p.add_((part.view(p.dtype) if p.is_complex() else part).view_as(p), alpha=t)
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
        first = self._evaluate(closure)
        state["func_evals"] += 1
        with no_grad():
            self._iterate(closure, group, state, float(first), self._flat_grad())
        return first

    def _iterate(self, closure: Callable[[], Any], group: dict[str, Any], state: dict[str, Any], loss: float, grad: Any) -> None:
        """Go on until a tolerance, or a limit, is met; the loss and gradient are those at the present point."""
        lr, small, evaluations = number(group["lr"]), group["tolerance_change"], 1
        for rounds in range(1, group["max_iter"] + 1):
            if _peak(grad) <= group["tolerance_grad"]:
                break
            state["n_iter"] += 1
            d = state["d"] = self._direction(grad, state, group["history_size"])
            state["t"] = min(1.0, 1.0 / float(grad.abs().sum())) * lr if state["n_iter"] == 1 else lr
            state["prev_flat_grad"], state["prev_loss"] = grad, loss
            slope = float(grad @ d)
            if slope > -small:
                break
            if group["line_search_fn"] is None:
                self._move(state["t"], d)
                used = int(rounds < group["max_iter"])  # the last step is taken without evaluating anew
                if used:
                    loss, grad = float(self._evaluate(closure)), self._flat_grad()
            else:
                probe, left = self._probe(closure, d), group["max_eval"] - evaluations
                loss, grad, state["t"], used = strong_wolfe(probe, d, state["t"], loss, grad, slope, max_ls=left)
                self._move(state["t"], d)
            evaluations += used
            state["func_evals"] += used
            if evaluations >= group["max_eval"] or _peak(d * state["t"]) <= small or abs(loss - state["prev_loss"]) < small:
                break

    def _probe(self, closure: Callable[[], Any], direction: Any) -> Callable[[float], tuple[float, Any]]:
        """The loss and the gradient along a direction, as a function of the step length; it leaves the parameters in place."""
        start = [p.clone() for p in self._params]

        def probe(t: float) -> tuple[float, Any]:
            self._move(t, direction)
            found = float(self._evaluate(closure)), self._flat_grad()
            for p, value in zip(self._params, start, strict=True):
                p.copy_(value)
            return found

        return probe

    def _direction(self, grad: Any, state: dict[str, Any], most: int) -> Any:
        """The approximate inverse Hessian times the negative gradient (two-loop recursion).

        Numbers of a state may be tensors: those that PyTorch saved are.
        """
        if state["n_iter"] == 1:
            state.update(old_dirs=[], old_stps=[], ro=[], H_diag=1.0)
            return -grad
        changes, steps, inverses = (state[name] for name in ("old_dirs", "old_stps", "ro"))
        change, step = grad - state["prev_flat_grad"], state["d"] * float(state["t"])
        curvature = float(change @ step)
        if curvature > 1e-10:
            for history, value in ((changes, change), (steps, step), (inverses, 1.0 / curvature)):
                history.append(value)
                del history[:-most]
            state["H_diag"] = curvature / float(change @ change)
        past = list(zip(changes, steps, map(float, inverses), strict=True))
        q, weights = -grad, []
        for change, step, inverse in reversed(past):
            weights.append(float(step @ q) * inverse)
            q -= change * weights[-1]
        q *= float(state["H_diag"])
        for (change, step, inverse), weight in zip(past, reversed(weights), strict=True):
            q += step * (weight - float(change @ q) * inverse)
        return q


def _peak(t: Any) -> float:
    return float(t.abs().max())
