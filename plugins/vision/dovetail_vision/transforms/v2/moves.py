"""Transforms that flip, turn and bend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dovetail
from dovetail import Tensor
from dovetail.errors import TypeMismatch, ValueRangeError

from .._checks import FillFor, angles, sequence
from .._draws import uniform, whole
from . import functional as F
from ._base import RandomApplied, Transform, query_size
from .functional._geometry import Mode

__all__ = ["ElasticTransform", "RandomAffine", "RandomHorizontalFlip", "RandomPerspective", "RandomRotation", "RandomVerticalFlip"]


class RandomHorizontalFlip(RandomApplied):
    """Mirror left and right with probability ``p``.

    >>> import dovetail
    >>> RandomHorizontalFlip(p=1.0)(dovetail.tensor([[[1, 2]]])).tolist()
    [[[2, 1]]]
    """

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self._call_kernel(self._functional.hflip, inpt)


class RandomVerticalFlip(RandomApplied):
    """Mirror top and bottom with probability ``p``.

    >>> import dovetail
    >>> RandomVerticalFlip(p=1.0)(dovetail.tensor([[[1], [2]]])).tolist()
    [[[2], [1]]]
    """

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self._call_kernel(self._functional.vflip, inpt)


class RandomRotation(Transform):
    """Turn about ``center`` (default: the middle) by an angle from ``degrees``, a range or a number for ``(-degrees, degrees)``.

    ``expand`` makes room for the whole image; what comes from outside is ``fill``.

    >>> from PIL import Image
    >>> RandomRotation(90)(Image.new("L", (8, 8))).size
    (8, 8)
    """

    def __init__(
        self,
        degrees: float | Sequence[float],
        interpolation: Mode = "nearest",
        expand: bool = False,
        center: Sequence[float] | None = None,
        fill: Any = 0,
    ) -> None:
        super().__init__()
        self.degrees = angles("RandomRotation", "degrees", degrees)
        self.interpolation = interpolation
        self.expand = expand
        self.fill = fill
        self._fill = FillFor("RandomRotation", fill)
        if center is not None:
            sequence("RandomRotation", "center", center, (2,))
        self.center = center

    @staticmethod
    def get_params(degrees: Sequence[float]) -> float:
        """Draw an angle."""
        return uniform(float(degrees[0]), float(degrees[1]))

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        return {"angle": self.get_params(self.degrees)}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self._call_kernel(
            self._functional.rotate, inpt, params["angle"], self.interpolation, self.expand, self.center, self._fill(inpt)
        )


class RandomAffine(Transform):
    """Turn, shift, scale and shear an image at random about ``center`` (default: its middle).

    ``degrees`` is a range, or a number for ``(-degrees, degrees)``; ``translate`` the largest shift as fractions of width
    and height; ``scale`` a range; ``shear`` a range for x, or two of them for x and y, or a number. What comes from
    outside the image is ``fill``.

    >>> from PIL import Image
    >>> RandomAffine(10, translate=(0.1, 0.1))(Image.new("L", (8, 8))).size
    (8, 8)
    """

    def __init__(
        self,
        degrees: float | Sequence[float],
        translate: Sequence[float] | None = None,
        scale: Sequence[float] | None = None,
        shear: float | Sequence[float] | None = None,
        interpolation: Mode = "nearest",
        fill: Any = 0,
        center: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        self.degrees = angles("RandomAffine", "degrees", degrees)
        if translate is not None:
            sequence("RandomAffine", "translate", translate, (2,))
            if not all(0.0 <= part <= 1.0 for part in translate):
                raise ValueRangeError("RandomAffine", f"translate is {translate!r}", "expected fractions from 0 to 1")
        if scale is not None:
            sequence("RandomAffine", "scale", scale, (2,))
            if min(scale) <= 0:
                raise ValueRangeError("RandomAffine", f"scale is {scale!r}", "expected positive numbers")
        if center is not None:
            sequence("RandomAffine", "center", center, (2,))
        self.translate = translate
        self.scale = scale
        self.shear = None if shear is None else angles("RandomAffine", "shear", shear, (2, 4))
        self.interpolation = interpolation
        self.fill = fill
        self._fill = FillFor("RandomAffine", fill)
        self.center = center

    @staticmethod
    def get_params(
        degrees: Sequence[float],
        translate: Sequence[float] | None,
        scale_ranges: Sequence[float] | None,
        shears: Sequence[float] | None,
        img_size: Sequence[int],
    ) -> tuple[float, tuple[int, int], float, tuple[float, float]]:
        """Draw ``(angle, (right, down), scale, (shear_x, shear_y))``; ``img_size`` is ``(width, height)``."""
        angle = uniform(degrees[0], degrees[1])
        shift = (0, 0)
        if translate is not None:
            reach_x, reach_y = float(translate[0] * img_size[0]), float(translate[1] * img_size[1])
            shift = (round(uniform(-reach_x, reach_x)), round(uniform(-reach_y, reach_y)))
        scale = 1.0 if scale_ranges is None else uniform(scale_ranges[0], scale_ranges[1])
        shear_x = 0.0 if shears is None else uniform(shears[0], shears[1])
        shear_y = 0.0 if shears is None or len(shears) != 4 else uniform(shears[2], shears[3])
        return angle, shift, scale, (shear_x, shear_y)

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        height, width = query_size(flat_inputs)
        return {"drawn": self.get_params(self.degrees, self.translate, self.scale, self.shear, (width, height))}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self._call_kernel(
            self._functional.affine, inpt, *params["drawn"], interpolation=self.interpolation, fill=self._fill(inpt), center=self.center
        )


class RandomPerspective(RandomApplied):
    """Look at the image from a random angle, with probability ``p``; ``distortion_scale``, 0 to 1, is how far corners move.

    >>> from PIL import Image
    >>> RandomPerspective(p=1.0)(Image.new("L", (8, 8))).size
    (8, 8)
    """

    def __init__(self, distortion_scale: float = 0.5, p: float = 0.5, interpolation: Mode = "bilinear", fill: Any = 0) -> None:
        super().__init__(p)
        if not 0 <= distortion_scale <= 1:
            raise ValueRangeError("RandomPerspective", f"distortion_scale is {distortion_scale}", "expected 0 to 1")
        self.distortion_scale = distortion_scale
        self.interpolation = interpolation
        self.fill = fill
        self._fill = FillFor("RandomPerspective", fill)

    @staticmethod
    def get_params(width: int, height: int, distortion_scale: float) -> tuple[list[list[int]], list[list[int]]]:
        """Draw where the corners go: ``(startpoints, endpoints)``, ``[x, y]`` each, clockwise from the upper left."""
        across, down = int(distortion_scale * (width // 2)) + 1, int(distortion_scale * (height // 2)) + 1
        left, right = (0, across), (width - across, width)
        top, bottom = (0, down), (height - down, height)
        ends = [[whole(*x), whole(*y)] for x, y in ((left, top), (right, top), (right, bottom), (left, bottom))]
        return [[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]], ends

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        height, width = query_size(flat_inputs)
        return {"points": self.get_params(width, height, self.distortion_scale)}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self._call_kernel(self._functional.perspective, inpt, *params["points"], self.interpolation, self._fill(inpt))


def _two_numbers(name: str, value: Any) -> list[float]:
    if not isinstance(value, (int, float, Sequence)):
        raise TypeMismatch("ElasticTransform", f"{name} is {value!r}", "expected a number or (x, y)")
    both = [value] * 2 if isinstance(value, (int, float)) else list(value) * (2 if len(value) == 1 else 1)
    if len(both) != 2 or not all(isinstance(part, (int, float)) for part in both):
        raise ValueRangeError("ElasticTransform", f"{name} is {value!r}", "expected a number or (x, y)")
    return [float(part) for part in both]


class ElasticTransform(Transform):
    """Move each pixel at random, ``alpha`` pixels at most, neighbours alike: the moves are blurred by ``sigma``; both may be ``(x, y)``.

    >>> from PIL import Image
    >>> ElasticTransform(sigma=1.0)(Image.new("L", (8, 8))).size
    (8, 8)
    """

    def __init__(self, alpha: Any = 50.0, sigma: Any = 5.0, interpolation: Mode = "bilinear", fill: Any = 0) -> None:
        super().__init__()
        self.alpha = _two_numbers("alpha", alpha)
        self.sigma = _two_numbers("sigma", sigma)
        self.interpolation = interpolation
        self.fill = fill
        self._fill = FillFor("ElasticTransform", fill)

    @staticmethod
    def get_params(alpha: Sequence[float], sigma: Sequence[float], size: Sequence[int]) -> Tensor:
        """Draw a displacement ``(1, H, W, 2)`` for an image of ``size`` ``(H, W)``."""
        moves = []
        for reach, spread, length in zip(alpha, sigma, (size[1], size[0]), strict=True):
            move = dovetail.rand(1, 1, *size) * 2 - 1
            if spread > 0.0:
                width = int(8 * spread + 1) | 1  # odd
                move = F.gaussian_blur(move, [width, width], list(sigma))
            moves.append(move * reach / length)
        return dovetail.cat(moves, 1).permute(0, 2, 3, 1)

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        return {"displacement": self.get_params(self.alpha, self.sigma, query_size(flat_inputs))}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self._call_kernel(self._functional.elastic_transform, inpt, params["displacement"], self.interpolation, self._fill(inpt))
