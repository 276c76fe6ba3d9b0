"""Random integers and permutations: ``randint``, ``random_``, ``randperm``."""

from __future__ import annotations

from operator import index
from typing import Any

import numpy as np

from ..errors import DtypeError
from ..generator import MersenneTwister
from .draws import Shape, demand, is_floating, largest, narrow, size_of

__all__ = ["randint", "random_", "randperm"]

_LOWEST, _HIGHEST = -(2**63), 2**63 - 1
_WIDE = 1 << 28  # from this range on PyTorch takes 64-bit draws, so that the remainder's skew stays small


def randint(gen: MersenneTwister, low: int, high: int, shape: Shape, dtype: Any = np.int64) -> np.ndarray:
    """Draw integers of [low, high): the stream of ``randint`` and of ``random_(low, high)``, bit for bit.

    A draw is reduced modulo high - low: a 32-bit draw below a range of 2²⁸, a 64-bit one from there on. For a floating type
    whose precision the bounds exceed they move inwards, so that no result rounds up to ``high``.
    Raises a RuntimeError where low >= high or the type cannot hold the bounds, a DtypeError for complex types.

    >>> randint(MersenneTwister().manual_seed(0), 0, 10, (4,))
    array([4, 9, 3, 0])
    """
    dtype = np.dtype(dtype)
    low, high = index(low), index(high)
    demand(low < high, "randint", f"low is {low} and high is {high}", "expected low < high")
    if is_floating(dtype):
        low, high = _inwards(low, high, _digits(dtype))
        demand(low < high, "randint", f"no {dtype} lies in the interval", f"expected a multiple of the spacing of {dtype} in it")
    _check_bounds("randint", dtype, low, high - 1)
    return _reduced(gen, high - low, low, shape, dtype)


def random_(gen: MersenneTwister, shape: Shape, dtype: Any = np.float32, low: int = 0, high: int | None = None) -> np.ndarray:
    """Draw over the type's full range: the stream of ``random_()`` and ``random_(low)``, bit for bit.

    Integers come from [0, max], floats from the integers up to 2^digits that the type holds exactly, bool from one bit.
    With ``low`` the range begins there; with low = -2**63 it is that of int64. With ``high`` this is ``randint``.
    Raises a RuntimeError where the type cannot hold ``low``, a DtypeError for complex and unsigned types above 8 bits.

    >>> random_(MersenneTwister().manual_seed(0), (3,), np.uint8)
    array([172,  47, 117], dtype=uint8)
    """
    dtype, count = np.dtype(dtype), size_of(shape)
    if high is not None:
        return randint(gen, low, high, shape, dtype)
    if low == _LOWEST:
        if dtype != np.int64 and (not is_floating(dtype) or dtype == np.float16):
            raise DtypeError("random_", f"dtype is {dtype}", "expected int64, float64, float32 or bfloat16 for 64-bit draws")
        return narrow(gen._long_words(count).view(np.int64), dtype).reshape(shape)
    top = _top(dtype)
    if low != 0:
        if is_floating(dtype):
            low, _ = _inwards(low, top, _digits(dtype))
        demand(low <= top, "random_", f"low is {low}", f"expected at most {top}")
        _check_bounds("random_", dtype, low, top)
        return _reduced(gen, top - low + 1, low, shape, dtype)
    if dtype.itemsize == 8:
        values = (gen._long_words(count) % np.uint64(top + 1)).view(np.int64)
    else:
        values = _remainders(gen, count, top + 1).astype(np.int64)
    return narrow(values, dtype).reshape(shape)


def randperm(gen: MersenneTwister, n: int, dtype: Any = np.int64) -> np.ndarray:
    """Draw a permutation of 0 … n - 1: the stream of ``randperm``, bit for bit.

    Fisher and Yates from the front: place i changes with place i + draw mod (n - i); n - 1 draws.
    Raises a RuntimeError for a negative n, or one that the type cannot count to, a DtypeError for bool and complex types.

    >>> randperm(MersenneTwister().manual_seed(0), 6)
    array([2, 5, 3, 0, 1, 4])
    """
    dtype, n = np.dtype(dtype), index(n)
    demand(n >= 0, "randperm", f"n is {n}", "expected n >= 0")
    if not is_floating(dtype) and dtype.kind not in "iu":
        raise DtypeError("randperm", f"dtype is {dtype}", "expected an integer or a floating type")
    limit = 2 ** _digits(dtype) + 1 if is_floating(dtype) else int(np.iinfo(dtype).max) + 1
    demand(n <= limit, "randperm", f"n is {n}", f"expected at most {limit}, to which {dtype} can count")
    if n < 2:
        return np.arange(n).astype(dtype)
    return exchanged(n, gen._words(n - 1)).astype(dtype, copy=False)


def exchanged(n: int, words: np.ndarray) -> np.ndarray:
    """The permutation of 0 … n - 1 that exchanges place i with place i + words[i] mod (n - i), for rising i."""
    places, order = np.arange(n - 1, dtype=np.uint32), list(range(n))
    for place, other in enumerate((words % (np.uint32(n) - places) + places).tolist()):  # a list's items are swapped three times as fast
        order[place], order[other] = order[other], order[place]
    return np.array(order)


def _reduced(gen: MersenneTwister, span: int, base: int, shape: Shape, dtype: np.dtype) -> np.ndarray:
    count = size_of(shape)
    if span < _WIDE:
        values = _remainders(gen, count, span).astype(np.int64)
        if base:
            values += base
    else:
        wide = gen._long_words(count)
        wide %= np.uint64(span)
        wide += np.uint64(base % 2**64)  # modulo 2^64, as the int64 result is
        values = wide.view(np.int64)
    return narrow(values, dtype).reshape(shape)


def _remainders(gen: MersenneTwister, count: int, span: int) -> np.ndarray:
    """Return 32-bit draws modulo span (at most 2³²) as uint32."""
    words = gen._words(count)
    if span & (span - 1) == 0:
        return words & np.uint32(span - 1)
    whole = words // np.uint32(span)  # NumPy divides with vector instructions, but takes remainders one by one
    whole *= np.uint32(span)
    np.subtract(words, whole, out=whole)
    return whole


def _digits(dtype: np.dtype) -> int:
    """Return the bits of precision of a floating type, the hidden one included."""
    return 8 if dtype.name == "bfloat16" else {2: 11, 4: 24, 8: 53}[dtype.itemsize]


def _top(dtype: np.dtype) -> int:
    """Return the largest number that random_() gives for this type."""
    if is_floating(dtype):
        return int(2 ** _digits(dtype))
    if dtype.kind == "b":
        return 1
    if dtype.kind == "i" or dtype == np.uint8:
        return int(np.iinfo(dtype).max)
    raise DtypeError("random_", f"dtype is {dtype}", "expected bool, uint8, a signed integer or a floating type", "name both bounds")


def _inwards(low: int, high: int, digits: int) -> tuple[int, int]:
    """Move the bounds to integers that a float of so many digits holds, where rounding would step outside them."""
    after = _rounded(low + 1, digits)
    if after < low:
        low = after + (1 << max(abs(low + 1).bit_length() - digits, 0))
    before = _rounded(high - 1, digits)
    if before >= high:
        high = before - (1 << max(abs(high - 1).bit_length() - digits, 0))
    return low, high


def _rounded(value: int, digits: int) -> int:
    """Return the integer nearest to value that has at most so many significant bits, halves to even."""
    shift = abs(value).bit_length() - digits
    if shift <= 0:
        return value
    kept, rest = divmod(abs(value), 1 << shift)
    half = 1 << (shift - 1)
    kept += rest > half or (rest == half and kept & 1)
    return (kept << shift) * (1 if value > 0 else -1)


def _check_bounds(where: str, dtype: np.dtype, first: int, last: int) -> None:
    if is_floating(dtype):
        least, most = -largest(dtype), largest(dtype)
    elif dtype.kind == "b":
        least, most = 0, 1
    elif dtype.kind in "iu":
        least, most = int(np.iinfo(dtype).min), min(int(np.iinfo(dtype).max), _HIGHEST)
    else:
        raise DtypeError(where, f"dtype is {dtype}", "expected bool, an integer or a floating type")
    if least <= first <= last <= most:  # and no text is formed
        return
    for name, value in (("low", first), ("the largest value", last)):
        demand(least <= value <= most, where, f"{name} is {value}", f"expected {least} to {most}, which {dtype} can hold")
