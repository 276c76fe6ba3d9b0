"""Stochastic depth: leave out the branch of a residual block at random."""

from __future__ import annotations

import dovetail
from dovetail import Tensor, nn
from dovetail.errors import ValueRangeError

from ._checks import check_chance

__all__ = ["StochasticDepth", "stochastic_depth"]


def stochastic_depth(input: Tensor, p: float, mode: str, training: bool = True) -> Tensor:
    """Zero the whole input ("batch") or single samples of it ("row") with probability ``p``, and scale the rest by ``1 / (1 - p)``.

    Source: https://arxiv.org/abs/1603.09382.

    >>> stochastic_depth(dovetail.ones(2), 0.5, "row", training=False)
    tensor([1., 1.])
    """
    check_chance("stochastic_depth", p)
    if mode not in ("batch", "row"):
        raise ValueRangeError("stochastic_depth", f"mode is {mode!r}", 'expected "batch" or "row"')
    if not training or p == 0.0:
        return input
    rows = input.shape[0] if mode == "row" else 1
    kept = dovetail.empty([rows] + [1] * (input.ndim - 1), dtype=input.dtype, device=input.device).bernoulli_(1.0 - p)
    return input * (kept.div_(1.0 - p) if p < 1.0 else kept)


class StochasticDepth(nn.Module):
    """``stochastic_depth`` while training, for the branch of a residual block.

    >>> StochasticDepth(0.2, "row").eval()(dovetail.ones(2))
    tensor([1., 1.])
    """

    def __init__(self, p: float, mode: str) -> None:
        super().__init__()
        self.p = p
        self.mode = mode

    def forward(self, input: Tensor) -> Tensor:
        return stochastic_depth(input, self.p, self.mode, self.training)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p}, mode={self.mode})"
