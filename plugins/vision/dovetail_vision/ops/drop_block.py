"""DropBlock: dropout of whole squares of a picture, or cubes of a video."""

from __future__ import annotations

import math
from typing import Any

import dovetail
from dovetail import Tensor, nn
from dovetail.errors import ValueRangeError
from dovetail.nn import functional as F

from ._checks import check_chance

__all__ = ["DropBlock2d", "DropBlock3d", "drop_block2d", "drop_block3d"]


def drop_block2d(input: Tensor, p: float, block_size: int, inplace: bool = False, eps: float = 1e-6, training: bool = True) -> Tensor:
    """Zero random squares of ``(N, C, H, W)``, a share ``p`` of it, and scale the rest: https://arxiv.org/abs/1810.12890.

    >>> drop_block2d(dovetail.ones(1, 1, 8, 8), 0.0, 3).sum().item()
    64.0
    """
    return _drop("drop_block2d", "(N, C, H, W)", F.max_pool2d, input, p, block_size, inplace, eps, training)


def drop_block3d(input: Tensor, p: float, block_size: int, inplace: bool = False, eps: float = 1e-6, training: bool = True) -> Tensor:
    """Zero random cubes of ``(N, C, D, H, W)``, a share ``p`` of it, and scale the rest.

    >>> drop_block3d(dovetail.ones(1, 1, 4, 4, 4), 0.0, 3).sum().item()
    64.0
    """
    return _drop("drop_block3d", "(N, C, D, H, W)", F.max_pool3d, input, p, block_size, inplace, eps, training)


def _drop(
    where: str, layout: str, grow: Any, input: Tensor, p: float, block_size: int, inplace: bool, eps: float, training: bool
) -> Tensor:
    check_chance(where, p)
    dims = layout.count(",") - 1
    if input.ndim != dims + 2:
        raise ValueRangeError(where, f"input has {input.ndim} dimensions", f"expected {layout}")
    if not training or p == 0.0:
        return input
    sides = input.shape[2:]
    size = min(block_size, *sides)
    if size % 2 == 0:
        raise ValueRangeError(where, f"block_size is {size}", "expected an odd number")
    free = [side - size + 1 for side in sides]
    share = p * math.prod(sides) / (size**dims * math.prod(free))
    centres = dovetail.empty(*input.shape[:2], *free, dtype=input.dtype, device=input.device).bernoulli_(share)
    dropped = grow(F.pad(centres, [size // 2] * (2 * dims)), size, stride=1, padding=size // 2)
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


class DropBlock3d(DropBlock2d):
    """``drop_block3d`` while training.

    >>> DropBlock3d(0.1, 3).eval()(dovetail.ones(1, 1, 4, 4, 4)).sum().item()
    64.0
    """

    def forward(self, input: Tensor) -> Tensor:
        return drop_block3d(input, self.p, self.block_size, self.inplace, self.eps, self.training)
