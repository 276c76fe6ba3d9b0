"""Transforms that resize to a random size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dovetail

from ._base import Transform, query_size
from .functional._geometry import Mode

__all__ = ["RandomResize", "RandomShortestSize", "ScaleJitter"]


class _Resizing(Transform):
    interpolation: Mode
    antialias: bool | None

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self._call_kernel(self._functional.resize, inpt, params["size"], self.interpolation, antialias=self.antialias)


class RandomResize(_Resizing):
    """Resize the smaller edge to a size from ``min_size`` to ``max_size - 1``.

    >>> RandomResize(4, 5)(dovetail.zeros(1, 8, 6)).shape
    dovetail.Size([1, 5, 4])
    """

    def __init__(self, min_size: int, max_size: int, interpolation: Mode = "bilinear", antialias: bool | None = True) -> None:
        super().__init__()
        self.min_size = min_size
        self.max_size = max_size
        self.interpolation = interpolation
        self.antialias = antialias

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        return {"size": [int(dovetail.randint(self.min_size, self.max_size, ()))]}


class RandomShortestSize(_Resizing):
    """Resize the smaller edge to one of the sizes ``min_size``, the larger one held at ``max_size``.

    >>> RandomShortestSize([4], max_size=5)(dovetail.zeros(1, 8, 6)).shape
    dovetail.Size([1, 5, 3])
    """

    def __init__(
        self, min_size: int | Sequence[int], max_size: int | None = None, interpolation: Mode = "bilinear", antialias: bool | None = True
    ) -> None:
        super().__init__()
        self.min_size = [min_size] if isinstance(min_size, int) else list(min_size)
        self.max_size = max_size
        self.interpolation = interpolation
        self.antialias = antialias

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        height, width = query_size(flat_inputs)
        scale = self.min_size[int(dovetail.randint(len(self.min_size), ()))] / min(height, width)
        if self.max_size is not None:
            scale = min(scale, self.max_size / max(height, width))
        return {"size": (int(height * scale), int(width * scale))}


class ScaleJitter(_Resizing):
    """Resize to fit into ``target_size``, times a factor from ``scale_range``: https://arxiv.org/abs/2012.07177.

    >>> ScaleJitter((8, 8), (0.5, 0.5))(dovetail.zeros(1, 8, 6)).shape
    dovetail.Size([1, 4, 3])
    """

    def __init__(
        self,
        target_size: tuple[int, int],
        scale_range: tuple[float, float] = (0.1, 2.0),
        interpolation: Mode = "bilinear",
        antialias: bool | None = True,
    ) -> None:
        super().__init__()
        self.target_size = target_size
        self.scale_range = scale_range
        self.interpolation = interpolation
        self.antialias = antialias

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        height, width = query_size(flat_inputs)
        low, high = self.scale_range
        drawn = low + dovetail.rand(1) * (high - low)
        scale = min(self.target_size[1] / height, self.target_size[0] / width) * drawn
        return {"size": (int(height * scale), int(width * scale))}
