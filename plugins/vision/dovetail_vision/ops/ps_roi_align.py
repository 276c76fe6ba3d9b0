"""Position-sensitive RoIAlign, in which every bin of a region reads channels of its own."""

from __future__ import annotations

from collections.abc import Sequence

from dovetail import Tensor
from dovetail.errors import ShapeError

from ._checks import pair
from ._roi import PoolLayer, as_rois, pooled, sampled_taps

__all__ = ["PSRoIAlign", "ps_roi_align"]


def check_channels(where: str, input: Tensor, bins: tuple[int, int]) -> None:
    """A RuntimeError unless the channels can be shared out among the bins."""
    if input.shape[1] % (bins[0] * bins[1]):
        raise ShapeError(where, f"input has {input.shape[1]} channels", f"expected a multiple of {bins[0]} × {bins[1]}")


def ps_roi_align(
    input: Tensor, boxes: Tensor | Sequence[Tensor], output_size: int | Sequence[int], spatial_scale: float = 1.0, sampling_ratio: int = -1
) -> Tensor:
    """Aligned `roi_align` in which bin (i, j) reads channels of its own: (N, C · PH · PW, H, W) to (K, C, PH, PW).

    Source: https://arxiv.org/abs/1711.07264. Raises a RuntimeError for channels that are no multiple of PH · PW.

    >>> from dovetail import arange, tensor
    >>> maps = arange(4.0).reshape(1, 4, 1, 1).expand(1, 4, 6, 6)
    >>> ps_roi_align(maps, [tensor([[1.0, 1.0, 4.0, 4.0]])], 2)
    tensor([[[[0., 1.],
              [2., 3.]]]])
    """
    rois, (ph, pw) = as_rois("ps_roi_align", boxes, input), pair(output_size)
    check_channels("ps_roi_align", input, (ph, pw))
    low, high = (rois[:, at] * spatial_scale - 0.5 for at in (slice(1, 3), slice(3, 5)))
    y = sampled_taps(low[:, 1], (high - low)[:, 1], ph, sampling_ratio, input.shape[2])
    x = sampled_taps(low[:, 0], (high - low)[:, 0], pw, sampling_ratio, input.shape[3])
    return pooled(input, rois[:, 0], y, x, sensitive=True)


class PSRoIAlign(PoolLayer):
    """`ps_roi_align` as a layer.

    >>> from dovetail import ones, tensor
    >>> PSRoIAlign(2, 1.0, -1)(ones(1, 12, 8, 8), [tensor([[0.0, 0.0, 5.0, 5.0]])]).shape
    dovetail.Size([1, 3, 2, 2])
    """

    def __init__(self, output_size: int | Sequence[int], spatial_scale: float, sampling_ratio: int) -> None:
        super().__init__(output_size, spatial_scale)
        self.sampling_ratio = sampling_ratio

    def forward(self, input: Tensor, rois: Tensor | Sequence[Tensor]) -> Tensor:
        return ps_roi_align(input, rois, self.output_size, self.spatial_scale, self.sampling_ratio)
