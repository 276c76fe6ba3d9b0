"""Small helpers that programs import from torchvision's ``_utils``."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, EnumMeta, auto
from typing import Any

from dovetail.errors import ValueRangeError

__all__ = ["StrEnum", "StrEnumMeta", "sequence_to_str"]


class StrEnumMeta(EnumMeta):
    """The type of enums whose members are found by their names."""

    auto = auto

    def from_str(self, member: str) -> Any:
        """The member of this name; a ValueError where there is none."""
        if member not in self.__members__:
            what = f"Unknown value '{member}' for {self.__name__}."
            raise ValueRangeError(self.__name__, what, f"expected one of {list(self.__members__)}")
        return self.__members__[member]


class StrEnum(Enum, metaclass=StrEnumMeta):
    """An enum of names.

    >>> StrEnum("Side", "LEFT RIGHT").from_str("LEFT").name
    'LEFT'
    """


def sequence_to_str(seq: Sequence[Any], separate_last: str = "") -> str:
    """The elements between quotes and commas, ``separate_last`` before the last.

    >>> sequence_to_str(["train", "val", "test"], "or ")
    "'train', 'val', or 'test'"
    """
    quoted = [f"'{item}'" for item in seq]
    if not separate_last or len(quoted) < 2:
        return ", ".join(quoted)
    return ", ".join(quoted[:-1]) + ("," if len(quoted) > 2 else "") + f" {separate_last}{quoted[-1]}"
