"""Transforms of colours, and blurring."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dovetail
from dovetail import Tensor
from dovetail.errors import TypeMismatch, ValueRangeError

from .._checks import pair
from .._draws import happens, uniform
from ._base import RandomApplied, Transform, query_chw

__all__ = [
    "RGB", "ColorJitter", "GaussianBlur", "Grayscale", "RandomAdjustSharpness", "RandomAutocontrast", "RandomChannelPermutation",
    "RandomEqualize", "RandomGrayscale", "RandomInvert", "RandomPhotometricDistort", "RandomPosterize", "RandomSolarize",
]  # fmt: skip

Range = float | Sequence[float]


class Grayscale(Transform):
    """Grey, in 1 or 3 channels.

    >>> Grayscale()(dovetail.ones(3, 2, 2)).shape
    dovetail.Size([1, 2, 2])
    """

    def __init__(self, num_output_channels: int = 1) -> None:
        super().__init__()
        self.num_output_channels = num_output_channels

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self._call_kernel(self._functional.rgb_to_grayscale, inpt, self.num_output_channels)


class RandomGrayscale(RandomApplied):
    """Grey with probability ``p``; the number of channels stays.

    >>> RandomGrayscale(p=1.0)(dovetail.ones(3, 2, 2)).shape
    dovetail.Size([3, 2, 2])
    """

    def __init__(self, p: float = 0.1) -> None:
        super().__init__(p)

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        return {"channels": query_chw(flat_inputs)[0]}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self._call_kernel(self._functional.rgb_to_grayscale, inpt, params["channels"])


class RGB(Transform):
    """Three channels: a grey image's one is repeated.

    >>> RGB()(dovetail.ones(1, 2, 2)).shape
    dovetail.Size([3, 2, 2])
    """

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self._call_kernel(self._functional.grayscale_to_rgb, inpt)


def _spread(name: str, value: Any, centre: float, low: float, high: float) -> tuple[float, float] | None:
    if value is None:
        return None
    if isinstance(value, (int, float)):
        if value < 0:
            raise ValueRangeError("ColorJitter", f"{name} is {value}", "expected 0 or more, or a range")
        ends = [centre - float(value), centre + float(value)]
        ends[0] = max(ends[0], 0.0) if low == 0 else ends[0]
    elif isinstance(value, Sequence) and len(value) == 2:
        ends = [float(part) for part in value]
    else:
        raise TypeMismatch("ColorJitter", f"{name} is {value!r}", "expected a number or a range of two")
    if not low <= ends[0] <= ends[1] <= high:
        raise ValueRangeError(
            "ColorJitter", f"{name} is {value!r}, a range of {tuple(ends)}", f"expected an increasing one in {low} to {high}"
        )
    return None if ends[0] == ends[1] == centre else (ends[0], ends[1])


def _steps(functional: Any) -> tuple[Any, ...]:
    return functional.adjust_brightness, functional.adjust_contrast, functional.adjust_saturation, functional.adjust_hue


class ColorJitter(Transform):
    """Change brightness, contrast, saturation and hue at random, in random order.

    Each is a range of factors, or a number x for ``(max(0, 1 - x), 1 + x)``; hue is a range in -0.5 to 0.5, or a number x for ``(-x, x)``.

    >>> ColorJitter(0.4, hue=0.1)(dovetail.ones(3, 2, 2)).shape
    dovetail.Size([3, 2, 2])
    """

    def __init__(
        self, brightness: Range | None = None, contrast: Range | None = None, saturation: Range | None = None, hue: Range | None = None
    ) -> None:
        super().__init__()
        self.brightness = _spread("brightness", brightness, 1.0, 0, float("inf"))
        self.contrast = _spread("contrast", contrast, 1.0, 0, float("inf"))
        self.saturation = _spread("saturation", saturation, 1.0, 0, float("inf"))
        self.hue = _spread("hue", hue, 0.0, -0.5, 0.5)

    @staticmethod
    def get_params(
        brightness: Sequence[float] | None,
        contrast: Sequence[float] | None,
        saturation: Sequence[float] | None,
        hue: Sequence[float] | None,
    ) -> tuple[Tensor, float | None, float | None, float | None, float | None]:
        """Draw the order, then the factors: ``(order, brightness, contrast, saturation, hue)``, None for what stays."""
        order = dovetail.randperm(4)
        factors = [None if ends is None else uniform(ends[0], ends[1]) for ends in (brightness, contrast, saturation, hue)]
        return (order, *factors)  # type: ignore[return-value]

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        order, *factors = self.get_params(self.brightness, self.contrast, self.saturation, self.hue)
        return {"order": order.tolist(), "factors": factors}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        steps = _steps(self._functional)
        for i in params["order"]:
            if params["factors"][i] is not None:
                inpt = self._call_kernel(steps[i], inpt, params["factors"][i])
        return inpt


class RandomPhotometricDistort(Transform):
    """Change brightness, contrast, saturation, hue and the order of the channels, each with probability ``p``, as SSD's training does.

    >>> RandomPhotometricDistort()(dovetail.ones(3, 2, 2)).shape
    dovetail.Size([3, 2, 2])
    """

    def __init__(
        self,
        brightness: Sequence[float] = (0.875, 1.125),
        contrast: Sequence[float] = (0.5, 1.5),
        saturation: Sequence[float] = (0.5, 1.5),
        hue: Sequence[float] = (-0.05, 0.05),
        p: float = 0.5,
    ) -> None:
        super().__init__()
        self.brightness = brightness
        self.contrast = contrast
        self.hue = hue
        self.saturation = saturation
        self.p = p

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        channels, _, _ = query_chw(flat_inputs)
        ranges = (self.brightness, self.contrast, self.saturation, self.hue)
        factors = [uniform(*ends) if happens(self.p) else None for ends in ranges]
        contrast_first = happens(0.5)
        order = dovetail.randperm(channels).tolist() if happens(self.p) else None
        return {"factors": factors, "steps": (0, 1, 2, 3) if contrast_first else (0, 2, 3, 1), "order": order}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        steps = _steps(self._functional)
        for i in params["steps"]:
            if params["factors"][i] is not None:
                inpt = self._call_kernel(steps[i], inpt, params["factors"][i])
        return inpt if params["order"] is None else self._call_kernel(self._functional.permute_channels, inpt, params["order"])


class RandomChannelPermutation(Transform):
    """Put the channels in a random order.

    >>> RandomChannelPermutation()(dovetail.ones(3, 2, 2)).shape
    dovetail.Size([3, 2, 2])
    """

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        return {"order": dovetail.randperm(query_chw(flat_inputs)[0]).tolist()}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self._call_kernel(self._functional.permute_channels, inpt, params["order"])


class RandomInvert(RandomApplied):
    """White minus the image, with probability ``p``.

    >>> RandomInvert(p=1.0)(dovetail.zeros(1, 1, 1)).item()
    1.0
    """

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self._call_kernel(self._functional.invert, inpt)


class RandomPosterize(RandomApplied):
    """Keep the highest ``bits`` bits of each value, with probability ``p``.

    >>> RandomPosterize(1, p=1.0)(dovetail.tensor([[[200]]], dtype=dovetail.uint8)).item()
    128
    """

    def __init__(self, bits: int, p: float = 0.5) -> None:
        super().__init__(p)
        self.bits = bits

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self._call_kernel(self._functional.posterize, inpt, self.bits)


class RandomSolarize(RandomApplied):
    """Invert what is at or above the threshold, with probability ``p``.

    >>> RandomSolarize(128, p=1.0)(dovetail.tensor([[[200]]], dtype=dovetail.uint8)).item()
    55
    """

    def __init__(self, threshold: float, p: float = 0.5) -> None:
        super().__init__(p)
        self.threshold = threshold

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self._call_kernel(self._functional.solarize, inpt, self.threshold)


class RandomAutocontrast(RandomApplied):
    """Stretch each channel to the whole range, with probability ``p``.

    >>> RandomAutocontrast(p=1.0)(dovetail.tensor([[[0.25, 0.5]]])).tolist()
    [[[0.0, 1.0]]]
    """

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self._call_kernel(self._functional.autocontrast, inpt)


class RandomEqualize(RandomApplied):
    """Spread the values of each channel evenly, with probability ``p``.

    >>> RandomEqualize(p=1.0)(dovetail.zeros(1, 4, 4, dtype=dovetail.uint8)).max().item()
    0
    """

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self._call_kernel(self._functional.equalize, inpt)


class RandomAdjustSharpness(RandomApplied):
    """Sharpen (a factor above 1) or blur (below 1), with probability ``p``.

    >>> RandomAdjustSharpness(2.0, p=1.0)(dovetail.ones(1, 4, 4)).mean().item()
    1.0
    """

    def __init__(self, sharpness_factor: float, p: float = 0.5) -> None:
        super().__init__(p)
        self.sharpness_factor = sharpness_factor

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self._call_kernel(self._functional.adjust_sharpness, inpt, self.sharpness_factor)


class GaussianBlur(Transform):
    """Blur with a Gaussian of ``kernel_size`` (odd, ``(x, y)`` or one for both), its ``sigma`` drawn from a range.

    >>> GaussianBlur(3)(dovetail.ones(1, 4, 4)).shape
    dovetail.Size([1, 4, 4])
    """

    def __init__(self, kernel_size: int | Sequence[int], sigma: Range = (0.1, 2.0)) -> None:
        super().__init__()
        self.kernel_size = pair("GaussianBlur", "kernel_size", kernel_size)
        if any(size <= 0 or size % 2 == 0 for size in self.kernel_size):
            raise ValueRangeError("GaussianBlur", f"kernel_size is {kernel_size!r}", "expected odd positive numbers")
        if not isinstance(sigma, (int, float, Sequence)):
            raise TypeMismatch("GaussianBlur", f"sigma is {sigma!r}", "expected a number or a range of two")
        ends = [sigma] if isinstance(sigma, (int, float)) else list(sigma)
        if len(ends) not in (1, 2) or not all(isinstance(end, (int, float)) for end in ends) or not 0.0 < ends[0] <= ends[-1]:
            raise ValueRangeError("GaussianBlur", f"sigma is {sigma!r}", "expected a positive number or an increasing range of two")
        self.sigma = [float(ends[0]), float(ends[-1])]

    @staticmethod
    def get_params(sigma_min: float, sigma_max: float) -> float:
        """Draw a sigma."""
        return uniform(sigma_min, sigma_max)

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        return {"sigma": self.get_params(*self.sigma)}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self._call_kernel(self._functional.gaussian_blur, inpt, self.kernel_size, [params["sigma"]] * 2)
