"""Muon: momentum made orthogonal, for the matrices inside a network."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..autograd.node import changed, wrap
from ..device import xp
from ..dtypes import bfloat16_dtype, from_numpy_dtype
from ..errors import UnsupportedError
from .optimizer import Optimizer, check, number

__all__ = ["Muon"]


class Muon(Optimizer):
    """Muon: ``p -= lr' · O(b)`` where O brings the momentum b near the closest orthogonal matrix, by Newton-Schulz steps.

    Only for 2-D parameters; give the others (biases, embeddings) to another optimizer. adjust_lr_fn: "original" scales
    lr by √max(1, rows/cols), "match_rms_adamw" by 0.2 √max(rows, cols). The iteration runs in bfloat16's precision.
    Source: Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024. Raises a ValueError for
    settings out of range or parameters that are not 2-D.

    >>> import dovetail as dv
    >>> w = dv.nn.Parameter(dv.ones(2, 3)); w.sum().backward()
    >>> muon = dv.optim.Muon([w]); muon.step(); sorted(muon.state[w])
    ['momentum_buffer']
    """

    def __init__(
        self, params: Any, lr: Any = 1e-3, weight_decay: float = 0.1, momentum: float = 0.95, nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.775, 2.0315), eps: float = 1e-7, ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:  # fmt: skip
        check(number(lr) >= 0.0, self, f"Learning rate should be >= 0 but is: {lr}")
        check(momentum >= 0.0, self, f"momentum should be >= 0 but is: {momentum}")
        check(weight_decay >= 0.0, self, f"weight decay should be >= 0 but is: {weight_decay}")
        known = (None, "original", "match_rms_adamw")
        check(adjust_lr_fn in known, self, f"Adjust learning rate function {adjust_lr_fn} is not supported")
        defaults = dict(
            lr=lr, weight_decay=weight_decay, momentum=momentum, nesterov=nesterov, ns_coefficients=ns_coefficients, eps=eps,
            ns_steps=ns_steps, adjust_lr_fn=adjust_lr_fn,
        )  # fmt: skip
        super().__init__(params, defaults)
        for group in self.param_groups:
            for p in group["params"]:
                check(p._a.ndim == 2, self, f"Muon only supports 2D parameters whereas we found a parameter with size: {p.shape}")

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient; ``closure`` evaluates the loss anew and its value is returned."""
        loss = self._evaluate(closure)
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                if from_numpy_dtype(p._a.dtype).is_complex:
                    raise UnsupportedError("Muon", "Muon does not support complex parameters")
                state = self.state[p]
                if "momentum_buffer" not in state:
                    state["momentum_buffer"] = wrap(xp(p._a).zeros_like(p.grad._a))
                _update(p._a, p.grad._a, state["momentum_buffer"]._a, group)
                changed(p._v, "optimizer.step")
        return loss


def _update(p: Any, g: Any, buffer: Any, group: dict[str, Any]) -> None:
    momentum, lr = group["momentum"], number(group["lr"])
    buffer += (g - buffer) * (1 - momentum)
    direction = buffer - (buffer - g) * (1 - momentum) if group["nesterov"] else buffer
    direction = orthogonalize(direction, group["ns_coefficients"], group["ns_steps"], group["eps"])
    rows, cols = p.shape
    matched = group["adjust_lr_fn"] == "match_rms_adamw"
    ratio = 0.2 * math.sqrt(max(rows, cols)) if matched else math.sqrt(max(1, rows / cols))
    p *= 1 - lr * group["weight_decay"]
    p -= (direction * (lr * ratio)).astype(p.dtype, copy=False)


def orthogonalize(g: Any, coefficients: tuple[float, float, float], steps: int, eps: float) -> Any:
    """Newton-Schulz: x = a x + (b A + c A²) x with A = x xᵀ, which drives all singular values towards one.

    Products are computed in float32 and rounded to bfloat16, as matrix units do it.
    """
    if steps >= 100:
        raise UnsupportedError("Muon", f"Number of steps must be less than 100 for computational efficiency (ns_steps={steps})")
    low = bfloat16_dtype().np

    def rounded(x: Any) -> Any:
        return x.astype(low).astype("f4")

    a, b, c = coefficients
    x = rounded(g.T if g.shape[0] > g.shape[1] else g)
    norm = rounded((x * x).sum() ** 0.5)
    x = rounded(x / xp(g).maximum(norm, eps))
    for _ in range(steps):
        gram = rounded(x @ x.T)
        gram = rounded(b * gram + c * (gram @ gram))
        x = rounded(a * x + gram @ x)
    return x.T if g.shape[0] > g.shape[1] else x
