"""RoIAlign: the average of points between cells, for each bin of a region."""

from __future__ import annotations

from collections.abc import Sequence

from dovetail import Tensor

from ._checks import pair
from ._roi import PoolLayer, as_rois, pooled, sampled_taps

__all__ = ["RoIAlign", "roi_align"]


def roi_align(
    input: Tensor,
    boxes: Tensor | Sequence[Tensor],
    output_size: int | Sequence[int],
    spatial_scale: float = 1.0,
    sampling_ratio: int = -1,
    aligned: bool = False,
) -> Tensor:
    """Regions of a feature map (N, C, H, W), each in ``output_size`` bins: (K, C, PH, PW). After https://arxiv.org/abs/1703.06870.

    ``boxes`` are a list of (L, 4), xyxy, one an image, or (K, 5) with the number of the image first; ``spatial_scale`` turns their
    coordinates into those of the map; ``sampling_ratio`` points a side and bin are averaged (0 or less: as many as the bin is
    wide); ``aligned`` moves the boxes by half a cell, so that they mean centres. Boxes get no gradient. Raises an AssertionError
    for boxes of other shapes, a RuntimeError for boxes of another type than the map.

    >>> from dovetail import arange, tensor
    >>> roi_align(arange(16.0).reshape(1, 1, 4, 4), [tensor([[0.0, 0.0, 2.0, 2.0]])], 1, sampling_ratio=2)
    tensor([[[[5.]]]])
    """
    rois, (ph, pw) = as_rois("roi_align", boxes, input), pair(output_size)
    low, high = (rois[:, at] * spatial_scale - (0.5 if aligned else 0.0) for at in (slice(1, 3), slice(3, 5)))
    size = high - low if aligned else (high - low).clamp(min=1.0)
    y = sampled_taps(low[:, 1], size[:, 1], ph, sampling_ratio, input.shape[2])
    x = sampled_taps(low[:, 0], size[:, 0], pw, sampling_ratio, input.shape[3])
    return pooled(input, rois[:, 0], y, x)


class RoIAlign(PoolLayer):
    """`roi_align` as a layer.

    >>> from dovetail import ones, tensor
    >>> RoIAlign(2, 1.0, -1)(ones(1, 3, 8, 8), [tensor([[0.0, 0.0, 5.0, 5.0]])]).shape
    dovetail.Size([1, 3, 2, 2])
    """

    def __init__(self, output_size: int | Sequence[int], spatial_scale: float, sampling_ratio: int, aligned: bool = False) -> None:
        super().__init__(output_size, spatial_scale)
        self.sampling_ratio = sampling_ratio
        self.aligned = aligned

    def forward(self, input: Tensor, rois: Tensor | Sequence[Tensor]) -> Tensor:
        return roi_align(input, rois, self.output_size, self.spatial_scale, self.sampling_ratio, self.aligned)
