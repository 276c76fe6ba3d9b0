"""The base of the v2 transforms: which parts of a sample are transformed, and all of them with one draw."""

from __future__ import annotations

import enum
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from PIL import Image

import dovetail  # noqa: F401 (for the examples)
from dovetail import Tensor, nn
from dovetail.errors import TypeMismatch, ValueRangeError

from ... import tv_tensors
from .._checks import chance
from .._draws import happens
from . import functional
from ._tree import flatten
from .functional._kernels import is_pure_tensor, kernel_for

__all__ = [
    "RandomApplied", "Transform", "check_type", "get_bounding_boxes", "get_keypoints", "has_all", "has_any", "passing_through", "query_chw",
    "query_size",
]  # fmt: skip

Check = type | Callable[[Any], bool]


def check_type(obj: Any, types_or_checks: Sequence[Check]) -> bool:
    """Whether an object is of one of these types, or passes one of these checks.

    >>> check_type(3, (str, lambda value: value == 3))
    True
    """
    return any(isinstance(obj, check) if isinstance(check, type) else check(obj) for check in types_or_checks)


def has_any(flat_inputs: Sequence[Any], *types_or_checks: Check) -> bool:
    """Whether some of the objects are of one of these types, or pass one of these checks.

    >>> has_any([1, "a"], str)
    True
    """
    return any(check_type(value, types_or_checks) for value in flat_inputs)


def has_all(flat_inputs: Sequence[Any], *types_or_checks: Check) -> bool:
    """Whether there is an object for each of these types or checks.

    >>> has_all([1, "a"], str, float)
    False
    """
    return all(has_any(flat_inputs, check) for check in types_or_checks)


_IMAGES = (is_pure_tensor, tv_tensors.Image, Image.Image, tv_tensors.Video)
_SIZED = (*_IMAGES, tv_tensors.Mask, tv_tensors.BoundingBoxes, tv_tensors.KeyPoints)


def _only(flat_inputs: Sequence[Any], checks: Sequence[Check], ask: Callable[[Any], list[int]], what: str) -> tuple[int, ...]:
    """What all parts that pass the checks have in common."""
    found = {tuple(ask(value)) for value in flat_inputs if check_type(value, checks)}
    if not found:
        raise TypeMismatch("transform", "there is no image or video in the sample", "expected a PIL image or a tensor (..., C, H, W)")
    if len(found) > 1:
        raise ValueRangeError("transform", f"the sample has parts of {sorted(found)}", f"expected one {what} for all")
    return found.pop()


def query_chw(flat_inputs: Sequence[Any]) -> tuple[int, int, int]:
    """Channels, height and width of the images and videos in a sample, which must be one and the same.

    >>> query_chw([dovetail.zeros(3, 4, 5), "label"])
    (3, 4, 5)
    """
    return _only(flat_inputs, _IMAGES, functional.get_dimensions, "(C, H, W)")  # type: ignore[return-value]


def query_size(flat_inputs: Sequence[Any]) -> tuple[int, int]:
    """Height and width of the images, videos, masks, boxes and key points in a sample.

    >>> query_size([Image.new("L", (5, 4))])
    (4, 5)
    """
    return _only(flat_inputs, _SIZED, functional.get_size, "(H, W)")  # type: ignore[return-value]


def _first(flat_inputs: Sequence[Any], kind: type) -> Any:
    found = next((value for value in flat_inputs if isinstance(value, kind)), None)
    if found is None:
        raise ValueRangeError("transform", f"there are no {kind.__name__} in the sample", f"expected tv_tensors.{kind.__name__}")
    return found


def get_bounding_boxes(flat_inputs: Sequence[Any]) -> tv_tensors.BoundingBoxes:
    """The first ``BoundingBoxes`` in a sample. Raises a ValueRangeError (ValueError) where there are none."""
    return _first(flat_inputs, tv_tensors.BoundingBoxes)


def get_keypoints(flat_inputs: Sequence[Any]) -> tv_tensors.KeyPoints:
    """The first ``KeyPoints`` in a sample. Raises a ValueRangeError (ValueError) where there are none."""
    return _first(flat_inputs, tv_tensors.KeyPoints)


def passing_through(transform: Any, inpt: Any) -> None:
    """Warn that a transform which changes images leaves what lies in them as it is."""
    if isinstance(inpt, (tv_tensors.BoundingBoxes, tv_tensors.KeyPoints, tv_tensors.Mask)):
        warnings.warn(f"{type(transform).__name__}: tv_tensors.{type(inpt).__name__} pass as they are", stacklevel=4)


class Transform(nn.Module):
    """The base of the v2 transforms; a subclass defines ``transform``, and ``make_params`` if it draws.

    ``transform(image)``, ``transform(image, label)`` and ``transform({"image": …, "label": …})`` all work: samples may be
    nested. Images, videos, masks, boxes and key points (PIL and ``tv_tensors``) are transformed; where there is no image or video
    among them, the first plain tensor is taken for one. All else passes as it is.

    >>> class Negative(Transform):
    ...     def transform(self, inpt, params):
    ...         return 1 - inpt
    >>> Negative()(dovetail.zeros(1, 1, 2), 7)
    (tensor([[[1., 1.]]]), 7)
    """

    _transformed_types: tuple[Check, ...] = (Tensor, Image.Image)
    _functional: Any = functional  # whose functions are called; the transforms of single images have their own

    def __init__(self) -> None:
        super().__init__()

    def check_inputs(self, flat_inputs: list[Any]) -> None:
        """Raise for samples that the transform does not take."""

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draw what is random, once for all parts of the sample."""
        return {}

    def _call_kernel(self, functional: Callable[..., Any], inpt: Any, *args: Any, **kwargs: Any) -> Any:
        """What a function of ``v2.functional`` makes of a part; parts of a kind that it has nothing for pass."""
        return kernel_for(functional, type(inpt), passing=True)(inpt, *args, **kwargs)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Transform one part of the sample."""
        raise NotImplementedError(f"{type(self).__name__} does not define transform")

    def forward(self, *inputs: Any) -> Any:
        """Transform a sample."""
        flat, rebuild = flatten(inputs if len(inputs) > 1 else inputs[0])
        self.check_inputs(flat)
        return rebuild(self._transformed(flat))

    def _transformed(self, flat: list[Any]) -> list[Any]:
        chosen = self._chosen(flat)
        params = self.make_params([value for value, wanted in zip(flat, chosen, strict=True) if wanted])
        return [self.transform(value, params) if wanted else value for value, wanted in zip(flat, chosen, strict=True)]

    def _chosen(self, flat: list[Any]) -> list[bool]:
        """Which leaves are transformed. Of plain tensors the first alone, none beside an image or a video: labels are tensors too."""
        tensors_left = 0 if has_any(flat, Image.Image, tv_tensors.Image, tv_tensors.Video) else 1
        chosen = []
        for value in flat:
            wanted = check_type(value, self._transformed_types)
            if wanted and is_pure_tensor(value):
                wanted, tensors_left = tensors_left > 0, tensors_left - 1
            chosen.append(wanted)
        return chosen

    def extra_repr(self) -> str:
        """The public plain attributes."""
        shown = (bool, int, float, str, tuple, list, enum.Enum)
        public = ((name, value) for name, value in vars(self).items() if not name.startswith("_") and name != "training")
        return ", ".join(f"{name}={value}" for name, value in public if isinstance(value, shown))


class RandomApplied(Transform):
    """The base of transforms that happen with probability ``p``, and otherwise leave the sample as it is."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = chance(type(self).__name__, p)

    def forward(self, *inputs: Any) -> Any:
        sample = inputs if len(inputs) > 1 else inputs[0]
        flat, rebuild = flatten(sample)
        self.check_inputs(flat)
        return rebuild(self._transformed(flat)) if happens(self.p) else sample
