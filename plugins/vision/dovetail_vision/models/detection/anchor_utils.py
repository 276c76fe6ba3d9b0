"""Anchors: the boxes, laid over every cell of the feature maps, that a detector's predictions start from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import dovetail
from dovetail import Tensor, nn
from dovetail.errors import AssertedError, ValueRangeError

from .image_list import ImageList

__all__ = ["AnchorGenerator", "DefaultBoxGenerator"]


def _cells(height: int, width: int, device: Any) -> tuple[Tensor, Tensor]:
    """Column and row of each cell, row by row."""
    y, x = dovetail.meshgrid(dovetail.arange(height, device=device), dovetail.arange(width, device=device), indexing="ij")
    return x.reshape(-1), y.reshape(-1)


class AnchorGenerator(nn.Module):
    """For each map, anchors of ``sizes[i]`` (side in pixels of the image) × ``aspect_ratios[i]`` (height over width) at every cell.

    Called with an `ImageList` and its maps: a list of (A, 4), xyxy, one an image. An AssertionError for as many maps as there are
    no sizes for.

    >>> from dovetail import zeros
    >>> anchors = AnchorGenerator(((8,), (16,)), ((1.0,), (0.5, 2.0)))
    >>> images = ImageList(zeros(1, 3, 16, 16), [(16, 16)])
    >>> anchors(images, [zeros(1, 4, 2, 2), zeros(1, 4, 1, 1)])[0][[0, 1, 4]]
    tensor([[ -4.,  -4.,   4.,   4.],
            [  4.,  -4.,  12.,   4.],
            [-11.,  -6.,  11.,   6.]])
    """

    def __init__(self, sizes: Any = ((128, 256, 512),), aspect_ratios: Any = ((0.5, 1.0, 2.0),)) -> None:
        super().__init__()
        if not isinstance(sizes[0], list | tuple):
            sizes = tuple((size,) for size in sizes)
        if not isinstance(aspect_ratios[0], list | tuple):
            aspect_ratios = (aspect_ratios,) * len(sizes)
        self.sizes = sizes
        self.aspect_ratios = aspect_ratios
        self.cell_anchors = [self.generate_anchors(*pair) for pair in zip(sizes, aspect_ratios, strict=False)]

    def generate_anchors(
        self, scales: Sequence[float], aspect_ratios: Sequence[float], dtype: Any = dovetail.float32, device: Any = "cpu"
    ) -> Tensor:
        """The anchors (R · S, 4) around the origin, in whole pixels."""
        side = dovetail.tensor(scales, dtype=dtype, device=device)
        tall = dovetail.tensor(aspect_ratios, dtype=dtype, device=device).sqrt()
        widths, heights = (1 / tall)[:, None] * side, tall[:, None] * side
        return (dovetail.stack([-widths, -heights, widths, heights], 2).reshape(-1, 4) / 2).round()

    def set_cell_anchors(self, dtype: Any, device: Any) -> None:
        """Bring the anchors around the origin to a type and device."""
        self.cell_anchors = [one.to(dtype=dtype, device=device) for one in self.cell_anchors]

    def num_anchors_per_location(self) -> list[int]:
        """How many anchors a cell of each map has."""
        return [len(s) * len(a) for s, a in zip(self.sizes, self.aspect_ratios, strict=False)]

    def grid_anchors(self, grid_sizes: Sequence[Sequence[int]], strides: Sequence[Sequence[Any]]) -> list[Tensor]:
        """The anchors of each map, all of a cell together, cells row by row."""
        if not len(grid_sizes) == len(strides) == len(self.cell_anchors):
            what = f"there are {len(grid_sizes)} feature maps and sizes for {len(self.cell_anchors)}"
            raise AssertedError("AnchorGenerator", what, "expected a tuple of sizes and one of aspect_ratios for each map")
        out = []
        for (height, width), (down, right), base in zip(grid_sizes, strides, self.cell_anchors, strict=True):
            x, y = _cells(height, width, base.device)
            shifts = dovetail.stack((x * right, y * down, x * right, y * down), 1)
            out.append((shifts[:, None] + base).reshape(-1, 4))
        return out

    def forward(self, image_list: ImageList, feature_maps: list[Tensor]) -> list[Tensor]:
        height, width = image_list.tensors.shape[-2:]
        grids = [tuple(one.shape[-2:]) for one in feature_maps]
        self.set_cell_anchors(feature_maps[0].dtype, feature_maps[0].device)
        anchors = dovetail.cat(self.grid_anchors(grids, [(height // h, width // w) for h, w in grids]))
        return [anchors] * len(image_list.image_sizes)


class DefaultBoxGenerator(nn.Module):
    """SSD's anchors: in each map's cell two squares, and two boxes for each of ``aspect_ratios[i]``. Page 6 of the paper.

    ``scales`` are parts of the image's size, evenly from ``min_ratio`` to ``max_ratio`` where they are not given; ``steps`` the
    pixels between cells (by default as the map divides the image); ``clip`` cuts sides to the image's. A ValueError for as many
    ``steps`` as there are no maps for. Source: https://arxiv.org/abs/1512.02325.

    >>> DefaultBoxGenerator([[2], [2, 3]]).num_anchors_per_location()
    [4, 6]
    """

    def __init__(
        self, aspect_ratios: list[list[int]], min_ratio: float = 0.15, max_ratio: float = 0.9, scales: list[float] | None = None,
        steps: list[int] | None = None, clip: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        count = len(aspect_ratios)
        if steps is not None and len(steps) != count:
            raise ValueRangeError("DefaultBoxGenerator", f"there are {count} aspect_ratios and {len(steps)} steps", "expected as many")
        self.aspect_ratios = aspect_ratios
        self.steps = steps
        self.clip = clip
        if scales is None and count > 1:
            scales = [min_ratio + (max_ratio - min_ratio) * k / (count - 1.0) for k in range(count)] + [1.0]
        self.scales = [min_ratio, max_ratio] if scales is None else scales
        self._wh_pairs = [self._sides(k) for k in range(count)]

    def _sides(self, k: int) -> Tensor:
        """Width and height of map ``k``'s boxes."""
        side, between = self.scales[k], math.sqrt(self.scales[k] * self.scales[k + 1])
        pairs = [[side, side], [between, between]]
        for ratio in self.aspect_ratios[k]:
            long, short = side * math.sqrt(ratio), side / math.sqrt(ratio)
            pairs += [[long, short], [short, long]]
        return dovetail.tensor(pairs, dtype=dovetail.float32)

    def num_anchors_per_location(self) -> list[int]:
        """How many boxes a cell of each map has."""
        return [2 + 2 * len(ratios) for ratios in self.aspect_ratios]

    def _grid_default_boxes(self, grid_sizes: list[Any], image_size: Any, dtype: Any = dovetail.float32) -> Tensor:
        """Centre and sides (A, 4), as parts of the image."""
        out = []
        for k, (height, width) in enumerate(grid_sizes):
            across, down = (width, height) if self.steps is None else (image_size[1] / self.steps[k], image_size[0] / self.steps[k])
            x, y = _cells(height, width, "cpu")
            centres = dovetail.stack(((x + 0.5) / across, (y + 0.5) / down), 1).to(dtype)
            sides = self._wh_pairs[k].clamp(0, 1) if self.clip else self._wh_pairs[k]
            count = len(sides)
            out.append(dovetail.cat((centres.repeat_interleave(count, 0), sides.repeat(height * width, 1)), 1))
        return dovetail.cat(out)

    def forward(self, image_list: ImageList, feature_maps: list[Tensor]) -> list[Tensor]:
        size = image_list.tensors.shape[-2:]
        boxes = self._grid_default_boxes([tuple(one.shape[-2:]) for one in feature_maps], size, feature_maps[0].dtype)
        boxes = boxes.to(feature_maps[0].device)
        scale = dovetail.tensor([size[1], size[0]], device=boxes.device)
        corners = [(boxes[:, :2] + sign * 0.5 * boxes[:, 2:]) * scale for sign in (-1, 1)]
        return [dovetail.cat(corners, -1) for _ in image_list.image_sizes]

    def __repr__(self) -> str:
        return f"{type(self).__name__}(aspect_ratios={self.aspect_ratios}, clip={self.clip}, scales={self.scales}, steps={self.steps})"
