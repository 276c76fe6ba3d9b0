"""Transforms that erase a part, and those that mix the images of a batch."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from numbers import Number
from typing import Any

from PIL import Image

import dovetail
from dovetail import Tensor
from dovetail.errors import TypeMismatch, ValueRangeError
from dovetail.nn.functional import one_hot

from ...tv_tensors import BoundingBoxes, KeyPoints, Mask, Video, wrap
from .._draws import beta, uniform, whole
from . import functional as F
from ._base import RandomApplied, Transform, has_any, passing_through, query_chw, query_size
from ._labels import getter_of_labels
from ._tree import flatten
from .crops import drawn_ratio
from .functional import is_pure_tensor

__all__ = ["CutMix", "MixUp", "RandomErasing"]


class RandomErasing(RandomApplied):
    """Erase a random box with probability ``p``: "Random Erasing Data Augmentation", https://arxiv.org/abs/1708.04896.

    ``scale`` is the range of its share of the area, ``ratio`` of its height to its width, ``value`` what it is filled with: a
    number, one a channel, or "random" for normal noise.

    >>> RandomErasing(p=1.0)(dovetail.ones(1, 8, 8)).min().item()
    0.0
    """

    def __init__(
        self,
        p: float = 0.5,
        scale: Sequence[float] = (0.02, 0.33),
        ratio: Sequence[float] = (0.3, 3.3),
        value: Any = 0.0,
        inplace: bool = False,
    ) -> None:
        super().__init__(p)
        if not isinstance(value, (Number, str, tuple, list)):
            raise TypeMismatch("RandomErasing", f"value is {value!r}", 'expected a number, one a channel, or "random"')
        if isinstance(value, str) and value != "random":
            raise ValueRangeError("RandomErasing", f"value is {value!r}", 'the only text is "random"')
        if not isinstance(scale, Sequence) or not isinstance(ratio, Sequence):
            raise TypeMismatch("RandomErasing", f"scale is {scale!r} and ratio is {ratio!r}", "expected (smallest, largest) of both")
        if scale[0] > scale[1] or ratio[0] > ratio[1]:
            warnings.warn("RandomErasing: scale and ratio should be (smallest, largest)", stacklevel=2)
        if scale[0] < 0 or scale[1] > 1:
            raise ValueRangeError("RandomErasing", f"scale is {scale!r}", "expected shares from 0 to 1")
        self.scale = scale
        self.ratio = ratio
        self.value = None if isinstance(value, str) else [float(v) for v in (value if isinstance(value, (tuple, list)) else [value])]
        self.inplace = inplace
        self._value = self.value

    @staticmethod
    def get_params(
        img: Any, scale: Sequence[float], ratio: Sequence[float], value: Sequence[float] | None = None
    ) -> tuple[int, int, int, int, Any]:
        """Draw a box and what goes into it: ``(top, left, height, width, v)``; the image itself after ten that do not fit."""
        size = F.get_dimensions(img)
        return _drawn_hole(*size, scale, ratio, value) or (0, 0, size[1], size[2], img)

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        channels, height, width = query_chw(flat_inputs)
        if self._value is not None and len(self._value) not in (1, channels):
            raise ValueRangeError("RandomErasing", f"value is {self._value!r}", f"expected 1 number or {channels}, one a channel")
        return {"drawn": _drawn_hole(channels, height, width, self.scale, self.ratio, self._value)}

    def _call_kernel(self, functional: Callable[..., Any], inpt: Any, *args: Any, **kwargs: Any) -> Any:
        passing_through(self, inpt)
        return super()._call_kernel(functional, inpt, *args, **kwargs)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        if params["drawn"] is None:
            return inpt
        *box, v = params["drawn"]
        return self._call_kernel(self._functional.erase, inpt, *box, v, self.inplace)


def _drawn_hole(
    channels: int, height: int, width: int, scale: Sequence[float], ratio: Sequence[float], value: Sequence[float] | None
) -> tuple[int, int, int, int, Tensor] | None:
    for _ in range(10):
        area = height * width * uniform(scale[0], scale[1])
        aspect = drawn_ratio(ratio)
        down, across = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if down < height and across < width:
            noise = value is None
            v = dovetail.empty(channels, down, across).normal_() if noise else dovetail.tensor(list(value))[:, None, None]  # type: ignore[arg-type]
            return whole(0, height - down + 1), whole(0, width - across + 1), down, across, v
    return None


class _Mixed(Transform):
    def __init__(self, *, alpha: float = 1.0, num_classes: int | None = None, labels_getter: Any = "default") -> None:
        super().__init__()
        if not alpha > 0:
            raise ValueRangeError(type(self).__name__, f"alpha is {alpha!r}", "expected more than 0, as Beta(alpha, alpha) has it")
        self.alpha = float(alpha)
        self.num_classes = num_classes
        self._labels_getter = getter_of_labels(type(self).__name__, labels_getter)

    def forward(self, *inputs: Any) -> Any:
        sample = inputs if len(inputs) > 1 else inputs[0]
        flat, rebuild = flatten(sample)
        if has_any(flat, Image.Image, BoundingBoxes, Mask, KeyPoints):
            what = "the sample holds a PIL image, boxes, masks or key points"
            raise ValueRangeError(type(self).__name__, what, "expected a batch of tensors (N, C, H, W)")
        labels = self._checked(self._labels_getter(sample))
        chosen = self._chosen(flat)
        chosen[next(i for i, value in enumerate(flat) if value is labels)] = False
        images = [value for value, wanted in zip(flat, chosen, strict=True) if wanted]
        for image in images:
            if image.ndim != (5 if isinstance(image, Video) else 4) or len(image) != len(labels):
                what = f"images are {tuple(image.shape)} and labels {tuple(labels.shape)}"
                raise ValueRangeError(type(self).__name__, what, "expected a batch (N, C, H, W), of videos (N, T, C, H, W), and N labels")
        params = self.make_params(images)
        mixed = [self._mixed(value, params) if wanted else value for value, wanted in zip(flat, chosen, strict=True)]
        return rebuild([self._mix_labels(labels, params["share"]) if value is labels else value for value in mixed])

    def _mixed(self, inpt: Any, params: dict[str, Any]) -> Any:
        mixed = self.transform(inpt.as_subclass(Tensor), params)
        return mixed if is_pure_tensor(inpt) else wrap(mixed, like=inpt)

    def _checked(self, labels: Any) -> Tensor:
        name = type(self).__name__
        if not isinstance(labels, Tensor) or labels.ndim not in (1, 2):
            got = tuple(labels.shape) if isinstance(labels, Tensor) else type(labels).__name__
            raise ValueRangeError(name, f"labels are {got}", "expected a tensor (N,) of classes or (N, num_classes) of probabilities")
        if labels.ndim == 1 and self.num_classes is None:
            raise ValueRangeError(name, "num_classes is None and labels are classes", "expected num_classes")
        if labels.ndim == 2 and self.num_classes not in (None, labels.shape[1]):
            raise ValueRangeError(name, f"labels have {labels.shape[1]} classes and num_classes is {self.num_classes}", "expected the same")
        return labels

    def _mix_labels(self, labels: Tensor, share: float) -> Tensor:
        if labels.ndim == 1:
            labels = one_hot(labels, num_classes=self.num_classes)
        labels = labels if labels.is_floating_point() else labels.float()
        return labels.roll(1, 0) * (1.0 - share) + labels * share


class MixUp(_Mixed):
    """Mix each image of a batch with the one before it, and their labels likewise: https://arxiv.org/abs/1710.09412.

    ``images * λ + images.roll(1, 0) * (1 - λ)`` with λ from Beta(alpha, alpha). Images are ``(N, C, H, W)``, labels ``(N,)`` classes (with
    ``num_classes``) or ``(N, num_classes)`` probabilities; labels come out as probabilities. Use it on batches, after the loader.

    >>> images, labels = MixUp(num_classes=3)(dovetail.rand(4, 1, 2, 2), dovetail.tensor([0, 1, 2, 0]))
    >>> labels.shape
    dovetail.Size([4, 3])
    """

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        return {"share": beta(self.alpha)}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return inpt.roll(1, 0) * (1.0 - params["share"]) + inpt * params["share"]


class CutMix(_Mixed):
    """Put a box of the image before it into each image of a batch, and mix their labels by its area: https://arxiv.org/abs/1905.04899.

    The box covers ``1 - λ`` of the image, less where it reaches over the edge, with λ from Beta(alpha, alpha). Otherwise as :class:`MixUp`.

    >>> images, labels = CutMix(num_classes=3)(dovetail.rand(4, 1, 2, 2), dovetail.tensor([0, 1, 2, 0]))
    >>> labels.shape
    dovetail.Size([4, 3])
    """

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        share = beta(self.alpha)
        height, width = query_size(flat_inputs)
        x, y = whole(0, width), whole(0, height)
        half = 0.5 * math.sqrt(1.0 - share)
        across, down = int(half * width), int(half * height)
        left, top, right, bottom = max(x - across, 0), max(y - down, 0), min(x + across, width), min(y + down, height)
        return {"box": (left, top, right, bottom), "share": 1.0 - (right - left) * (bottom - top) / (width * height)}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        left, top, right, bottom = params["box"]
        mixed = inpt.clone()
        mixed[..., top:bottom, left:right] = inpt.roll(1, 0)[..., top:bottom, left:right]
        return mixed
