"""Transforms that resize, pad and crop."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import dovetail
from dovetail.errors import TypeMismatch, ValueRangeError

from ...tv_tensors import BoundingBoxes, Mask
from .._checks import FillFor, pair
from .._draws import uniform, whole
from . import functional as F
from ._base import Transform, has_any, passing_through, query_size
from .functional._geometry import Mode

__all__ = ["CenterCrop", "FiveCrop", "Pad", "RandomCrop", "RandomResizedCrop", "Resize", "TenCrop"]

_PAD_MODES = ("constant", "edge", "reflect", "symmetric")


class Resize(Transform):
    """Resize to ``size``: ``(h, w)``; an int for the smaller edge, the larger held at ``max_size``; None for the larger to ``max_size``.

    ``antialias`` widens the bilinear and bicubic filters when a tensor shrinks; Pillow always does.

    >>> Resize((4, 6))(dovetail.zeros(1, 8, 8)).shape
    dovetail.Size([1, 4, 6])
    """

    def __init__(
        self, size: int | Sequence[int] | None, interpolation: Mode = "bilinear", max_size: int | None = None, antialias: bool | None = True
    ) -> None:
        super().__init__()
        if size is None and not isinstance(max_size, int):
            raise ValueRangeError("Resize", f"size is None and max_size is {max_size!r}", "expected max_size to be an int then")
        if size is not None and not isinstance(size, int) and not (isinstance(size, Sequence) and len(size) in (1, 2)):
            raise ValueRangeError("Resize", f"size is {size!r}", "expected an int, a sequence of 1 or 2 ints, or None")
        self.size = [size] if isinstance(size, int) else size if size is None else list(size)
        self.interpolation = interpolation
        self.max_size = max_size
        self.antialias = antialias

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self._call_kernel(self._functional.resize, inpt, self.size, self.interpolation, self.max_size, self.antialias)


class CenterCrop(Transform):
    """Cut out the middle, ``(h, w)`` or an int for a square; a smaller image is first padded with 0.

    >>> CenterCrop(4)(dovetail.zeros(1, 8, 2)).shape
    dovetail.Size([1, 4, 4])
    """

    def __init__(self, size: int | Sequence[int]) -> None:
        super().__init__()
        self.size = pair(type(self).__name__, "size", size)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self._call_kernel(self._functional.center_crop, inpt, self.size)


def _check_padding(where: str, padding: Any, padding_mode: str) -> None:
    whole_numbers = isinstance(padding, (tuple, list)) and all(isinstance(side, int) for side in padding)
    if not isinstance(padding, int) and not (whole_numbers and len(padding) in (1, 2, 4)):
        raise ValueRangeError(where, f"padding is {padding!r}", "expected an int or 1, 2 or 4 of them")
    if padding_mode not in _PAD_MODES:
        raise ValueRangeError(where, f"padding_mode is {padding_mode!r}", f"expected one of {', '.join(_PAD_MODES)}")


class Pad(Transform):
    """Pad all sides by an int, or by ``(left-right, top-bottom)``, or by ``(left, top, right, bottom)``.

    ``padding_mode`` is "constant" (with ``fill``: a number, one a channel, or a dict by type), "edge", "reflect" or "symmetric".

    >>> Pad((1, 2))(dovetail.zeros(1, 4, 4)).shape
    dovetail.Size([1, 8, 6])
    """

    def __init__(self, padding: int | Sequence[int], fill: Any = 0, padding_mode: str = "constant") -> None:
        super().__init__()
        _check_padding(type(self).__name__, padding, padding_mode)
        self.padding = padding if isinstance(padding, int) else list(padding)
        self.fill = fill
        self._fill = FillFor(type(self).__name__, fill)
        self.padding_mode = padding_mode

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self._call_kernel(self._functional.pad, inpt, self.padding, self._fill(inpt), self.padding_mode)


class RandomCrop(Transform):
    """Cut out a box of ``size`` (``(h, w)`` or an int for a square) at a random place, after padding.

    ``pad_if_needed`` pads an image that is smaller than ``size``, which is otherwise a ``ValueRangeError``.

    >>> RandomCrop(8, padding=1)(dovetail.zeros(1, 8, 8)).shape
    dovetail.Size([1, 8, 8])
    """

    def __init__(
        self,
        size: int | Sequence[int],
        padding: int | Sequence[int] | None = None,
        pad_if_needed: bool = False,
        fill: Any = 0,
        padding_mode: str = "constant",
    ) -> None:
        super().__init__()
        self.size = pair("RandomCrop", "size", size)
        if pad_if_needed or padding is not None:
            _check_padding("RandomCrop", 0 if padding is None else padding, padding_mode)
        sides = [padding] if isinstance(padding, int) else list(padding or ())
        # [left, right, top, bottom], as torchvision shows it
        self.padding = [(sides * 4)[i] for i in (0, 2, 1, 3)] if padding and any(sides) else None
        self.pad_if_needed = pad_if_needed
        self.fill = fill
        self._fill = FillFor("RandomCrop", fill)
        self.padding_mode = padding_mode

    @staticmethod
    def get_params(img: Any, output_size: tuple[int, int]) -> tuple[int, int, int, int]:
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
        top = whole(0, height - new_height + 1)
        left = whole(0, width - new_width + 1)
        return top, left, new_height, new_width

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        height, width = query_size(flat_inputs)
        new_height, new_width = self.size
        left, right, top, bottom = self.padding or (0, 0, 0, 0)
        if self.pad_if_needed:
            down, across = max(new_height - height - top - bottom, 0), max(new_width - width - left - right, 0)
            left, right, top, bottom = left + across, right + across, top + down, bottom + down
        height, width = height + top + bottom, width + left + right
        if height < new_height or width < new_width:
            what = f"size is {(new_height, new_width)} but the image is {(height, width)}"
            raise ValueRangeError("RandomCrop", what, "expected an image at least as large", "pad_if_needed=True pads it")
        place = [whole(0, extra + 1) if extra else 0 for extra in (height - new_height, width - new_width)]
        cut = (height, width) != (new_height, new_width)
        return {"padding": [left, top, right, bottom], "box": (*place, new_height, new_width) if cut else None}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        if any(params["padding"]):
            inpt = self._call_kernel(self._functional.pad, inpt, params["padding"], self._fill(inpt), self.padding_mode)
        return inpt if params["box"] is None else self._call_kernel(self._functional.crop, inpt, *params["box"])


def _range(where: str, name: str, value: Any) -> Any:
    if not isinstance(value, Sequence) or len(value) != 2:
        raise TypeMismatch(where, f"{name} is {value!r}", "expected (smallest, largest)")
    if value[0] > value[1]:
        warnings.warn(f"{where}: {name} is {value!r}; expected (smallest, largest)", stacklevel=3)
    return value


@lru_cache
def logarithms(ratio: tuple[float, ...], dtype: dovetail.dtype) -> tuple[float, float]:
    """The logarithms of a range, in the type of the draws."""
    low, high = dovetail.log(dovetail.tensor([float(part) for part in ratio], dtype=dtype)).tolist()
    return low, high


def drawn_ratio(ratio: Sequence[float]) -> float:
    """A ratio, its logarithm drawn evenly."""
    return dovetail.exp(dovetail.tensor([uniform(*logarithms(tuple(ratio), dovetail.get_default_dtype()))])).item()


class RandomResizedCrop(Transform):
    """Cut out a random part and resize it to ``size``: the crop of Inception's training.

    ``scale`` is the range of its share of the area, ``ratio`` of width to height.

    >>> RandomResizedCrop(4)(dovetail.zeros(1, 8, 8)).shape
    dovetail.Size([1, 4, 4])
    """

    def __init__(
        self,
        size: int | Sequence[int],
        scale: Sequence[float] = (0.08, 1.0),
        ratio: Sequence[float] = (3.0 / 4.0, 4.0 / 3.0),
        interpolation: Mode = "bilinear",
        antialias: bool | None = True,
    ) -> None:
        super().__init__()
        self.size = pair("RandomResizedCrop", "size", size)
        self.scale = _range("RandomResizedCrop", "scale", scale)
        self.ratio = _range("RandomResizedCrop", "ratio", ratio)
        self.interpolation = interpolation
        self.antialias = antialias

    @staticmethod
    def get_params(img: Any, scale: Sequence[float], ratio: Sequence[float]) -> tuple[int, int, int, int]:
        """Draw a box: ``(top, left, height, width)``; after ten that do not fit, the largest in the middle."""
        return _drawn_box(*F.get_dimensions(img)[1:], scale, ratio)

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        return {"box": _drawn_box(*query_size(flat_inputs), self.scale, self.ratio)}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        box = params["box"]
        return self._call_kernel(self._functional.resized_crop, inpt, *box, self.size, self.interpolation, antialias=self.antialias)


def _drawn_box(height: int, width: int, scale: Sequence[float], ratio: Sequence[float]) -> tuple[int, int, int, int]:
    for _ in range(10):
        area = height * width * uniform(scale[0], scale[1])
        aspect = drawn_ratio(ratio)
        across, down = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < across <= width and 0 < down <= height:
            return whole(0, height - down + 1), whole(0, width - across + 1), down, across
    across, down = width, height
    if width / height < min(ratio):
        down = round(width / min(ratio))
    elif width / height > max(ratio):
        across = round(height * max(ratio))
    return (height - down) // 2, (width - across) // 2, down, across


class _Crops(Transform):
    """The base of those that make several images of one."""

    def check_inputs(self, flat_inputs: list[Any]) -> None:
        if has_any(flat_inputs, BoundingBoxes, Mask):
            raise TypeMismatch(type(self).__name__, "the sample holds boxes or masks", "expected images, videos and labels")

    def _call_kernel(self, functional: Callable[..., Any], inpt: Any, *args: Any, **kwargs: Any) -> Any:
        passing_through(self, inpt)
        return super()._call_kernel(functional, inpt, *args, **kwargs)


class FiveCrop(_Crops):
    """The four corners and the middle of an image, as a tuple.

    >>> len(FiveCrop(4)(dovetail.zeros(1, 8, 8)))
    5
    """

    def __init__(self, size: int | Sequence[int]) -> None:
        super().__init__()
        self.size = pair("FiveCrop", "size", size)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self._call_kernel(self._functional.five_crop, inpt, self.size)


class TenCrop(_Crops):
    """The four corners and the middle of an image and of its mirror image, as a tuple.

    >>> len(TenCrop(4)(dovetail.zeros(1, 8, 8)))
    10
    """

    def __init__(self, size: int | Sequence[int], vertical_flip: bool = False) -> None:
        super().__init__()
        self.size = pair("TenCrop", "size", size)
        self.vertical_flip = vertical_flip

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self._call_kernel(self._functional.ten_crop, inpt, self.size, self.vertical_flip)
