"""Rounded quotients, remainders, common divisors and operations on bits."""

from __future__ import annotations

from typing import Any

from ._op import Array, op, xp
from ._refuse import NotForType, integers_only, no_bools, no_zeros, type_name, underived, whole_numbers
from ._ufunc import ufunc
from .arithmetic import mul, neg, zero

__all__ = [
    "bitwise_and", "bitwise_left_shift", "bitwise_not", "bitwise_or", "bitwise_right_shift", "bitwise_xor", "floor_divide", "fmod", "gcd",
    "lcm", "remainder",
]  # fmt: skip
INPLACE_FUNCTIONS = ("gcd", "lcm")
INPLACE = tuple(n for n in __all__ if n not in INPLACE_FUNCTIONS)


def _check(name: str, input: Any, other: Any) -> bool:
    """Whether the operands are integers; then no divisor may be zero."""
    a = input if hasattr(input, "dtype") else other
    no_bools(name, a)
    if a.dtype.kind not in "iu":
        return False
    if a.size:
        no_zeros(name, other)
    return True


def _fmod(a: Any, b: Any) -> Any:
    return xp(a if hasattr(a, "dtype") else b).fmod(a, b)


def _rounded(stepwise: Any, f: Any, a: Any, b: Any) -> Any:
    """A rounded quotient f; of half precision by `stepwise`, rounding each step, but in float32 where the divisor is one number.

    These are the ways of PyTorch's kernels, which give different results.
    """
    a = a if hasattr(a, "dtype") else b.dtype.type(a)
    if a.dtype.itemsize != 2:
        return f(a, b)
    if getattr(b, "ndim", 0):
        return stepwise(a, b)
    return f(a.astype("f4"), b.astype("f4") if hasattr(b, "dtype") else b).astype(a.dtype)


def _truncated(a: Any, b: Any) -> Any:
    quotient = a / b
    return xp(quotient).trunc(quotient)


def _floored(a: Any, b: Any) -> Any:
    """``floor(a / b)`` by the remainder, each step rounded, as PyTorch's kernel has it."""
    m, rest = xp(b), _fmod(a, b)
    quotient = (a - rest) / b
    quotient = m.where((rest != 0) & ((b < 0) != (rest < 0)), quotient - quotient.dtype.type(1), quotient)
    whole = m.floor(quotient)
    whole = m.where(quotient - whole > 0.5, whole + whole.dtype.type(1), whole)
    exact = a / b
    return m.where(b == 0, exact, m.where(quotient != 0, whole, m.copysign(whole.dtype.type(0), exact)))


@op(halves=True)
def floor_divide(input: Array, other: Array) -> Array:
    """The quotient rounded down: ``floor(input / other)``, broadcast; integers stay integers.

    It has no gradient. Raises a DivisionByZero (RuntimeError) for an integer division by zero.

    >>> import dovetail as dv
    >>> dv.floor_divide(dv.tensor([7, -7]), 2)
    tensor([ 3, -4])
    """
    if _check("div_floor", input, other):
        return input // other
    return _rounded(_floored, lambda a, b: a // b, input, other)


floor_divide.vjp(underived("floor_divide"))


@op(halves=True)
def floor_quotient(input: Array, other: Array) -> Array:
    """``div(rounding_mode="floor")``: as floor_divide, with a gradient of zero."""
    return floor_divide.op.forward(input, other)


floor_quotient.vjp(lambda g: (zero(g), zero(g)))


@op(halves=True)
def truncated_quotient(input: Array, other: Array) -> Array:
    """``div(rounding_mode="trunc")``: the quotient rounded toward zero, with a gradient of zero."""
    if not _check("div_trunc", input, other):
        return _rounded(_truncated, _truncated, input, other)
    quotient = input // other
    return quotient + ((quotient < 0) & (quotient * other != input))


truncated_quotient.vjp(lambda g: (zero(g), zero(g)))


@op
def remainder(input: Array, other: Array) -> Array:
    """The remainder with the sign of the divisor: ``input - floor(input / other) * other``, broadcast.

    Raises a DivisionByZero (RuntimeError) for an integer division by zero.

    >>> import dovetail as dv
    >>> dv.remainder(dv.tensor([7, -7]), 3)
    tensor([1, 2])
    """
    if _check("remainder", input, other):
        return input % other
    rest = _fmod(input, other)
    return xp(rest).where((rest != 0) & ((rest < 0) != (other < 0)), rest + other, rest)


remainder.vjp(lambda g: g, lambda g, input, other: neg(mul(g, floor_quotient(input, other))))


@op
def fmod(input: Array, other: Array) -> Array:
    """The remainder with the sign of the dividend: ``input - trunc(input / other) * other``, broadcast.

    Raises a DivisionByZero (RuntimeError) for an integer division by zero.

    >>> import dovetail as dv
    >>> dv.fmod(dv.tensor([7, -7]), 3)
    tensor([ 1, -1])
    """
    _check("fmod", input, other)
    return _fmod(input, other)


fmod.vjp(lambda g: g, lambda g, input, other: neg(mul(g, truncated_quotient(input, other))))


@ufunc(check=whole_numbers)
def gcd(input: Array, other: Array) -> Array:
    """The greatest common divisor of integers, broadcast.

    >>> import dovetail as dv
    >>> dv.gcd(dv.tensor([12, 18]), dv.tensor([8]))
    tensor([4, 2])
    """


@ufunc(check=whole_numbers)
def lcm(input: Array, other: Array) -> Array:
    """The least common multiple of integers, broadcast.

    >>> import dovetail as dv
    >>> dv.lcm(dv.tensor([4, 6]), dv.tensor([6]))
    tensor([12,  6])
    """


# --- bits -----------------------------------------------------------------------------------------------------------


@ufunc(check=integers_only)
def bitwise_and(input: Array, other: Array) -> Array:
    """And of the bits of integers, or of bools: ``input & other``.

    >>> import dovetail as dv
    >>> dv.bitwise_and(dv.tensor([12, 10]), 6)
    tensor([4, 2])
    """


@ufunc(check=integers_only)
def bitwise_or(input: Array, other: Array) -> Array:
    """Or of the bits of integers, or of bools: ``input | other``.

    >>> import dovetail as dv
    >>> dv.bitwise_or(dv.tensor([12, 10]), 6)
    tensor([14, 14])
    """


@ufunc(check=integers_only)
def bitwise_xor(input: Array, other: Array) -> Array:
    """Exclusive or of the bits of integers, or of bools: ``input ^ other``.

    >>> import dovetail as dv
    >>> dv.bitwise_xor(dv.tensor([12, 10]), 6)
    tensor([10, 12])
    """


class _NoBits(NotForType, TypeError):
    """The complement of what has no bits: PyTorch raises a TypeError for ``~x``, a NotImplementedError for bitwise_not(x)."""


def _has_bits(op: str, a: Any) -> None:
    if a.dtype.kind not in "iub":
        text = "~ (operator.invert) is only implemented on integer and Boolean-type tensors"
        raise _NoBits(op, f'"bitwise_not_cpu" not implemented for {type_name(a.dtype)!r}', text)


@ufunc("invert", check=_has_bits)
def bitwise_not(input: Array) -> Array:
    """The complement of the bits of integers, or of bools: ``~input``.

    >>> import dovetail as dv
    >>> dv.bitwise_not(dv.tensor([0, 5]))
    tensor([-1, -6])
    """


@ufunc("left_shift", check=lambda _, a: whole_numbers("lshift", a))
def bitwise_left_shift(input: Array, other: Array) -> Array:
    """Shift the bits of integers to the left: ``input << other``.

    >>> import dovetail as dv
    >>> dv.bitwise_left_shift(dv.tensor([1, 3]), 2)
    tensor([ 4, 12])
    """


@ufunc("right_shift", check=lambda _, a: whole_numbers("rshift", a))
def bitwise_right_shift(input: Array, other: Array) -> Array:
    """Shift the bits of integers to the right, keeping the sign: ``input >> other``.

    >>> import dovetail as dv
    >>> dv.bitwise_right_shift(dv.tensor([12, -5]), 1)
    tensor([ 6, -3])
    """


OPERATORS = {
    "floordiv": floor_divide, "mod": remainder, "and": bitwise_and, "or": bitwise_or, "xor": bitwise_xor, "invert": bitwise_not,
    "lshift": bitwise_left_shift, "rshift": bitwise_right_shift,
}  # fmt: skip
