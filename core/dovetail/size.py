"""Size: the shape of a tensor, a tuple that counts."""

from __future__ import annotations

import math
from collections.abc import Iterable
from operator import index
from typing import Any, SupportsIndex, overload

from .errors import TypeMismatch

__all__ = ["Size", "Spoken", "made"]


class Spoken(type):
    """The type of what prints under the package's name, which is another while ``import torch`` gives Dovetail."""

    package = "dovetail"

    def __repr__(cls) -> str:
        return type.__repr__(cls).replace("'dovetail.", f"'{Spoken.package}.", 1)


def _length(n: Any, at: int) -> int:
    try:
        return index(n)
    except TypeError:
        raise TypeMismatch("Size()", f"takes an iterable of 'int' (item {at} is {type(n).__name__!r})") from None


class Size(tuple[int, ...], metaclass=Spoken):
    """The lengths of a tensor's dimensions.

    >>> Size([2, 3]).numel(), Size([2, 3])
    (6, dovetail.Size([2, 3]))
    """

    __slots__ = ()

    def __new__(cls, lengths: Iterable[Any] = ()) -> Size:
        """Raises a TypeMismatch (TypeError) for what are no whole numbers."""
        return tuple.__new__(cls, [_length(n, at) for at, n in enumerate(lengths)])

    def numel(self) -> int:
        """The number of elements: the product of the lengths."""
        return math.prod(self)

    def __repr__(self) -> str:
        return f"{Spoken.package}.Size([{', '.join(map(str, self))}])"

    __str__ = __repr__

    def __add__(self, other: Any) -> Size:
        return Size(tuple.__add__(self, tuple(other)))

    def __radd__(self, other: Any) -> Size:
        return Size(tuple(other) + tuple(self))

    @overload  # type: ignore[override]
    def __getitem__(self, index: SupportsIndex) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> Size: ...
    def __getitem__(self, index: Any) -> Any:
        found = tuple.__getitem__(self, index)
        return Size(found) if isinstance(index, slice) else found

    def __mul__(self, count: Any) -> Size:
        return Size(tuple.__mul__(self, count))

    __rmul__ = __mul__


Size.__module__ = "dovetail"  # as users know it
made = tuple.__new__  # made(Size, lengths), of lengths that are known to be whole numbers
