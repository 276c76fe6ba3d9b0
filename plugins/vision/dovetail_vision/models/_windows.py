"""Pictures cut into windows, in which attention looks: (N, H, W, C) and (N · windows, places, C)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dovetail
from dovetail import Tensor
from dovetail.nn import functional as F

__all__ = ["joined", "padded", "parted", "position_index", "regions"]


def padded(x: Tensor, window: Sequence[int]) -> Tensor:
    """The picture (N, H, W, C) with zeros at the right and below, so that windows fit.

    >>> padded(dovetail.zeros(1, 5, 8, 2), (4, 4)).shape
    dovetail.Size([1, 8, 8, 2])
    """
    return F.pad(x, (0, 0, 0, -x.shape[2] % window[1], 0, -x.shape[1] % window[0]))


def parted(x: Tensor, window: Sequence[int]) -> Tensor:
    """The picture (N, H, W, C) as its windows, row by row: (N · windows, places, C).

    >>> parted(dovetail.zeros(1, 8, 8, 2), (4, 4)).shape
    dovetail.Size([4, 16, 2])
    """
    n, height, width, c = x.shape
    a, b = window
    x = x.view(n, height // a, a, width // b, b, c).permute(0, 1, 3, 2, 4, 5)
    return x.reshape(-1, a * b, c)


def joined(x: Tensor, window: Sequence[int], n: int, sides: Sequence[int]) -> Tensor:
    """The pictures that were `parted`.

    >>> joined(dovetail.zeros(4, 16, 2), (4, 4), 1, (8, 8)).shape
    dovetail.Size([1, 8, 8, 2])
    """
    (a, b), (height, width) = window, sides
    x = x.view(n, height // a, width // b, a, b, -1).permute(0, 1, 3, 2, 4, 5)
    return x.reshape(n, height, width, -1)


def position_index(window: Sequence[int]) -> Tensor:
    """For each pair of places of a window the number of their relative position: (places, places).

    >>> position_index((1, 2))
    tensor([[1, 0],
            [2, 1]])
    """
    places = dovetail.stack(dovetail.meshgrid(*(dovetail.arange(side) for side in window), indexing="ij")).flatten(1)
    rows, columns = (places[:, :, None] - places[:, None, :]) + dovetail.tensor([[[side - 1]] for side in window])
    return rows * (2 * window[1] - 1) + columns


def regions(sides: Sequence[int], window: Sequence[int], shift: Sequence[int], device: Any = None) -> Tensor:
    """For each place of each window of a rolled picture, which of nine regions it came from: (windows, places).

    >>> regions((2, 4), (2, 2), (0, 1))
    tensor([[3, 3, 3, 3],
            [4, 5, 4, 5]])
    """
    numbers = []
    for side, size, by in zip(sides, window, shift, strict=True):
        at = dovetail.arange(side, device=device)
        numbers.append((at >= side - size).long() + (at >= side - by).long())
    return parted((3 * numbers[0][:, None] + numbers[1])[None, :, :, None], window).squeeze(-1)
