"""Transforms of the colours of single images, blurring and erasing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PIL import Image  # noqa: F401 (for the examples)

from dovetail import Tensor
from dovetail.errors import ValueRangeError

from ._single import OneImage
from .v2 import color, mix

__all__ = [
    "ColorJitter", "GaussianBlur", "Grayscale", "RandomAdjustSharpness", "RandomAutocontrast", "RandomEqualize", "RandomErasing",
    "RandomGrayscale", "RandomInvert", "RandomPosterize", "RandomSolarize",
]  # fmt: skip

Range = float | Sequence[float]


class Grayscale(OneImage, color.Grayscale):
    """Grey, in 1 or 3 channels.

    >>> Grayscale()(Image.new("RGB", (4, 4))).mode
    'L'
    """

    def shown(self) -> str:
        """The number of channels."""
        return f"num_output_channels={self.num_output_channels}"


class RandomGrayscale(OneImage, color.RandomGrayscale):
    """Grey with probability ``p``; the number of channels stays.

    >>> RandomGrayscale(p=1.0)(Image.new("RGB", (4, 4))).mode
    'RGB'
    """

    def shown(self) -> str:
        """The probability."""
        return f"p={self.p}"


class ColorJitter(OneImage, color.ColorJitter):
    """Change brightness, contrast, saturation and hue at random, in random order.

    Each is a range of factors, or a number x for ``(max(0, 1 - x), 1 + x)``; hue is a range in -0.5 to 0.5, or a number x for ``(-x, x)``.

    >>> ColorJitter(0.4, hue=0.1)(Image.new("RGB", (4, 4))).size
    (4, 4)
    """

    def __init__(self, brightness: Range = 0, contrast: Range = 0, saturation: Range = 0, hue: Range = 0) -> None:
        super().__init__(brightness, contrast, saturation, hue)

    def shown(self) -> str:
        """The four ranges."""
        return f"brightness={self.brightness}, contrast={self.contrast}, saturation={self.saturation}, hue={self.hue}"


class GaussianBlur(OneImage, color.GaussianBlur):
    """Blur with a Gaussian of ``kernel_size`` (odd, ``(x, y)`` or one for both), its ``sigma`` drawn from a range.

    >>> GaussianBlur(3)(Image.new("RGB", (4, 4))).size
    (4, 4)
    """

    def __init__(self, kernel_size: int | Sequence[int], sigma: Range = (0.1, 2.0)) -> None:
        if isinstance(sigma, Sequence) and len(sigma) != 2:
            raise ValueRangeError("GaussianBlur", f"sigma is {sigma!r}", "expected a positive number or an increasing range of two")
        super().__init__(kernel_size, sigma)
        self.sigma = (sigma, sigma) if isinstance(sigma, (int, float)) else sigma  # type: ignore[assignment]

    def shown(self) -> str:
        """The two arguments."""
        return f"kernel_size={self.kernel_size}, sigma={self.sigma}"


class RandomInvert(OneImage, color.RandomInvert):
    """White minus the image, with probability ``p``.

    >>> RandomInvert(p=1.0)(Image.new("L", (1, 1))).getpixel((0, 0))
    255
    """

    def shown(self) -> str:
        """The probability."""
        return f"p={self.p}"


class RandomPosterize(OneImage, color.RandomPosterize):
    """Keep the highest ``bits`` bits of each byte, with probability ``p``.

    >>> RandomPosterize(1, p=1.0)(Image.new("L", (1, 1), 200)).getpixel((0, 0))
    128
    """

    def shown(self) -> str:
        """The two arguments."""
        return f"bits={self.bits},p={self.p}"


class RandomSolarize(OneImage, color.RandomSolarize):
    """Invert what is at or above the threshold, with probability ``p``.

    >>> RandomSolarize(128, p=1.0)(Image.new("L", (1, 1), 200)).getpixel((0, 0))
    55
    """

    def shown(self) -> str:
        """The two arguments."""
        return f"threshold={self.threshold},p={self.p}"


class RandomAutocontrast(OneImage, color.RandomAutocontrast):
    """Stretch each channel to the whole range, with probability ``p``.

    >>> RandomAutocontrast()(Image.new("L", (4, 4))).size
    (4, 4)
    """

    def shown(self) -> str:
        """The probability."""
        return f"p={self.p}"


class RandomEqualize(OneImage, color.RandomEqualize):
    """Spread the bytes of each channel evenly, with probability ``p``.

    >>> RandomEqualize()(Image.new("L", (4, 4))).size
    (4, 4)
    """

    def shown(self) -> str:
        """The probability."""
        return f"p={self.p}"


class RandomAdjustSharpness(OneImage, color.RandomAdjustSharpness):
    """Sharpen (a factor above 1) or blur (below 1), with probability ``p``.

    >>> RandomAdjustSharpness(2.0)(Image.new("L", (4, 4))).size
    (4, 4)
    """

    def shown(self) -> str:
        """The two arguments."""
        return f"sharpness_factor={self.sharpness_factor},p={self.p}"


class RandomErasing(OneImage, mix.RandomErasing):
    """Erase a random box of a tensor with probability ``p``: "Random Erasing Data Augmentation", https://arxiv.org/abs/1708.04896.

    ``scale`` is the range of its share of the area, ``ratio`` of its height to its width, ``value`` what it is filled with: a
    number, one a channel, or "random" for normal noise.

    >>> import dovetail
    >>> RandomErasing(p=1.0)(dovetail.ones(1, 8, 8)).min().item()
    0.0
    """

    _transformed_types = (Tensor,)

    def __init__(
        self,
        p: float = 0.5,
        scale: Sequence[float] = (0.02, 0.33),
        ratio: Sequence[float] = (0.3, 3.3),
        value: Any = 0,
        inplace: bool = False,
    ) -> None:
        super().__init__(p, scale, ratio, value, inplace)
        self.value = value

    def shown(self) -> str:
        """The arguments."""
        return f"p={self.p}, scale={self.scale}, ratio={self.ratio}, value={self.value}, inplace={self.inplace}"
