"""Transforms that move pixels: resizing, and random crops and affine maps."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Number
from typing import Any

from PIL import Image

import dovetail
from dovetail import Tensor, nn
from dovetail.errors import TypeMismatch, ValueRangeError

from . import functional as F
from ._interpolation import InterpolationMode, interpolation_mode

__all__ = ["RandomAffine", "RandomCrop", "Resize"]

Picture = Image.Image | Tensor


def _uniform(low: float, high: float) -> float:
    return dovetail.empty(1).uniform_(low, high).item()


class Resize(nn.Module):
    """Resize an image to ``size``: ``(h, w)``, or an int for the smaller edge, the larger one held at ``max_size`` at most.

    ``antialias`` widens the bilinear and bicubic filters when a tensor shrinks; Pillow always does.

    >>> Resize((4, 6))(Image.new("L", (8, 8))).size
    (6, 4)
    """

    def __init__(
        self,
        size: int | Sequence[int],
        interpolation: InterpolationMode | int = InterpolationMode.BILINEAR,
        max_size: int | None = None,
        antialias: bool | None = True,
    ) -> None:
        super().__init__()
        if not isinstance(size, (int, Sequence)):
            raise TypeMismatch("Resize", f"size is {size!r}", "expected an int or a sequence of 1 or 2 ints")
        if isinstance(size, Sequence) and len(size) not in (1, 2):
            raise ValueRangeError("Resize", f"size is {size!r}", "expected an int or a sequence of 1 or 2 ints")
        self.size = size
        self.max_size = max_size
        self.interpolation = interpolation_mode("Resize", interpolation)
        self.antialias = antialias

    def forward(self, img: Any) -> Any:
        return F.resize(img, self.size, self.interpolation, self.max_size, self.antialias)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(size={self.size}, interpolation={self.interpolation.value}, "
            f"max_size={self.max_size}, antialias={self.antialias})"
        )


class RandomCrop(nn.Module):
    """Cut out a box of ``size`` (``(h, w)`` or an int for a square) at a random place.

    ``padding`` (see ``functional.pad``) is added first; ``pad_if_needed`` also pads an image that is smaller than
    ``size``, which is otherwise a ``ValueRangeError``.

    >>> RandomCrop(8, padding=1)(Image.new("L", (8, 8))).size
    (8, 8)
    """

    def __init__(
        self,
        size: int | Sequence[int],
        padding: int | Sequence[int] | None = None,
        pad_if_needed: bool = False,
        fill: float | Sequence[float] = 0,
        padding_mode: str = "constant",
    ) -> None:
        super().__init__()
        edges = (int(size),) * 2 if isinstance(size, Number) else tuple(size) * (2 if len(size) == 1 else 1)
        if len(edges) != 2:
            raise ValueRangeError("RandomCrop", f"size is {size!r}", "expected an int or (h, w)")
        self.size = edges
        self.padding = padding
        self.pad_if_needed = pad_if_needed
        self.fill = fill
        self.padding_mode = padding_mode

    @staticmethod
    def get_params(img: Picture, output_size: tuple[int, int]) -> tuple[int, int, int, int]:
        """Draw a place: ``(top, left, height, width)``."""
        _, height, width = F.get_dimensions(img)
        new_height, new_width = output_size
        if height < new_height or width < new_width:
            raise ValueRangeError(
                "RandomCrop",
                f"size is {(new_height, new_width)} but the image is {(height, width)}",
                "expected an image at least as large",
                "pad_if_needed=True pads it",
            )
        if (height, width) == (new_height, new_width):
            return 0, 0, height, width
        top = dovetail.randint(0, height - new_height + 1, size=(1,)).item()
        left = dovetail.randint(0, width - new_width + 1, size=(1,)).item()
        return top, left, new_height, new_width

    def forward(self, img: Any) -> Any:
        if self.padding is not None:
            img = F.pad(img, self.padding, self.fill, self.padding_mode)
        _, height, width = F.get_dimensions(img)
        if self.pad_if_needed and width < self.size[1]:
            img = F.pad(img, [self.size[1] - width, 0], self.fill, self.padding_mode)
        if self.pad_if_needed and height < self.size[0]:
            img = F.pad(img, [0, self.size[0] - height], self.fill, self.padding_mode)
        return F.crop(img, *self.get_params(img, self.size))

    def __repr__(self) -> str:
        return f"{type(self).__name__}(size={self.size}, padding={self.padding})"


def _sequence(name: str, value: Any, lengths: tuple[int, ...]) -> None:
    wanted = f"expected a sequence of length {' or '.join(str(length) for length in lengths)}"
    if not isinstance(value, Sequence):
        raise TypeMismatch("RandomAffine", f"{name} is {value!r}", wanted)
    if len(value) not in lengths:
        raise ValueRangeError("RandomAffine", f"{name} is {value!r}", wanted)


def _angles(name: str, value: float | Sequence[float], lengths: tuple[int, ...]) -> list[float]:
    if isinstance(value, Number):
        if value < 0:
            raise ValueRangeError("RandomAffine", f"{name} is {value}", "expected 0 or more, or a range")
        return [float(-value), float(value)]
    _sequence(name, value, lengths)
    return [float(angle) for angle in value]


class RandomAffine(nn.Module):
    """Turn, shift, scale and shear an image at random about ``center`` (default: its middle).

    ``degrees`` is a range, or a number for ``(-degrees, degrees)``; ``translate`` the largest shift as fractions of width
    and height; ``scale`` a range; ``shear`` a range for x, or two of them for x and y, or a number. What comes from
    outside the image is ``fill``.

    >>> RandomAffine(10, translate=(0.1, 0.1))(Image.new("L", (8, 8))).size
    (8, 8)
    """

    def __init__(
        self,
        degrees: float | Sequence[float],
        translate: Sequence[float] | None = None,
        scale: Sequence[float] | None = None,
        shear: float | Sequence[float] | None = None,
        interpolation: InterpolationMode | int = InterpolationMode.NEAREST,
        fill: float | Sequence[float] | None = 0,
        center: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        self.degrees = _angles("degrees", degrees, (2,))
        if translate is not None:
            _sequence("translate", translate, (2,))
            if not all(0.0 <= part <= 1.0 for part in translate):
                raise ValueRangeError("RandomAffine", f"translate is {translate!r}", "expected fractions from 0 to 1")
        if scale is not None:
            _sequence("scale", scale, (2,))
            if min(scale) <= 0:
                raise ValueRangeError("RandomAffine", f"scale is {scale!r}", "expected positive numbers")
        if center is not None:
            _sequence("center", center, (2,))
        if not isinstance(fill, (Sequence, Number, type(None))):
            raise TypeMismatch("RandomAffine", f"fill is {fill!r}", "expected a number or one a channel")
        self.translate = translate
        self.scale = scale
        self.shear = None if shear is None else _angles("shear", shear, (2, 4))
        self.interpolation = interpolation_mode("RandomAffine", interpolation)
        self.fill = 0 if fill is None else fill
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
        angle = _uniform(degrees[0], degrees[1])
        shift = (0, 0)
        if translate is not None:
            reach_x, reach_y = float(translate[0] * img_size[0]), float(translate[1] * img_size[1])
            shift = (round(_uniform(-reach_x, reach_x)), round(_uniform(-reach_y, reach_y)))
        scale = 1.0 if scale_ranges is None else _uniform(scale_ranges[0], scale_ranges[1])
        shear_x = 0.0 if shears is None else _uniform(shears[0], shears[1])
        shear_y = 0.0 if shears is None or len(shears) != 4 else _uniform(shears[2], shears[3])
        return angle, shift, scale, (shear_x, shear_y)

    def forward(self, img: Any) -> Any:
        channels, height, width = F.get_dimensions(img)
        fill = self.fill
        if isinstance(img, Tensor):
            fill = [float(fill)] * channels if isinstance(fill, Number) else [float(part) for part in fill]
        drawn = self.get_params(self.degrees, self.translate, self.scale, self.shear, [width, height])
        return F.affine(img, *drawn, interpolation=self.interpolation, fill=fill, center=self.center)

    def __repr__(self) -> str:
        parts = [f"degrees={self.degrees}"]
        parts += [f"{name}={value}" for name in ("translate", "scale", "shear") if (value := getattr(self, name)) is not None]
        if self.interpolation is not InterpolationMode.NEAREST:
            parts.append(f"interpolation={self.interpolation.value}")
        if self.fill != 0:
            parts.append(f"fill={self.fill}")
        if self.center is not None:
            parts.append(f"center={self.center}")
        return f"{type(self).__name__}({', '.join(parts)})"
