"""RoIAlign over a pyramid: each region is read from the map that suits its size."""

from __future__ import annotations

import math
from collections.abc import Sequence

import dovetail
from dovetail import Tensor, nn
from dovetail.errors import ValueRangeError

from ._checks import pair
from ._roi import as_rois
from ._utils import convert_boxes_to_roi_format as _convert_to_roi_format  # noqa: F401 (programs import it from here)
from .boxes import box_area
from .roi_align import roi_align

__all__ = ["LevelMapper", "MultiScaleRoIAlign", "initLevelMapper"]


class LevelMapper:
    """The level of the pyramid for each box: ``canonical_level + log2(√area / canonical_scale)``, rounded down, less ``k_min``.

    Source: equation 1 of https://arxiv.org/abs/1612.03144.

    >>> LevelMapper(2, 5)([dovetail.tensor([[0., 0, 50, 50], [0, 0, 224, 224]])])
    tensor([0, 2])
    """

    def __init__(self, k_min: int, k_max: int, canonical_scale: int = 224, canonical_level: int = 4, eps: float = 1e-6) -> None:
        self.k_min = k_min
        self.k_max = k_max
        self.s0 = canonical_scale
        self.lvl0 = canonical_level
        self.eps = eps

    def __call__(self, boxlists: Sequence[Tensor]) -> Tensor:
        side = dovetail.cat([box_area(boxes) for boxes in boxlists]).sqrt()
        level = (self.lvl0 + (side / self.s0).log2() + self.eps).floor()
        return level.clamp(self.k_min, self.k_max).long() - self.k_min


def initLevelMapper(k_min: int, k_max: int, canonical_scale: int = 224, canonical_level: int = 4, eps: float = 1e-6) -> LevelMapper:
    """A `LevelMapper` of these levels.

    >>> initLevelMapper(2, 5).s0
    224
    """
    return LevelMapper(k_min, k_max, canonical_scale, canonical_level, eps)


def _filter_input(x: dict[str, Tensor], featmap_names: Sequence[str]) -> list[Tensor]:
    return [one for name, one in x.items() if name in featmap_names]


def _infer_scale(feature: Tensor, original_size: Sequence[int]) -> float:
    """How much smaller a map is than the images: a power of two, by their heights."""
    return float(2.0 ** round(math.log2(feature.shape[-2] / original_size[0])))


def _setup_scales(
    features: Sequence[Tensor], image_shapes: Sequence[Sequence[int]], canonical_scale: int, canonical_level: int
) -> tuple[list[float], LevelMapper]:
    if not image_shapes:
        raise ValueRangeError("MultiScaleRoIAlign", "image_shapes is empty", "images list should not be empty")
    largest = [max(sides) for sides in zip(*image_shapes, strict=True)]
    scales = [_infer_scale(one, largest) for one in features]
    first, last = (-int(math.log2(scale)) for scale in (scales[0], scales[-1]))
    return scales, LevelMapper(first, last, canonical_scale, canonical_level)


def _multiscale_roi_align(
    x_filtered: Sequence[Tensor], boxes: list[Tensor], output_size: Sequence[int], sampling_ratio: int,
    scales: Sequence[float] | None, mapper: LevelMapper | None,
) -> Tensor:  # fmt: skip
    if scales is None or mapper is None:
        raise ValueRangeError("MultiScaleRoIAlign", f"scales is {scales}, mapper is {mapper}", "scales and mapper should not be None")
    rois = as_rois("MultiScaleRoIAlign", boxes, x_filtered[0])
    if len(x_filtered) == 1:
        return roi_align(x_filtered[0], rois, output_size, scales[0], sampling_ratio)
    levels = mapper(boxes)
    out = x_filtered[0].new_zeros((len(rois), x_filtered[0].shape[1], *output_size))
    for level, (one, scale) in enumerate(zip(x_filtered, scales, strict=False)):
        at = dovetail.where(levels == level)[0]
        out = out.index_add(0, at, roi_align(one, rois[at], output_size, scale, sampling_ratio))
    return out


class MultiScaleRoIAlign(nn.Module):
    """Regions read from the maps named in ``featmap_names``, each from the one whose cells suit its size: (K, C, PH, PW).

    Called with maps by name, boxes (L, 4), xyxy, of each image in the image's coordinates, and the images' sizes (height, width).
    The scales of the maps are taken from the first call. Raises a ValueError without images.

    >>> maps = {"0": dovetail.zeros(1, 4, 16, 16), "1": dovetail.zeros(1, 4, 8, 8)}
    >>> pool = MultiScaleRoIAlign(["0", "1"], 3, 2)
    >>> pool(maps, [dovetail.tensor([[0., 0, 20, 20], [0, 0, 60, 60]])], [(64, 64)]).shape
    dovetail.Size([2, 4, 3, 3])
    """

    def __init__(
        self,
        featmap_names: list[str],
        output_size: int | Sequence[int],
        sampling_ratio: int,
        *,
        canonical_scale: int = 224,
        canonical_level: int = 4,
    ) -> None:
        super().__init__()
        self.featmap_names = featmap_names
        self.sampling_ratio = sampling_ratio
        self.output_size = pair(output_size)
        self.scales: list[float] | None = None
        self.map_levels: LevelMapper | None = None
        self.canonical_scale = canonical_scale
        self.canonical_level = canonical_level

    def forward(self, x: dict[str, Tensor], boxes: list[Tensor], image_shapes: list[tuple[int, int]]) -> Tensor:
        maps = _filter_input(x, self.featmap_names)
        if self.scales is None or self.map_levels is None:
            self.scales, self.map_levels = _setup_scales(maps, image_shapes, self.canonical_scale, self.canonical_level)
        return _multiscale_roi_align(maps, boxes, self.output_size, self.sampling_ratio, self.scales, self.map_levels)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(featmap_names={self.featmap_names}, output_size={self.output_size}, "
            f"sampling_ratio={self.sampling_ratio})"
        )
