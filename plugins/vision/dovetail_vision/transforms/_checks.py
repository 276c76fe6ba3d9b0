"""What constructors of transforms accept."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Number
from typing import Any

from dovetail.errors import TypeMismatch, ValueRangeError

__all__ = ["FillFor", "angles", "chance", "pair", "sequence"]


def sequence(where: str, name: str, value: Any, lengths: tuple[int, ...]) -> None:
    """Demand a sequence of one of these lengths."""
    wanted = f"expected a sequence of length {' or '.join(str(length) for length in lengths)}"
    if not isinstance(value, Sequence):
        raise TypeMismatch(where, f"{name} is {value!r}", wanted)
    if len(value) not in lengths:
        raise ValueRangeError(where, f"{name} is {value!r}", wanted)


def angles(where: str, name: str, value: Any, lengths: tuple[int, ...] = (2,)) -> list[float]:
    """A range of degrees; a number stands for ``(-number, number)``."""
    if isinstance(value, Number):
        if value < 0:  # type: ignore[operator]
            raise ValueRangeError(where, f"{name} is {value}", "expected 0 or more, or a range")
        return [float(-value), float(value)]  # type: ignore[operator, arg-type]
    sequence(where, name, value, lengths)
    return [float(angle) for angle in value]


def pair(where: str, name: str, value: Any) -> Any:
    """``(h, w)``, as it is; a number or a single one stands for both."""
    if isinstance(value, Number):
        return int(value), int(value)  # type: ignore[call-overload]
    if isinstance(value, Sequence) and len(value) == 1:
        return value[0], value[0]
    if not isinstance(value, Sequence) or len(value) != 2:
        kind = ValueRangeError if isinstance(value, Sequence) else TypeMismatch
        raise kind(where, f"{name} is {value!r}", "expected an int or (h, w)")
    return value


def chance(where: str, p: float) -> float:
    """A probability."""
    if not 0.0 <= p <= 1.0:
        raise ValueRangeError(where, f"p is {p}", "expected 0 to 1")
    return p


class FillFor:
    """The fill of each type of input: one for all, or a dict by type, with "others" for the rest."""

    def __init__(self, where: str, fill: Any) -> None:
        self.table = {key: self._plain(where, value) for key, value in (fill if isinstance(fill, dict) else {"others": fill}).items()}

    @staticmethod
    def _plain(where: str, fill: Any) -> float | list[float] | None:
        if fill is not None and not isinstance(fill, (Number, tuple, list)):
            raise TypeMismatch(where, f"fill is {fill!r}", "expected a number, one a channel, or a dict of them by type")
        return [float(part) for part in fill] if isinstance(fill, (tuple, list)) else fill  # type: ignore[return-value]

    def __call__(self, value: Any) -> float | list[float] | None:
        return self.table.get(type(value), self.table.get("others"))
