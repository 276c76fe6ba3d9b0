"""The interpolation modes, and Pillow's numbers for them."""

from __future__ import annotations

from enum import Enum

from PIL.Image import Resampling

from dovetail.errors import TypeMismatch, ValueRangeError

__all__ = ["PIL_FILTERS", "InterpolationMode", "interpolation_mode"]


class InterpolationMode(Enum):
    """How a value between pixels is found.

    Tensors take the first four; the last three are Pillow's alone.

    >>> InterpolationMode("bilinear")
    <InterpolationMode.BILINEAR: 'bilinear'>
    """

    NEAREST = "nearest"
    NEAREST_EXACT = "nearest-exact"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    BOX = "box"
    HAMMING = "hamming"
    LANCZOS = "lanczos"


PIL_FILTERS = {mode: Resampling[mode.name] for mode in InterpolationMode if mode is not InterpolationMode.NEAREST_EXACT}
_BY_NUMBER = {int(number): mode for mode, number in PIL_FILTERS.items()}
PIL_FILTERS[InterpolationMode.NEAREST_EXACT] = Resampling.NEAREST  # Pillow's nearest is the exact one


def interpolation_mode(where: str, value: InterpolationMode | int | str, names: bool = False) -> InterpolationMode:
    """The mode for a mode, for Pillow's number of it or, with ``names``, for its name.

    >>> interpolation_mode("resize", 2)
    <InterpolationMode.BILINEAR: 'bilinear'>
    """
    if isinstance(value, InterpolationMode):
        return value
    if names and isinstance(value, str):
        if value not in (known := [mode.value for mode in InterpolationMode]):
            raise ValueRangeError(where, f"interpolation is {value!r}", f"expected one of {', '.join(known)}")
        return InterpolationMode(value)
    if names and not isinstance(value, int):
        raise ValueRangeError(where, f"interpolation is {value!r}", "expected an InterpolationMode, its name or Pillow's number for one")
    if not isinstance(value, int):
        what = f"interpolation is {value!r}"
        raise TypeMismatch(where, what, "expected an InterpolationMode or Pillow's number for one")
    if value not in _BY_NUMBER:
        numbers = ", ".join(f"{number} {mode.value}" for number, mode in sorted(_BY_NUMBER.items()))
        raise ValueRangeError(where, f"interpolation is {value}", f"expected one of {numbers}")
    return _BY_NUMBER[value]
