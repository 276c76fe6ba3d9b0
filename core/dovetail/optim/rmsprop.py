"""RMSprop: steps scaled by a running mean of squared gradients."""

from __future__ import annotations

from typing import Any

from ._multi import MultiTensorOptimizer, lerp, mean_square, update
from .optimizer import checked

__all__ = ["RMSprop", "rmsprop_update"]


@update(momentum_buffer="momentum", grad_avg="centered")
def rmsprop_update(
    np: Any, p: Any, g: Any, t: Any, u: Any, square_avg: Any, momentum_buffer: Any = None, grad_avg: Any = None, *,
    lr: float, alpha: float, eps: float, momentum: float, centered: bool,
) -> None:  # fmt: skip
    """v = α v + (1 - α) g²; p -= lr · g / (√v + ε); centered: √(v - mean²)."""
    mean_square(np, square_avg, g, alpha, t)
    if centered:
        lerp(np, grad_avg, g, 1 - alpha, t)
        np.multiply(grad_avg, grad_avg, out=t)
        np.subtract(square_avg, t, out=t)
        np.sqrt(t, out=t)
    else:
        np.sqrt(square_avg, out=t)
    t += eps
    np.divide(g, t, out=t)
    if momentum > 0:
        momentum_buffer *= momentum
        momentum_buffer += t
        np.multiply(momentum_buffer, lr, out=t)
    else:
        t *= lr
    p -= t


class RMSprop(MultiTensorOptimizer):
    """RMSprop: ``p -= lr · g / (√v + ε)`` with v the running mean of g²; centered subtracts the squared mean of g.

    Source: Tieleman and Hinton, lecture 6.5 of "Neural networks for machine learning", 2012; centered: Graves, 2013.
    Raises a ValueError for settings out of range.

    >>> import dovetail as dv
    >>> w = dv.nn.Parameter(dv.ones(2)); (w * 3).sum().backward()
    >>> dv.optim.RMSprop([w], lr=0.25, alpha=0.0).step(); w.tolist()
    [0.75, 0.75]
    """

    rule = rmsprop_update
    _last = "alpha eps centered weight_decay capturable foreach maximize differentiable"

    def __init__(
        self, params: Any, lr: Any = 1e-2, alpha: float = 0.99, eps: float = 1e-8, weight_decay: float = 0, momentum: float = 0,
        centered: bool = False, capturable: bool = False, foreach: bool | None = None, maximize: bool = False,
        differentiable: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(params, checked(self, locals(), "lr", "eps", "momentum", "weight_decay", "alpha"))
