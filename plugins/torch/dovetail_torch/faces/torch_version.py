"""``dovetail.torch_version``: a version as text that compares as a version."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

__all__ = ["TorchVersion"]


class TorchVersion(str):
    """PyTorch's ``__version__``: compares with text, tuples and versions by their numbers.

    >>> TorchVersion("2.13.0") > "2.9", TorchVersion("2.13.0+dovetail") >= (2, 13)
    (True, True)
    """

    __slots__ = ()
    __ne__ = str.__ne__  # PyTorch's, too, differs from what == says

    def _order(self, other: Any) -> int | None:
        """-1, 0 or 1; None where the other is no version, so that text compares as text."""
        from packaging.version import InvalidVersion, Version

        if not isinstance(other, Version):
            other = ".".join(map(str, other)) if isinstance(other, Iterable) and not isinstance(other, str) else other
            try:
                other = Version(other)
            except (InvalidVersion, TypeError):
                return None
        mine = Version(self)
        return (mine > other) - (mine < other)

    def __lt__(self, other: Any) -> bool:
        order = self._order(other)
        return str.__lt__(self, other) if order is None else order < 0

    def __le__(self, other: Any) -> bool:
        order = self._order(other)
        return str.__le__(self, other) if order is None else order <= 0

    def __gt__(self, other: Any) -> bool:
        order = self._order(other)
        return str.__gt__(self, other) if order is None else order > 0

    def __ge__(self, other: Any) -> bool:
        order = self._order(other)
        return str.__ge__(self, other) if order is None else order >= 0

    def __eq__(self, other: object) -> bool:
        order = self._order(other)
        return str.__eq__(self, str(other)) if order is None else order == 0

    def __hash__(self) -> int:
        return str.__hash__(self)
