"""RoIPool: the largest of the whole cells of each bin of a region."""

from __future__ import annotations

from collections.abc import Sequence

import dovetail
from dovetail import Tensor

from ._checks import pair
from ._roi import PoolLayer, as_rois, rounded

__all__ = ["RoIPool", "roi_pool"]


def cell_bounds(start: Tensor, size: Tensor, bins: int, last: int) -> tuple[Tensor, Tensor]:
    """The first cell of each bin and the one behind its last, (K, bins), not outside 0 to ``last``."""
    step = (size / bins)[:, None]
    i = dovetail.arange(bins, device=start.device)
    ends = (i * step).floor(), ((i + 1) * step).ceil()
    low, high = ((end + start[:, None]).long().clamp(0, last) for end in ends)
    return low, high


def roi_pool(input: Tensor, boxes: Tensor | Sequence[Tensor], output_size: int | Sequence[int], spatial_scale: float = 1.0) -> Tensor:
    """Regions of a feature map (N, C, H, W), each in ``output_size`` bins of whole cells: (K, C, PH, PW). An empty bin is 0.

    Arguments and errors as those of `roi_align`. Source: https://arxiv.org/abs/1504.08083.

    >>> from dovetail import arange, tensor
    >>> roi_pool(arange(16.0).reshape(1, 1, 4, 4), [tensor([[0.0, 0.0, 2.0, 2.0]])], 1)
    tensor([[[[10.]]]])
    """
    rois, (ph, pw) = as_rois("roi_pool", boxes, input), pair(output_size)
    channels, height, width = input.shape[1:]
    low, high = rounded(rois[:, 1:3] * spatial_scale), rounded(rois[:, 3:] * spatial_scale)
    size = (high - low + 1).clamp(min=1)
    y, y_end = cell_bounds(low[:, 1], size[:, 1], ph, height)
    x, x_end = cell_bounds(low[:, 0], size[:, 0], pw, width)
    table = input.permute(0, 2, 3, 1).reshape(-1, channels).contiguous()
    first = rois[:, 0].long()[:, None, None] * (height * width)
    with dovetail.no_grad():
        best, at = _largest(table, first, (y, y_end), (x, x_end), width)
    column = dovetail.arange(channels, device=input.device)
    out = table.reshape(-1)[at * channels + column] if table.numel() else best
    return dovetail.where(best > -dovetail.inf, out, 0).permute(0, 3, 1, 2).contiguous()


def _largest(table: Tensor, first: Tensor, y: tuple[Tensor, Tensor], x: tuple[Tensor, Tensor], width: int) -> tuple[Tensor, Tensor]:
    """The largest value of each bin and channel (K, PH, PW, C) and its row of the table; -inf for an empty bin."""
    (top, bottom), (left, right) = y, x
    shape = (top.shape[0], top.shape[1], left.shape[1], table.shape[1])
    best = dovetail.full(shape, -dovetail.inf, dtype=table.dtype, device=table.device)
    at = dovetail.zeros(shape, dtype=dovetail.int64, device=table.device)
    for i in range(int((bottom - top).max().item()) if top.numel() else 0):
        for j in range(int((right - left).max().item()) if left.numel() else 0):
            row, column = top + i, left + j
            inside = (row < bottom)[:, :, None] & (column < right)[:, None, :]
            cell = dovetail.where(inside, first + row[:, :, None] * width + column[:, None, :], 0)
            value = table.index_select(0, cell.reshape(-1)).reshape(shape)
            better = inside[..., None] & (value > best)
            best, at = dovetail.where(better, value, best), dovetail.where(better, cell[..., None], at)
    return best, at


class RoIPool(PoolLayer):
    """`roi_pool` as a layer.

    >>> from dovetail import ones, tensor
    >>> RoIPool(2, 1.0)(ones(1, 3, 8, 8), [tensor([[0.0, 0.0, 5.0, 5.0]])]).shape
    dovetail.Size([1, 3, 2, 2])
    """

    def forward(self, input: Tensor, rois: Tensor | Sequence[Tensor]) -> Tensor:
        return roi_pool(input, rois, self.output_size, self.spatial_scale)
