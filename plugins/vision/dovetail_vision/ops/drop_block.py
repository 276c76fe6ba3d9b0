"""DropBlock: dropout of whole squares of a picture, or cubes of a video."""

from __future__ import annotations

import dovetail
from dovetail import Tensor, nn
from dovetail.errors import ValueRangeError
from dovetail.nn import functional as F

from ._checks import check_chance

__all__ = ["DropBlock2d", "drop_block2d"]


def drop_block2d(input: Tensor, p: float, block_size: int, inplace: bool = False, eps: float = 1e-6, training: bool = True) -> Tensor:
    """Zero random squares of ``(N, C, H, W)``, a share ``p`` of it, and scale the rest: https://arxiv.org/abs/1810.12890.

    >>> drop_block2d(dovetail.ones(1, 1, 8, 8), 0.0, 3).sum().item()
    64.0
    """
    check_chance("drop_block2d", p)
    if input.ndim != 4:
        raise ValueRangeError("drop_block2d", f"input has {input.ndim} dimensions", "expected (N, C, H, W)")
    if not training or p == 0.0:
        return input
    count, channels, height, width = input.shape
    size = min(block_size, width, height)
    if size % 2 == 0:
        raise ValueRangeError("drop_block2d", f"block_size is {size}", "expected an odd number")
    free = (height - size + 1, width - size + 1)
    share = p * height * width / (size**2 * free[0] * free[1])
    centres = dovetail.empty(count, channels, *free, dtype=input.dtype, device=input.device).bernoulli_(share)
    dropped = F.max_pool2d(F.pad(centres, [size // 2] * 4), size, stride=1, padding=size // 2)
    kept = 1 - dropped
    scale = kept.numel() / (eps + kept.sum())
    return input.mul_(kept).mul_(scale) if inplace else input * kept * scale


class DropBlock2d(nn.Module):
    """``drop_block2d`` while training.

    >>> DropBlock2d(0.1, 3).eval()(dovetail.ones(1, 1, 8, 8)).sum().item()
    64.0
    """

    def __init__(self, p: float, block_size: int, inplace: bool = False, eps: float = 1e-6) -> None:
        super().__init__()
        self.p = p
        self.block_size = block_size
        self.inplace = inplace
        self.eps = eps

    def forward(self, input: Tensor) -> Tensor:
        return drop_block2d(input, self.p, self.block_size, self.inplace, self.eps, self.training)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p}, block_size={self.block_size}, inplace={self.inplace})"
