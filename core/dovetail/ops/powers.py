"""Powers and roots."""

from __future__ import annotations

from typing import Any

from ..autograd.node import CLASSES, Tensor
from ..errors import DtypeError
from ._op import Array, op, xp
from ._refuse import fits, no_bools
from ._ufunc import ufunc
from .arithmetic import held, mul
from .complex import real
from .inplace import write

__all__ = ["float_power", "pow", "rsqrt", "sqrt", "square"]
INPLACE = ("float_power", "pow")
INPLACE_FUNCTIONS = ("rsqrt", "sqrt", "square")


@op
def square(input: Array) -> Array:
    """The square of each element: ``input²``.

    >>> import dovetail as dv
    >>> dv.square(dv.tensor([-3., 2.]))
    tensor([9., 4.])
    """
    return input * input if input.dtype.kind != "b" else input.astype("int64")


square.vjp(lambda g, input: mul(g, mul(held(input), 2)))


@ufunc(dtypes="float")
def sqrt(input: Array) -> Array:
    """The square root of each element; NaN for negative ones.

    >>> import dovetail as dv
    >>> dv.sqrt(dv.tensor([4., 9.]))
    tensor([2., 3.])
    """


sqrt.vjp(lambda g, out: g / held(out * 2))


@op(dtypes="float")
def rsqrt(input: Array) -> Array:
    """One over the square root of each element: ``1 / √input``.

    >>> import dovetail as dv
    >>> dv.rsqrt(dv.tensor([4., 16.]))
    tensor([0.5000, 0.2500])
    """
    return 1 / xp(input).sqrt(input)


@rsqrt.vjp
def _(g: Any, out: Any) -> Any:
    return mul(mul(g, -0.5), held(_pow(out, 3)))  # in this order float16 overflows last


@op(name="pow")
def _pow(input: Array, exponent: Array) -> Array:
    if not hasattr(exponent, "dtype"):
        return _to_number(input, exponent)
    if exponent.dtype.kind in "iub":
        return _integers(input, exponent)
    return input**exponent


_SHORT: dict[Any, Any] = {  # common powers by multiplications and roots, as PyTorch has them
    2: lambda x: x * x,
    3: lambda x: x * x * x,
    0.5: lambda x: xp(x).sqrt(x),
    -0.5: lambda x: 1 / xp(x).sqrt(x),
    -1: lambda x: 1 / x,
    -2: lambda x: 1 / (x * x),
}


def _to_number(input: Any, exponent: Any) -> Any:
    """A power whose exponent is a Python number."""
    if input.dtype.kind == "b":
        return input | (not exponent)
    if input.dtype.kind not in "iu":
        short = _SHORT.get(exponent)
        return input**exponent if short is None else short(input)
    _no_inverse(exponent)
    return input**exponent


def _no_inverse(exponent: int) -> None:
    if exponent < 0:
        raise DtypeError("pow", f"Integers to negative integer powers are not allowed (exponent {exponent})", "", "use .float()")


def _no_inverses(input: Any, exponent: Any) -> None:
    """Refuse a negative exponent before an unsigned type wraps it."""
    if exponent.__class__ is int and input.__class__ in CLASSES and input._a.dtype.kind in "iu":
        if input._a.dtype.kind == "u":
            _no_inverse(exponent)
        fits("pow", exponent, input._a.dtype)


def _integers(input: Any, exponent: Any) -> Any:
    """Integer powers; of a negative exponent only 1 and -1 have powers that are not 0."""
    no_bools("pow", exponent)
    try:
        return input**exponent
    except ValueError:
        m = xp(exponent)
        powers = input ** m.maximum(exponent, 0)
        inverses = m.where(input == 1, 1, m.where(input == -1, 1 - 2 * (exponent % 2), 0)).astype(exponent.dtype)
        return m.where(exponent < 0, inverses, powers)


@_pow.vjp(0)
def _(g: Any, input: Any, exponent: Any) -> Any:
    if exponent.__class__ in CLASSES:
        slope = mul(exponent, _pow(input, exponent - 1))
        return mul(g, held(slope)).masked_fill(exponent == 0, 0)
    if exponent == 2:
        return mul(g, mul(held(input), 2))
    if exponent in (0, 1):
        return mul(g, exponent)
    return mul(g, held(mul(_pow(input, exponent - 1), exponent)))


@_pow.vjp(1)
def _(g: Any, input: Any, exponent: Any, out: Any) -> Any:
    if input.__class__ not in CLASSES:
        input = out.new_full((), input)
    return mul(g, held(mul(out, input.log()).masked_fill((input == 0) & (real(exponent) >= 0), 0)))


def pow(input: Any, exponent: Any, *, out: Any = None) -> Tensor:
    """Raise to a power: ``input ** exponent``, broadcast; one of the two may be a number.

    Raises a DtypeError (RuntimeError) for integers to a negative number.

    >>> import dovetail as dv
    >>> dv.pow(dv.tensor([1., 2., 3.]), 2)
    tensor([1., 4., 9.])
    """
    _no_inverses(input, exponent)
    return _pow(input, exponent, out=out)


def pow_(input: Tensor, exponent: Any) -> Tensor:
    """In-place form of :func:`pow`."""
    _no_inverses(input, exponent)
    return write(_pow.op, [input, exponent])


def _double(x: Any) -> Any:
    if x.__class__ not in CLASSES:
        return x
    return x.cdouble() if x._a.dtype.kind == "c" else x.double()


def float_power(input: Any, exponent: Any) -> Tensor:
    """Raise to a power in double precision: the result is float64 (or complex128).

    >>> import dovetail as dv
    >>> dv.float_power(dv.tensor([2, 3]), 2)
    tensor([4., 9.], dtype=dovetail.float64)
    """
    return _pow(_double(input), _double(exponent))


def float_power_(input: Tensor, exponent: Any) -> Tensor:
    """In-place form of :func:`float_power`; the tensor must be float64 or complex128."""
    kind = input._a.dtype
    if kind.name not in ("float64", "complex128"):
        raise DtypeError(
            "float_power_", f"the base given to float_power_ has dtype {kind} but the operation's result requires dtype Double"
        )
    return write(_pow.op, [input, _double(exponent)])


_pow.op.refuse = _no_inverses
OPERATORS = {"pow": _pow}
