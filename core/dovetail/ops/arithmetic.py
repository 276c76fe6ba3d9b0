"""Addition, multiplication, division and their kin: the ops behind the operators."""

from __future__ import annotations

from typing import Any

from .. import dtypes as dt
from ..autograd.node import CLASSES, Tensor, wrap
from ..errors import DtypeError
from ._op import Array, op, xp
from ._prepare import number
from ._refuse import no_bools, tensors, type_name
from .inplace import inplace, write

__all__ = [
    "abs", "absolute", "add", "div", "divide", "mul", "multiply", "neg", "neg_", "negative", "negative_", "positive", "reciprocal", "rsub",
    "sub", "subtract", "true_divide",
]  # fmt: skip
METHODS = tuple(n for n in __all__ if n != "rsub")
INPLACE = ("absolute", "mul", "multiply", "add", "div", "divide", "sub", "subtract", "true_divide")
INPLACE_FUNCTIONS = ("abs", "reciprocal")
OPERATORS: dict[str, Any] = {}  # filled at the end of the file


def held(x: Any) -> Any:
    """The conjugate of a complex factor, as gradients need it; a real one as it is."""
    if x.__class__ in CLASSES:
        return x.conj() if x._a.dtype.kind == "c" else x
    return x.conjugate() if x.__class__ is complex else x


def zero(g: Tensor) -> Tensor:
    """The gradient of what has none: zeros of the shape of `g`."""
    return wrap(xp(g._a).zeros(g._a.shape, g._a.dtype))


# --- sums -----------------------------------------------------------------------------------------------------------


@op(name="add")
def _add(input: Array, other: Array) -> Array:
    return input + other


_add.vjp(lambda g: (g, g))


@op
def add_scaled(input: Array, other: Array, alpha: Any) -> Array:
    """Add a multiple: ``input + alpha * other``."""
    dtype = input.dtype if hasattr(input, "dtype") else other.dtype
    return input + other * _alpha("add", dtype, alpha)


add_scaled.vjp(lambda g: g, lambda g, alpha: mul(g, alpha))


def _alpha(where: str, dtype: Any, alpha: Any) -> Any:
    """Check a multiplier against the type of the result."""
    if alpha.__class__ is bool and dtype.kind != "b":
        raise DtypeError(where, "Boolean alpha only supported for Boolean results", f"the result is {type_name(dtype)}")
    if alpha.__class__ is float and dtype.kind in "iub":
        raise DtypeError(
            where, f"For integral input tensors, argument alpha must not be a floating point number (got {alpha})", "expected an integer"
        )
    return number(alpha, dt.from_numpy_dtype(dtype))


def add(input: Tensor, other: Any, *, alpha: Any = 1) -> Tensor:
    """Add: ``input + alpha * other``, broadcast.

    >>> import dovetail as dv
    >>> dv.add(dv.tensor([1., 2.]), dv.tensor([3., 4.]), alpha=10)
    tensor([31., 42.])
    """
    return _add(input, other) if alpha.__class__ is int and alpha == 1 else add_scaled(input, other, alpha)


def add_(input: Tensor, other: Any, *, alpha: Any = 1) -> Tensor:
    """In-place form of :func:`add`."""
    if alpha.__class__ is int and alpha == 1:
        return write(_add.op, [input, other])
    return write(add_scaled.op, [input, other, alpha])


@op(name="sub")
def _sub(input: Array, other: Array) -> Array:
    try:
        return input - other
    except TypeError:
        if (input if hasattr(input, "dtype") else other).dtype.kind != "b":
            raise
    raise DtypeError(
        "sub",
        "Subtraction, the `-` operator, with two bool tensors is not supported",
        "",
        "Use the `^` or `logical_xor()` operator instead",
    )


_sub.vjp(lambda g: g, lambda g: neg(g))


def _is_bool(x: Any) -> bool:
    return x.__class__ is bool or (x.__class__ in CLASSES and x._a.dtype.kind == "b")


def _refuse_one_bool(input: Any, other: Any) -> None:
    if _is_bool(input) != _is_bool(other):
        raise DtypeError(
            "sub",
            "Subtraction, the `-` operator, with a bool tensor is not supported",
            "",
            "If you are trying to invert a mask, use the `~` or `logical_not()` operator instead",
        )


def _sub_scaled(input: Any, other: Any, alpha: Any, into: bool = False) -> Any:
    """``input - alpha * other``, rounded once; in place if told so."""
    _refuse_one_bool(input, other)
    if _is_bool(input) or (alpha.__class__ is int and alpha == 1):
        return write(_sub.op, [input, other]) if into else _sub(input, other)
    if alpha.__class__ is not bool:  # a bool is refused as it is
        alpha = -alpha
    return write(add_scaled.op, [input, other, alpha]) if into else add_scaled(input, other, alpha)


def sub(input: Tensor, other: Any, *, alpha: Any = 1) -> Tensor:
    """Subtract: ``input - alpha * other``, broadcast. Raises a DtypeError (RuntimeError) for two bool tensors.

    >>> import dovetail as dv
    >>> dv.sub(dv.tensor([3, 4]), 1)
    tensor([2, 3])
    """
    return _sub_scaled(input, other, alpha)


def sub_(input: Tensor, other: Any, *, alpha: Any = 1) -> Tensor:
    """In-place form of :func:`sub`."""
    return _sub_scaled(input, other, alpha, True)


def rsub(input: Tensor, other: Any, *, alpha: Any = 1) -> Tensor:
    """Subtract the other way round: ``other - alpha * input``.

    >>> import dovetail as dv
    >>> dv.rsub(dv.tensor([3, 4]), 10)
    tensor([7, 6])
    """
    tensors("rsub", input=input)
    return _sub_scaled(other, input, alpha)


@op
def neg(input: Array) -> Array:
    """Negate each element: ``-input``. Raises a DtypeError (RuntimeError) for bools.

    >>> import dovetail as dv
    >>> dv.neg(dv.tensor([1., -2.]))
    tensor([-1.,  2.])
    """
    try:
        return -input
    except TypeError:
        if input.dtype.kind != "b":
            raise
    raise DtypeError(
        "neg",
        "Negation, the `-` operator, on a bool tensor is not supported",
        "",
        "If you are trying to invert a mask, use the `~` or `logical_not()` operator instead",
    )


neg.vjp(lambda g: neg(g))


def positive(input: Tensor) -> Tensor:
    """Return the tensor itself: ``+input``. Raises a DtypeError (RuntimeError) for bools.

    >>> import dovetail as dv
    >>> dv.positive(dv.tensor([1., -2.]))
    tensor([ 1., -2.])
    """
    if input._a.dtype.kind == "b":
        raise DtypeError("positive", "The `+` operator, on a bool tensor is not supported")
    return input


# --- products -------------------------------------------------------------------------------------------------------


@op
def mul(input: Array, other: Array) -> Array:
    """Multiply: ``input * other``, broadcast.

    >>> import dovetail as dv
    >>> dv.mul(dv.tensor([1., 2.]), dv.tensor([[3.], [4.]]))
    tensor([[3., 6.],
            [4., 8.]])
    """
    return input * other


mul.vjp(
    lambda g, other: mul(g, other) if g._a.dtype.kind != "c" else mul(g, held(other)),
    lambda g, input: mul(g, input) if g._a.dtype.kind != "c" else mul(g, held(input)),
)


@op(name="div", dtypes="float")
def _div(input: Array, other: Array) -> Array:
    return input / other


_div.vjp(0)(lambda g, other: _div(g, held(other)))


@_div.vjp(1)
def _(g: Any, input: Any, other: Any) -> Any:  # not from the quotient, which may be changed in place
    return neg(mul(g, held(_div(_div(input, other), other))))


def _rounded(rounding_mode: str) -> Any:
    from .division import floor_quotient, truncated_quotient

    if rounding_mode not in ("floor", "trunc"):
        raise DtypeError("div", f"div expected rounding_mode to be one of None, 'trunc', or 'floor' but found {rounding_mode!r}")
    return floor_quotient if rounding_mode == "floor" else truncated_quotient


def div(input: Tensor, other: Any, *, rounding_mode: str | None = None) -> Tensor:
    """Divide: ``input / other``, broadcast; integers divide as floats.

    With rounding_mode "trunc" or "floor" the quotient is rounded toward zero or down, and integers stay integers;
    an integer division by zero is then a DivisionByZero (RuntimeError).

    >>> import dovetail as dv
    >>> dv.div(dv.tensor([7, -7]), 2), dv.div(dv.tensor([7, -7]), 2, rounding_mode="floor")
    (tensor([ 3.5000, -3.5000]), tensor([ 3, -4]))
    """
    return _div(input, other) if rounding_mode is None else _rounded(rounding_mode)(input, other)


def div_(input: Tensor, other: Any, *, rounding_mode: str | None = None) -> Tensor:
    """In-place form of :func:`div`."""
    return write(_div.op if rounding_mode is None else _rounded(rounding_mode).op, [input, other])


def true_divide(input: Tensor, other: Any) -> Tensor:
    """Divide: ``input / other``, broadcast; integers divide as floats.

    >>> import dovetail as dv
    >>> dv.true_divide(dv.tensor([1, 2]), 4)
    tensor([0.2500, 0.5000])
    """
    return _div(input, other)


def true_divide_(input: Tensor, other: Any) -> Tensor:
    """In-place form of :func:`true_divide`."""
    return write(_div.op, [input, other])


@op(dtypes="float")
def reciprocal(input: Array) -> Array:
    """One over each element: ``1 / input``.

    >>> import dovetail as dv
    >>> dv.reciprocal(dv.tensor([2., -4.]))
    tensor([ 0.5000, -0.2500])
    """
    return 1 / input


reciprocal.vjp(lambda g, out: neg(mul(g, held(mul(out, out)))))


@op
def abs(input: Array) -> Array:
    """The magnitude of each element, real also for complex ones; the gradient at 0 is 0.

    >>> import dovetail as dv
    >>> dv.abs(dv.tensor([-1.5, 2.]))
    tensor([1.5000, 2.0000])
    """
    no_bools("abs", input)
    return xp(input).abs(input)


abs.vjp(lambda g, input: mul(g, input.sgn()))


subtract, subtract_ = sub, sub_
multiply = mul
divide, divide_ = div, div_
negative = neg
absolute = abs
neg_ = inplace(neg)
negative_ = neg_

_sub.op.refuse = _refuse_one_bool
OPERATORS.update(add=_add, sub=_sub, mul=mul, truediv=_div, neg=neg, pos=positive, abs=abs)
