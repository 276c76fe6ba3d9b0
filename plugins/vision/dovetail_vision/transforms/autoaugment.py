"""AutoAugment, RandAugment, TrivialAugment and AugMix on single images, with the draws of torchvision's v1."""

from __future__ import annotations

from typing import Any

from PIL import Image  # noqa: F401 (for the examples)

import dovetail
from dovetail.errors import ValueRangeError

from . import functional
from ._interpolation import InterpolationMode
from ._policies import AutoAugmentPolicy
from ._single import OneImage
from .v2 import auto

__all__ = ["AugMix", "AutoAugment", "RandAugment", "TrivialAugmentWide"]

NEAREST = InterpolationMode.NEAREST


def _apply_op(img: Any, op_name: str, magnitude: float, interpolation: InterpolationMode, fill: Any) -> Any:
    """One operation, by the name that it has in the policies; what transforms of one's own are made of."""
    if op_name not in auto._APPLY:
        raise ValueRangeError("_apply_op", f"op_name is {op_name!r}", f"expected one of {', '.join(auto._APPLY)}")
    return auto._APPLY[op_name](functional, img, magnitude, {"interpolation": interpolation, "fill": fill})


class _Drawing(OneImage):
    """The draws of v1, which differ from those of v2; and thresholds in bytes."""

    @staticmethod
    def _draw(count: int) -> int:
        return int(dovetail.randint(count, (1,)).item())

    @staticmethod
    def _negative() -> bool:
        return bool(dovetail.randint(2, (1,)).item())

    def _space_for(self, num_bins: int, height: int, width: int) -> auto.Space:
        return self._augmentation_space(num_bins, (height, width))

    def _augmentation_space(self, num_bins: int, image_size: tuple[int, int]) -> auto.Space:
        """The strengths of every operation, which subclasses change: one tensor without dimensions where there are none."""
        space = super()._augmentation_space(num_bins, *image_size)  # type: ignore[misc]
        space["Solarize"] = (dovetail.linspace(255.0, 0.0, num_bins), False)
        return {name: (dovetail.tensor(0.0) if strengths is None else strengths, signed) for name, (strengths, signed) in space.items()}

    def _threshold(self, image: Any, share: float) -> float:
        return share


class AutoAugment(_Drawing, auto.AutoAugment):
    """One of 25 learned sub-policies, drawn for each image: https://arxiv.org/abs/1805.09501.

    >>> AutoAugment()(Image.new("RGB", (8, 8))).size
    (8, 8)
    """

    def __init__(
        self, policy: AutoAugmentPolicy = AutoAugmentPolicy.IMAGENET, interpolation: InterpolationMode | int = NEAREST, fill: Any = None
    ) -> None:
        super().__init__(policy, interpolation, fill)
        self.policies = self._policies

    def augment(self, image: Any, height: int, width: int) -> Any:
        """The augmented image."""
        number, chances, signs = self.get_params(len(self.policies))
        space = self._space_for(10, height, width)
        for i, (name, probability, strength) in enumerate(self.policies[number]):
            if chances[i].item() > probability:
                continue
            strengths, signed = space.get(name, (None, False))
            magnitude = 0.0 if strengths is None or strengths.ndim == 0 else float(strengths[strength])
            if signed and signs[i].item() == 0:
                magnitude = -magnitude
            image = self._apply(image, name, magnitude, image)
        return image

    def shown(self) -> str:
        """The policy and the fill."""
        return f"policy={self.policy}, fill={self.fill}"


class RandAugment(_Drawing, auto.RandAugment):
    """``num_ops`` operations, drawn for each image, all of one strength: https://arxiv.org/abs/1909.13719.

    >>> RandAugment()(Image.new("RGB", (8, 8))).size
    (8, 8)
    """

    def __init__(
        self,
        num_ops: int = 2,
        magnitude: int = 9,
        num_magnitude_bins: int = 31,
        interpolation: InterpolationMode | int = NEAREST,
        fill: Any = None,
    ) -> None:
        super().__init__(num_ops, magnitude, num_magnitude_bins, interpolation, fill)

    def shown(self) -> str:
        """The arguments."""
        bins = f"num_ops={self.num_ops}, magnitude={self.magnitude}, num_magnitude_bins={self.num_magnitude_bins}"
        return f"{bins}, interpolation={self.interpolation}, fill={self.fill}"


class TrivialAugmentWide(_Drawing, auto.TrivialAugmentWide):
    """One operation of one strength, both drawn for each image: https://arxiv.org/abs/2103.10158.

    >>> TrivialAugmentWide()(Image.new("RGB", (8, 8))).size
    (8, 8)
    """

    def _space_for(self, num_bins: int, height: int, width: int) -> auto.Space:
        return self._augmentation_space(num_bins)

    def _augmentation_space(self, num_bins: int, image_size: tuple[int, int] = (0, 0)) -> auto.Space:
        return super()._augmentation_space(num_bins, image_size)

    def shown(self) -> str:
        """The arguments."""
        return f"num_magnitude_bins={self.num_magnitude_bins}, interpolation={self.interpolation}, fill={self.fill}"


class AugMix(_Drawing, auto.AugMix):
    """The image, mixed with ``mixture_width`` chains of drawn operations: https://arxiv.org/abs/1912.02781.

    >>> AugMix()(Image.new("RGB", (8, 8))).size
    (8, 8)
    """

    def forward(self, orig_img: Any) -> Any:
        return super().forward(orig_img)

    def shown(self) -> str:
        """The arguments."""
        names = ("severity", "mixture_width", "chain_depth", "alpha", "all_ops", "interpolation", "fill")
        return ", ".join(f"{name}={getattr(self, name)}" for name in names)
