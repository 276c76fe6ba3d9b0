"""Augmentation by drawn chains of operations: AutoAugment, RandAugment, TrivialAugment and AugMix."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from PIL import Image

import dovetail
from dovetail import Tensor
from dovetail.errors import TypeMismatch, ValueRangeError

from ...tv_tensors import BoundingBoxes, KeyPoints, Mask, TVTensor, Video, wrap
from .._checks import FillFor
from .._draws import dirichlet
from .._policies import POLICIES, AutoAugmentPolicy
from .._values import max_value
from . import functional as F
from ._base import Transform, has_any
from ._tree import flatten
from .functional._geometry import Mode

__all__ = ["AugMix", "AutoAugment", "RandAugment", "TrivialAugmentWide"]

#: The strengths from weak to strong, or None for an operation without, and whether they come with a random sign.
Space = dict[str, tuple[Tensor | None, bool]]

_APPLY: dict[str, Callable[[Any, Any, float, dict[str, Any]], Any]] = {
    "Identity": lambda F, img, m, how: img,
    "ShearX": lambda F, img, m, how: F.affine(img, 0.0, [0, 0], 1.0, [math.degrees(math.atan(m)), 0.0], center=[0, 0], **how),
    "ShearY": lambda F, img, m, how: F.affine(img, 0.0, [0, 0], 1.0, [0.0, math.degrees(math.atan(m))], center=[0, 0], **how),
    "TranslateX": lambda F, img, m, how: F.affine(img, 0.0, [int(m), 0], 1.0, [0.0, 0.0], **how),
    "TranslateY": lambda F, img, m, how: F.affine(img, 0.0, [0, int(m)], 1.0, [0.0, 0.0], **how),
    "Rotate": lambda F, img, m, how: F.rotate(img, m, **how),
    "Brightness": lambda F, img, m, how: F.adjust_brightness(img, 1.0 + m),
    "Color": lambda F, img, m, how: F.adjust_saturation(img, 1.0 + m),
    "Contrast": lambda F, img, m, how: F.adjust_contrast(img, 1.0 + m),
    "Sharpness": lambda F, img, m, how: F.adjust_sharpness(img, 1.0 + m),
    "Posterize": lambda F, img, m, how: F.posterize(img, int(m)),
    "Solarize": lambda F, img, m, how: F.solarize(img, m),
    "AutoContrast": lambda F, img, m, how: F.autocontrast(img),
    "Equalize": lambda F, img, m, how: F.equalize(img),
    "Invert": lambda F, img, m, how: F.invert(img),
}


def _space(bins: int, shear: float, right: float, down: float, turn: float, change: float, bits: tuple[int, int]) -> Space:
    """The strengths of every operation; ``bits`` is how many the weakest posterizing keeps, and how many fewer the strongest."""
    line = dovetail.linspace
    kept = (bits[0] - dovetail.arange(bins) / ((bins - 1) / bits[1])).round().int()
    reach = {"ShearX": shear, "ShearY": shear, "TranslateX": right, "TranslateY": down, "Rotate": turn}
    signed: Space = {name: (line(0.0, most, bins), True) for name, most in reach.items()}
    signed |= {name: (line(0.0, change, bins), True) for name in ("Brightness", "Color", "Contrast", "Sharpness")}
    return signed | {
        "Posterize": (kept, False),
        "Solarize": (line(1.0, 0.0, bins), False),
        "AutoContrast": (None, False),
        "Equalize": (None, False),
    }


class _Augmenting(Transform):
    def __init__(self, *, interpolation: Mode = "nearest", fill: Any = None) -> None:
        super().__init__()
        self.interpolation = interpolation
        self.fill = fill
        self._fill = FillFor(type(self).__name__, fill)

    def _augmentation_space(self, num_bins: int, height: int, width: int) -> Space:
        """As RandAugment's and AutoAugment's authors chose it."""
        return {"Identity": (None, False), **_space(num_bins, 0.3, 150.0 / 331.0 * width, 150.0 / 331.0 * height, 30.0, 0.9, (8, 4))}

    def _space_for(self, num_bins: int, height: int, width: int) -> Space:
        """The strengths for an image of this size."""
        return self._augmentation_space(num_bins, height, width)

    @staticmethod
    def _draw(count: int) -> int:
        return int(dovetail.randint(count, ()))

    @staticmethod
    def _negative() -> bool:
        return dovetail.rand(()).item() <= 0.5

    def _threshold(self, image: Any, share: float) -> float:
        return share * (max_value(image.dtype) if isinstance(image, Tensor) else 255.0)

    def _apply(self, image: Any, name: str, magnitude: float, kind: Any) -> Any:
        magnitude = self._threshold(image, magnitude) if name == "Solarize" else magnitude
        return _APPLY[name](self._functional, image, magnitude, {"interpolation": self.interpolation, "fill": self._fill(kind)})

    def _step(self, image: Any, space: Space, number: int | None, most: int, kind: Any) -> Any:
        """One drawn operation; its strength has the ``number``, or is drawn below ``most``."""
        name = list(space)[self._draw(len(space))]
        strengths, signed = space[name]
        without = strengths is None or strengths.ndim == 0
        magnitude = 0.0 if without else float(strengths[self._draw(most) if number is None else number])  # type: ignore[index]
        if signed and self._negative():
            magnitude = -magnitude
        return self._apply(image, name, magnitude, kind)

    def augment(self, image: Any, height: int, width: int) -> Any:
        """The augmented image."""
        raise NotImplementedError(f"{type(self).__name__} does not define augment")

    def forward(self, *inputs: Any) -> Any:
        flat, rebuild = flatten(inputs if len(inputs) > 1 else inputs[0])
        if has_any(flat, BoundingBoxes, Mask, KeyPoints):
            raise TypeMismatch(type(self).__name__, "the sample holds boxes, masks or key points", "expected an image or a video")
        places = [i for i, wanted in enumerate(self._chosen(flat)) if wanted]
        if len(places) != 1:
            what = f"there are {len(places)} images in the sample" if places else "there is no image in the sample"
            raise TypeMismatch(type(self).__name__, what, "expected just one, a PIL image or a tensor (..., C, H, W)")
        image = flat[places[0]]
        flat[places[0]] = self.augment(image, *F.get_size(image))
        return rebuild(flat)


class AutoAugment(_Augmenting):
    """One of 25 learned sub-policies, drawn for each image: https://arxiv.org/abs/1805.09501.

    >>> AutoAugment()(dovetail.zeros(3, 8, 8, dtype=dovetail.uint8)).shape
    dovetail.Size([3, 8, 8])
    """

    def __init__(self, policy: AutoAugmentPolicy = AutoAugmentPolicy.IMAGENET, interpolation: Mode = "nearest", fill: Any = None) -> None:
        super().__init__(interpolation=interpolation, fill=fill)
        if policy not in POLICIES:
            raise ValueRangeError("AutoAugment", f"policy is {policy!r}", f"expected one of {', '.join(map(str, POLICIES))}")
        self.policy = policy
        self._policies = POLICIES[policy]

    @staticmethod
    def get_params(transform_num: int) -> tuple[int, Tensor, Tensor]:
        """Draw the number of a sub-policy, and for its two steps the chances and the signs."""
        return int(dovetail.randint(transform_num, (1,)).item()), dovetail.rand((2,)), dovetail.randint(2, (2,))

    def augment(self, image: Any, height: int, width: int) -> Any:
        """The augmented image."""
        space = self._space_for(10, height, width)
        for name, probability, number in self._policies[self._draw(len(self._policies))]:
            if dovetail.rand(()).item() > probability:
                continue
            strengths, signed = space.get(name, (None, False))
            magnitude = 0.0 if strengths is None else float(strengths[number])
            if signed and self._negative():
                magnitude = -magnitude
            image = self._apply(image, name, magnitude, image)
        return image


class RandAugment(_Augmenting):
    """``num_ops`` operations, drawn for each image, all of one strength: https://arxiv.org/abs/1909.13719.

    ``magnitude`` is the number of the strength among ``num_magnitude_bins``.

    >>> RandAugment()(dovetail.zeros(3, 8, 8, dtype=dovetail.uint8)).shape
    dovetail.Size([3, 8, 8])
    """

    def __init__(
        self, num_ops: int = 2, magnitude: int = 9, num_magnitude_bins: int = 31, interpolation: Mode = "nearest", fill: Any = None
    ) -> None:
        super().__init__(interpolation=interpolation, fill=fill)
        if not isinstance(num_ops, int) or num_ops < 0:
            raise ValueRangeError("RandAugment", f"num_ops is {num_ops!r}", "expected a whole number, 0 or more")
        self.num_ops = num_ops
        self.magnitude = magnitude
        self.num_magnitude_bins = num_magnitude_bins

    def augment(self, image: Any, height: int, width: int) -> Any:
        """The augmented image."""
        kind, space = image, self._space_for(self.num_magnitude_bins, height, width)
        for _ in range(self.num_ops):
            image = self._step(image, space, self.magnitude, 0, kind)
        return image


class TrivialAugmentWide(_Augmenting):
    """One operation of one strength, both drawn for each image: https://arxiv.org/abs/2103.10158.

    >>> TrivialAugmentWide()(dovetail.zeros(3, 8, 8, dtype=dovetail.uint8)).shape
    dovetail.Size([3, 8, 8])
    """

    def __init__(self, num_magnitude_bins: int = 31, interpolation: Mode = "nearest", fill: Any = None) -> None:
        super().__init__(interpolation=interpolation, fill=fill)
        self.num_magnitude_bins = num_magnitude_bins

    def _augmentation_space(self, num_bins: int, height: int, width: int) -> Space:
        return {"Identity": (None, False), **_space(num_bins, 0.99, 32.0, 32.0, 135.0, 0.99, (8, 6))}

    def augment(self, image: Any, height: int, width: int) -> Any:
        """The augmented image."""
        space = self._space_for(self.num_magnitude_bins, height, width)
        return self._step(image, space, None, self.num_magnitude_bins, image)


class AugMix(_Augmenting):
    """The image, mixed with ``mixture_width`` chains of drawn operations: https://arxiv.org/abs/1912.02781.

    ``severity``, 1 to 10, bounds the strengths; a chain has ``chain_depth`` operations, 1 to 3 where that is not positive;
    ``alpha`` is of the Dirichlet and Beta distributions of the shares; ``all_ops`` adds brightness, contrast, colour and sharpness.

    >>> AugMix()(dovetail.zeros(3, 8, 8, dtype=dovetail.uint8)).shape
    dovetail.Size([3, 8, 8])
    """

    def __init__(
        self,
        severity: int = 3,
        mixture_width: int = 3,
        chain_depth: int = -1,
        alpha: float = 1.0,
        all_ops: bool = True,
        interpolation: Mode = "bilinear",
        fill: Any = None,
    ) -> None:
        super().__init__(interpolation=interpolation, fill=fill)
        if not 1 <= severity <= 10:
            raise ValueRangeError("AugMix", f"severity is {severity}", "expected 1 to 10")
        self.severity = severity
        self.mixture_width = mixture_width
        self.chain_depth = chain_depth
        self.alpha = alpha
        self.all_ops = all_ops

    def _augmentation_space(self, num_bins: int, height: int, width: int) -> Space:
        space = _space(num_bins, 0.3, width / 3.0, height / 3.0, 30.0, 0.9, (4, 4))
        changes = {name: space.pop(name) for name in ("Brightness", "Color", "Contrast", "Sharpness")}
        return {**space, **changes} if self.all_ops else space

    def augment(self, image: Any, height: int, width: int) -> Any:
        """The augmented image."""
        pixels = F.pil_to_tensor(image) if isinstance(image, Image.Image) else image.as_subclass(Tensor)
        ndim = 5 if isinstance(image, Video) else 4  # the frames of a video share their weights
        batch = pixels.reshape([1] * max(ndim - pixels.ndim, 0) + list(pixels.shape))
        rows = [len(batch)] + [1] * (batch.ndim - 1)
        space = self._space_for(10, height, width)
        shares = dirichlet([self.alpha] * 2, len(batch)).to(batch.device)
        weights = dirichlet([self.alpha] * self.mixture_width, len(batch)).to(batch.device) * shares[:, 1:]
        mixed = shares[:, 0].reshape(rows) * batch
        for i in range(self.mixture_width):
            part = batch
            for _ in range(self.chain_depth if self.chain_depth > 0 else int(dovetail.randint(1, 4, size=(1,)).item())):
                part = self._step(part, space, None, self.severity, part)
            mixed = mixed + weights[:, i].reshape(rows) * part
        mixed = mixed.reshape(pixels.shape).to(pixels.dtype)
        if isinstance(image, Image.Image):
            return F.to_pil_image(mixed)
        return wrap(mixed, like=image) if isinstance(image, TVTensor) else mixed
