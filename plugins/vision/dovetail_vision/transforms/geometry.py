"""Transforms of single images that move pixels: resizing, cropping, flipping and turning."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Number
from typing import Any

from PIL import Image

from dovetail import Tensor, nn
from dovetail.errors import TypeMismatch, ValueRangeError

from . import functional as F
from ._interpolation import InterpolationMode, interpolation_mode
from ._single import OneImage, filled
from .v2 import crops, moves

__all__ = [
    "CenterCrop", "ElasticTransform", "FiveCrop", "Pad", "RandomAffine", "RandomCrop", "RandomHorizontalFlip", "RandomPerspective",
    "RandomResizedCrop", "RandomRotation", "RandomVerticalFlip", "Resize", "TenCrop",
]  # fmt: skip

Picture = Image.Image | Tensor
NEAREST, BILINEAR = InterpolationMode.NEAREST, InterpolationMode.BILINEAR


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

    get_params = staticmethod(crops.RandomCrop.get_params)

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


class CenterCrop(OneImage, crops.CenterCrop):
    """Cut out the middle, ``(h, w)`` or an int for a square; a smaller image is first padded with 0.

    >>> CenterCrop(4)(Image.new("L", (8, 2))).size
    (4, 4)
    """

    def shown(self) -> str:
        """The size."""
        return f"size={self.size}"


class Pad(OneImage, crops.Pad):
    """Pad all sides by an int, or by ``(left-right, top-bottom)``, or by ``(left, top, right, bottom)``.

    ``padding_mode`` is "constant" (with ``fill``), "edge", "reflect" or "symmetric".

    >>> Pad((1, 2))(Image.new("L", (4, 4))).size
    (6, 8)
    """

    def __init__(self, padding: int | Sequence[int], fill: float | Sequence[float] = 0, padding_mode: str = "constant") -> None:
        if not isinstance(padding, (Number, tuple, list)) or not isinstance(fill, (Number, tuple, list)):
            raise TypeMismatch("Pad", f"padding is {padding!r} and fill is {fill!r}", "expected numbers, or sequences of them")
        super().__init__(padding, fill, padding_mode)
        self.padding = padding  # type: ignore[assignment]

    def shown(self) -> str:
        """The three arguments."""
        return f"padding={self.padding}, fill={self.fill}, padding_mode={self.padding_mode}"


class RandomResizedCrop(OneImage, crops.RandomResizedCrop):
    """Cut out a random part and resize it to ``size``: the crop of Inception's training.

    ``scale`` is the range of its share of the area, ``ratio`` of width to height.

    >>> RandomResizedCrop(4)(Image.new("L", (8, 8))).size
    (4, 4)
    """

    def shown(self) -> str:
        """The arguments, ranges to four digits."""
        scale, ratio = (tuple(round(end, 4) for end in ends) for ends in (self.scale, self.ratio))
        return f"size={self.size}, scale={scale}, ratio={ratio}, interpolation={self.interpolation.value}, antialias={self.antialias}"


class FiveCrop(OneImage, crops.FiveCrop):
    """The four corners and the middle of an image, as a tuple.

    >>> len(FiveCrop(4)(Image.new("L", (8, 8))))
    5
    """

    def shown(self) -> str:
        """The size."""
        return f"size={self.size}"


class TenCrop(OneImage, crops.TenCrop):
    """The four corners and the middle of an image and of its mirror image, as a tuple.

    >>> len(TenCrop(4)(Image.new("L", (8, 8))))
    10
    """

    def shown(self) -> str:
        """The two arguments."""
        return f"size={self.size}, vertical_flip={self.vertical_flip}"


class RandomHorizontalFlip(OneImage, moves.RandomHorizontalFlip):
    """Mirror left and right with probability ``p``.

    >>> RandomHorizontalFlip()(Image.new("L", (8, 8))).size
    (8, 8)
    """

    def shown(self) -> str:
        """The probability."""
        return f"p={self.p}"


class RandomVerticalFlip(OneImage, moves.RandomVerticalFlip):
    """Mirror top and bottom with probability ``p``.

    >>> RandomVerticalFlip()(Image.new("L", (8, 8))).size
    (8, 8)
    """

    def shown(self) -> str:
        """The probability."""
        return f"p={self.p}"


class RandomRotation(OneImage, moves.RandomRotation):
    """Turn about ``center`` (default: the middle) by an angle from ``degrees``, a range or a number for ``(-degrees, degrees)``.

    ``expand`` makes room for the whole image; what comes from outside is ``fill``.

    >>> RandomRotation(90)(Image.new("L", (8, 8))).size
    (8, 8)
    """

    def __init__(
        self,
        degrees: float | Sequence[float],
        interpolation: InterpolationMode | int = NEAREST,
        expand: bool = False,
        center: Sequence[float] | None = None,
        fill: float | Sequence[float] | None = 0,
    ) -> None:
        super().__init__(degrees, interpolation, expand, center, filled("RandomRotation", fill))

    def shown(self) -> str:
        """The arguments; the centre where there is one."""
        center = "" if self.center is None else f", center={self.center}"
        return f"degrees={self.degrees}, interpolation={self.interpolation.value}, expand={self.expand}{center}, fill={self.fill}"


class RandomPerspective(OneImage, moves.RandomPerspective):
    """Look at the image from a random angle, with probability ``p``; ``distortion_scale``, 0 to 1, is how far corners move.

    >>> RandomPerspective(p=1.0)(Image.new("L", (8, 8))).size
    (8, 8)
    """

    def __init__(
        self,
        distortion_scale: float = 0.5,
        p: float = 0.5,
        interpolation: InterpolationMode | int = BILINEAR,
        fill: float | Sequence[float] | None = 0,
    ) -> None:
        super().__init__(distortion_scale, p, interpolation, filled("RandomPerspective", fill))

    def shown(self) -> str:
        """The probability."""
        return f"p={self.p}"


class RandomAffine(OneImage, moves.RandomAffine):
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
        interpolation: InterpolationMode | int = NEAREST,
        fill: float | Sequence[float] | None = 0,
        center: Sequence[float] | None = None,
    ) -> None:
        super().__init__(degrees, translate, scale, shear, interpolation, filled("RandomAffine", fill), center)

    def shown(self) -> str:
        """The degrees, and the arguments that are not the defaults."""
        parts = [f"degrees={self.degrees}"]
        parts += [f"{name}={value}" for name in ("translate", "scale", "shear") if (value := getattr(self, name)) is not None]
        if self.interpolation is not NEAREST:
            parts.append(f"interpolation={self.interpolation.value}")
        if self.fill != 0:
            parts.append(f"fill={self.fill}")
        if self.center is not None:
            parts.append(f"center={self.center}")
        return ", ".join(parts)


class ElasticTransform(OneImage, moves.ElasticTransform):
    """Move each pixel at random, ``alpha`` pixels at most, neighbours alike: the moves are blurred by ``sigma``; both may be ``(x, y)``.

    >>> ElasticTransform(sigma=1.0)(Image.new("L", (8, 8))).size
    (8, 8)
    """

    def __init__(
        self,
        alpha: float | Sequence[float] = 50.0,
        sigma: float | Sequence[float] = 5.0,
        interpolation: InterpolationMode | int = BILINEAR,
        fill: float | Sequence[float] = 0,
    ) -> None:
        if not isinstance(fill, (int, float, list, tuple)):
            raise TypeMismatch("ElasticTransform", f"fill is {fill!r}", "expected a number or one a channel")
        super().__init__(alpha, sigma, interpolation, [float(fill)] if isinstance(fill, (int, float)) else [float(part) for part in fill])

    def forward(self, tensor: Any) -> Any:
        return super().forward(tensor)

    def shown(self) -> str:
        """The arguments."""
        return f"alpha={self.alpha}, sigma={self.sigma}, interpolation={self.interpolation}, fill={self.fill}"
