"""The range of the values of an image, by its element type."""

from __future__ import annotations

import dovetail

__all__ = ["max_value", "value_bits"]

_BITS = {
    dovetail.uint8: 8, dovetail.int8: 7, dovetail.int16: 15, dovetail.uint16: 16, dovetail.int32: 31, dovetail.int64: 63,
}  # fmt: skip


def value_bits(dtype: dovetail.dtype) -> int:
    """The number of bits of a value, without its sign.

    >>> value_bits(dovetail.int16)
    15
    """
    from dovetail.errors import TypeMismatch

    if dtype not in _BITS:
        raise TypeMismatch("value_bits", f"dtype is {dtype}", f"expected one of {', '.join(map(str, _BITS))}")
    return _BITS[dtype]


def max_value(dtype: dovetail.dtype) -> int:
    """White: the largest number of a whole type, 1 of others.

    >>> max_value(dovetail.uint8), max_value(dovetail.float32)
    (255, 1)
    """
    return (1 << _BITS[dtype]) - 1 if dtype in _BITS else 1
