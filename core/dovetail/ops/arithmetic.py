"""Addition, multiplication, division and their kin: the ops behind the operators, sums with a product, interpolation."""

from __future__ import annotations

from typing import Any

from .. import dtypes as dt
from ..autograd.node import CLASSES, Tensor, wrap
from ..errors import DtypeError
from ._keywords import alpha_first
from ._op import Array, op, xp
from ._out import into
from ._prepare import number
from ._refuse import fits, floats_only, no_bools, tensors, type_name
from ._ufunc import ufunc
from .inplace import write

__all__ = [
    "abs", "absolute", "add", "addcdiv", "addcmul", "div", "divide", "lerp", "mul", "multiply", "neg", "negative", "positive", "reciprocal",
    "rsub", "sub", "subtract", "true_divide",
]  # fmt: skip
METHODS = tuple(n for n in __all__ if n != "rsub")
INPLACE_FUNCTIONS = ("abs", "neg", "negative", "reciprocal")
INPLACE = tuple(n for n in METHODS if n not in (*INPLACE_FUNCTIONS, "positive"))
_INVERT = "If you are trying to invert a mask, use the `~` or `logical_not()` operator instead"


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
    return input + other * _alpha("add", input.dtype if hasattr(input, "dtype") else other.dtype, alpha)


add_scaled.vjp(lambda g: g, lambda g, alpha: mul(g, alpha))


def _alpha(where: str, dtype: Any, alpha: Any) -> Any:
    """Check a multiplier against the type of the result."""
    alpha = alpha.item() if hasattr(alpha, "item") else alpha
    if alpha.__class__ is bool and dtype.kind != "b":
        raise DtypeError(where, "Boolean alpha only supported for Boolean results", f"the result is {type_name(dtype)}")
    if alpha.__class__ is float and dtype.kind in "iub":
        what = f"For integral input tensors, argument alpha must not be a floating point number (got {alpha})"
        raise DtypeError(where, what, "expected an integer")
    if alpha.__class__ is complex and dtype.kind != "c":
        raise DtypeError(where, f"For non-complex input tensors, argument alpha must not be a complex number (got {alpha})")
    return number(fits(where, alpha, dtype), dt.from_numpy_dtype(dtype))


def add(input: Tensor, other: Any, *last: Any, alpha: Any = 1, out: Any = None) -> Tensor:
    """Add: ``input + alpha * other``, broadcast.

    >>> import dovetail as dv
    >>> dv.add(dv.tensor([1., 2.]), dv.tensor([3., 4.]), alpha=10)
    tensor([31., 42.])
    """
    if last:
        other, alpha = alpha_first("add", other, last, alpha)
    if out is not None:
        return into(add, (input, other), {"alpha": alpha, "out": out})
    return _add(input, other) if alpha.__class__ is int and alpha == 1 else add_scaled(input, other, alpha)


def add_(input: Tensor, other: Any, *last: Any, alpha: Any = 1) -> Tensor:
    """In-place form of :func:`add`."""
    if last:
        other, alpha = alpha_first("add_", other, last, alpha)
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
        remedy = "Use the `^` or `logical_xor()` operator instead"
        raise DtypeError("sub", "Subtraction, the `-` operator, with two bool tensors is not supported", "", remedy) from None


_sub.vjp(lambda g: g, lambda g: neg(g))


def _is_bool(x: Any) -> bool:
    return x.__class__ is bool or (x.__class__ in CLASSES and x._a.dtype.kind == "b")


def _refuse_one_bool(input: Any, other: Any) -> None:
    if _is_bool(input) != _is_bool(other):
        raise DtypeError("sub", "Subtraction, the `-` operator, with a bool tensor is not supported", "", _INVERT)


def _sub_scaled(input: Any, other: Any, alpha: Any, into: bool = False) -> Any:
    """``input - alpha * other``, rounded once; in place if told so."""
    _refuse_one_bool(input, other)
    if _is_bool(input) or (alpha.__class__ is int and alpha == 1):
        return write(_sub.op, [input, other]) if into else _sub(input, other)
    if alpha.__class__ is not bool:  # a bool is refused as it is
        alpha = -alpha
    return write(add_scaled.op, [input, other, alpha]) if into else add_scaled(input, other, alpha)


def sub(input: Tensor, other: Any, *last: Any, alpha: Any = 1, out: Any = None) -> Tensor:
    """Subtract: ``input - alpha * other``, broadcast. Raises a DtypeError (RuntimeError) for two bool tensors.

    >>> import dovetail as dv
    >>> dv.sub(dv.tensor([3, 4]), 1)
    tensor([2, 3])
    """
    if last:
        other, alpha = alpha_first("sub", other, last, alpha)
    if out is not None:
        return into(sub, (input, other), {"alpha": alpha, "out": out})
    return _sub_scaled(input, other, alpha)


def sub_(input: Tensor, other: Any, *last: Any, alpha: Any = 1) -> Tensor:
    """In-place form of :func:`sub`."""
    if last:
        other, alpha = alpha_first("sub_", other, last, alpha)
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
        raise DtypeError("neg", "Negation, the `-` operator, on a bool tensor is not supported", "", _INVERT) from None


neg.vjp(lambda g: neg(g))


def positive(input: Tensor) -> Tensor:
    """Return the tensor itself: ``+input``. Raises a DtypeError (RuntimeError) for bools.

    >>> import dovetail as dv
    >>> dv.positive(dv.tensor([1., -2.]))
    tensor([ 1., -2.])
    """
    tensors("positive", input=input)
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


mul.vjp(0)(lambda g, other: mul(g, other) if g._a.dtype.kind != "c" else mul(g, held(other)))
mul.vjp(1)(lambda g, input: mul(g, input) if g._a.dtype.kind != "c" else mul(g, held(input)))


@op(name="div", dtypes="float")
def true_divide(input: Array, other: Array) -> Array:
    """Divide: ``input / other``, broadcast; integers divide as floats.

    >>> import dovetail as dv
    >>> dv.true_divide(dv.tensor([1, 2]), 4)
    tensor([0.2500, 0.5000])
    """
    return input / other


_div = true_divide
_div.vjp(0)(lambda g, other: _div(g, held(other)))


@_div.vjp(1)
def _(g: Any, input: Any, other: Any) -> Any:  # not from the quotient, which may be changed in place
    return neg(mul(g, held(_div(_div(input, other), other))))


def _rounded(rounding_mode: str) -> Any:
    from .division import floor_quotient, truncated_quotient

    if rounding_mode not in ("floor", "trunc"):
        raise DtypeError("div", f"div expected rounding_mode to be one of None, 'trunc', or 'floor' but found {rounding_mode!r}")
    return floor_quotient if rounding_mode == "floor" else truncated_quotient


def div(input: Tensor, other: Any, *, rounding_mode: str | None = None, out: Any = None) -> Tensor:
    """Divide: ``input / other``, broadcast; integers divide as floats.

    With rounding_mode "trunc" or "floor" the quotient is rounded toward zero or down, and integers stay integers;
    an integer division by zero is then a DivisionByZero (RuntimeError).

    >>> import dovetail as dv
    >>> dv.div(dv.tensor([7, -7]), 2), dv.div(dv.tensor([7, -7]), 2, rounding_mode="floor")
    (tensor([ 3.5000, -3.5000]), tensor([ 3, -4]))
    """
    if out is not None:
        return into(div, (input, other), {"rounding_mode": rounding_mode, "out": out})
    return _div(input, other) if rounding_mode is None else _rounded(rounding_mode)(input, other)


def div_(input: Tensor, other: Any, *, rounding_mode: str | None = None) -> Tensor:
    """In-place form of :func:`div`."""
    return write(_div.op if rounding_mode is None else _rounded(rounding_mode).op, [input, other])


@op(dtypes="float")
def reciprocal(input: Array) -> Array:
    """One over each element: ``1 / input``.

    >>> import dovetail as dv
    >>> dv.reciprocal(dv.tensor([2., -4.]))
    tensor([ 0.5000, -0.2500])
    """
    return 1 / input


reciprocal.vjp(lambda g, out: neg(mul(g, held(mul(out, out)))))


@ufunc(check=no_bools)
def abs(input: Array) -> Array:
    """The magnitude of each element, real also for complex ones; the gradient at 0 is 0.

    >>> import dovetail as dv
    >>> dv.abs(dv.tensor([-1.5, 2.]))
    tensor([1.5000, 2.0000])
    """


abs.vjp(lambda g, input: mul(g, input.sgn()))


# --- sums with a product or a quotient ---------------------------------------------------------------------------------


@op
def addcmul(input: Array, tensor1: Array, tensor2: Array, value: Any = 1) -> Array:
    """Add a product: ``input + value * tensor1 * tensor2``, broadcast.

    >>> import dovetail as dv
    >>> dv.addcmul(dv.tensor([1.]), dv.tensor([2.]), dv.tensor([3.]), value=10)
    tensor([61.])
    """
    product = tensor1 * tensor2
    out = input + (product if value == 1 else product * number(value, dt.from_numpy_dtype(product.dtype)))
    no_bools("addcmul", out)
    return out


addcmul.vjp(0)(lambda g: g)
addcmul.vjp(1)(lambda g, tensor2, value: mul(mul(g, held(tensor2)), held(value)))
addcmul.vjp(2)(lambda g, tensor1, value: mul(mul(g, held(tensor1)), held(value)))


@op
def addcdiv(input: Array, tensor1: Array, tensor2: Array, value: Any = 1) -> Array:
    """Add a quotient: ``input + value * tensor1 / tensor2``, broadcast. Raises a DtypeError (RuntimeError) for integers.

    >>> import dovetail as dv
    >>> dv.addcdiv(dv.tensor([1.]), dv.tensor([1.]), dv.tensor([4.]), value=2)
    tensor([1.5000])
    """
    if tensor1.dtype.kind in "iub":
        what = "Integer division with addcdiv is no longer supported"
        raise DtypeError("addcdiv", what, "expected floating-point tensors", "use .float()")
    quotient = tensor1 / tensor2
    return input + (quotient if value == 1 else quotient * value)


addcdiv.vjp(0)(lambda g: g)
addcdiv.vjp(1)(lambda g, tensor2, value: mul(_div(g, held(tensor2)), held(value)))
addcdiv.vjp(2)(lambda g, tensor1, tensor2, value: neg(mul(g, held(_div(mul(tensor1, value), mul(tensor2, tensor2))))))


@op(name="lerp", dtypes="floating")
def _lerp(input: Array, end: Array, weight: Array) -> Array:
    step = end - input
    if not hasattr(weight, "dtype"):
        return input + weight * step if (weight * weight.conjugate()).real < 0.25 else end - step * (1 - weight)
    near = xp(weight).abs(weight) < 0.5  # from the nearer end, so that weight 1 gives `end` exactly
    return xp(weight).where(near, input + weight * step, end - step * (1 - weight))


_lerp.vjp(
    lambda g, weight: mul(g, held(1 - weight)), lambda g, weight: mul(g, held(weight)), lambda g, input, end: mul(g, held(_sub(end, input)))
)


def _one_type(input: Tensor, end: Tensor, weight: Any) -> list[Any]:
    tensors("lerp", input=input, end=end)
    for t, name in ((end, "end"), (weight, "weight")):
        if t.__class__ in CLASSES and t._a.dtype != input._a.dtype and (t is end or t._a.ndim):
            raise DtypeError("lerp", f"expected dtype {input._a.dtype} for `{name}` but got dtype {t._a.dtype}", "", "convert one")
    floats_only("lerp", input._a)
    return [input, end, weight]


def lerp(input: Tensor, end: Tensor, weight: Any) -> Tensor:
    """Interpolate linearly: ``input + weight * (end - input)``; the tensors have one type.

    >>> import dovetail as dv
    >>> dv.lerp(dv.tensor([0., 10.]), dv.tensor([10., 20.]), 0.25)
    tensor([ 2.5000, 12.5000])
    """
    return _lerp(*_one_type(input, end, weight))


def lerp_(input: Tensor, end: Tensor, weight: Any) -> Tensor:
    """In-place form of :func:`lerp`."""
    return write(_lerp.op, _one_type(input, end, weight))


subtract, subtract_, divide, divide_ = sub, sub_, div, div_
multiply, negative, absolute = mul, neg, abs

_sub.op.refuse = _refuse_one_bool
OPERATORS = {"add": _add, "sub": _sub, "mul": mul, "truediv": _div, "neg": neg, "pos": positive, "abs": abs}
