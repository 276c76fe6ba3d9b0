"""Position-sensitive RoIPool: the average of whole cells, where every bin of a region reads channels of its own."""

from __future__ import annotations

from collections.abc import Sequence

from dovetail import Tensor

from ._checks import pair
from ._roi import PoolLayer, as_rois, box_taps, pooled, rounded
from .ps_roi_align import check_channels
from .roi_pool import cell_bounds

__all__ = ["PSRoIPool", "ps_roi_pool"]


def ps_roi_pool(input: Tensor, boxes: Tensor | Sequence[Tensor], output_size: int | Sequence[int], spatial_scale: float = 1.0) -> Tensor:
    """Averages of whole cells in which bin (i, j) reads channels of its own: (N, C · PH · PW, H, W) to (K, C, PH, PW).

    As in torchvision's forward pass the map's last row and column count in no bin, and here the gradient agrees with that.
    Arguments and errors as those of `ps_roi_align`. Source: https://arxiv.org/abs/1605.06409.

    >>> from dovetail import arange, tensor
    >>> maps = arange(4.0).reshape(1, 4, 1, 1).expand(1, 4, 6, 6)
    >>> ps_roi_pool(maps, [tensor([[1.0, 1.0, 4.0, 4.0]])], 2)
    tensor([[[[0., 1.],
              [2., 3.]]]])
    """
    rois, (ph, pw) = as_rois("ps_roi_pool", boxes, input), pair(output_size)
    check_channels("ps_roi_pool", input, (ph, pw))
    low, high = rounded(rois[:, 1:3] * spatial_scale), rounded(rois[:, 3:] * spatial_scale)
    size = (high - low).clamp(min=1)
    y = box_taps(*cell_bounds(low[:, 1], size[:, 1], ph, input.shape[2] - 1))
    x = box_taps(*cell_bounds(low[:, 0], size[:, 0], pw, input.shape[3] - 1))
    return pooled(input, rois[:, 0], y, x, sensitive=True)


class PSRoIPool(PoolLayer):
    """`ps_roi_pool` as a layer.

    >>> from dovetail import ones, tensor
    >>> PSRoIPool(2, 1.0)(ones(1, 12, 8, 8), [tensor([[0.0, 0.0, 5.0, 5.0]])]).shape
    dovetail.Size([1, 3, 2, 2])
    """

    def forward(self, input: Tensor, rois: Tensor | Sequence[Tensor]) -> Tensor:
        return ps_roi_pool(input, rois, self.output_size, self.spatial_scale)
