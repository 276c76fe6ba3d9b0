"""Size: the shape of a tensor, a tuple that counts."""

from __future__ import annotations

import math
from typing import Any

__all__ = ["Size"]


class Size(tuple[int, ...]):
    """The lengths of a tensor's dimensions.

    >>> Size([2, 3]).numel(), Size([2, 3])
    (6, dovetail.Size([2, 3]))
    """

    __slots__ = ()

    def numel(self) -> int:
        """The number of elements: the product of the lengths."""
        return math.prod(self)

    def __repr__(self) -> str:
        return f"dovetail.Size([{', '.join(map(str, self))}])"

    __str__ = __repr__

    def __add__(self, other: Any) -> Size:
        return Size(tuple.__add__(self, tuple(other)))

    def __radd__(self, other: Any) -> Size:
        return Size(tuple(other) + tuple(self))

    def __getitem__(self, index: Any) -> Any:
        found = tuple.__getitem__(self, index)
        return Size(found) if isinstance(index, slice) else found

    def __mul__(self, count: Any) -> Size:
        return Size(tuple.__mul__(self, count))

    __rmul__ = __mul__
