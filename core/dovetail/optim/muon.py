"""Muon: momentum made orthogonal, for the matrices inside a network."""

from __future__ import annotations

import math
from typing import Any

from ..errors import UnsupportedError
from .optimizer import OneByOne, check, checked, number

__all__ = ["Muon"]


class Muon(OneByOne):
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
        defaults = checked(self, locals())
        check(number(lr) >= 0.0, self, f"Learning rate should be >= 0 but is: {lr}")
        check(momentum >= 0.0, self, f"momentum should be >= 0 but is: {momentum}")
        check(weight_decay >= 0.0, self, f"weight decay should be >= 0 but is: {weight_decay}")
        known = (None, "original", "match_rms_adamw")
        check(adjust_lr_fn in known, self, f"Adjust learning rate function {adjust_lr_fn} is not supported")
        super().__init__(params, defaults)
        for p in self._every():
            check(p._a.ndim == 2, self, f"Muon only supports 2D parameters whereas we found a parameter with size: {p.shape}")

    def _update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        momentum, lr = group["momentum"], number(group["lr"])
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = g.new_zeros(g.shape)
        buffer = state["momentum_buffer"].lerp_(g, 1 - momentum)
        direction = g.lerp(buffer, momentum) if group["nesterov"] else buffer
        direction = orthogonalize(direction, group["ns_coefficients"], group["ns_steps"], group["eps"])
        rows, cols = p.shape
        matched = group["adjust_lr_fn"] == "match_rms_adamw"
        ratio = 0.2 * math.sqrt(max(rows, cols)) if matched else math.sqrt(max(1, rows / cols))
        p.mul_(1 - lr * group["weight_decay"])
        p.sub_(direction.to(p.dtype), alpha=lr * ratio)


def orthogonalize(g: Any, coefficients: tuple[float, float, float], steps: int, eps: float) -> Any:
    """Newton-Schulz: x = a x + (b A + c A²) x with A = x xᵀ, which drives all singular values towards one; in bfloat16."""
    if steps >= 100:
        raise UnsupportedError("Muon", f"Number of steps must be less than 100 for computational efficiency (ns_steps={steps})")
    a, b, c = coefficients
    tall = g.shape[0] > g.shape[1]
    x = (g.T if tall else g).bfloat16()
    x = x / x.norm().clamp(min=eps)
    for _ in range(steps):
        gram = x @ x.T
        x = x.addmm(gram.addmm(gram, gram, beta=b, alpha=c), x, beta=a)
    return x.T if tall else x
