"""Rounding, signs, and the parts of a floating-point number."""

from __future__ import annotations

from typing import Any

from dovetail_numerics.blockwise import masked

from .. import dtypes as dt
from ..autograd.node import Tensor
from ..errors import DtypeError
from ._layout import copied
from ._op import Array, op, xp
from ._refuse import NotForType, floats_only, no_bools, not_for, tensors, underived
from ._results import results
from ._ufunc import ufunc
from .arithmetic import _div, _sub, abs, mul, zero
from .info import result_type
from .inplace import write
from .powers import _pow
from .views import broadcast_tensors

__all__ = [
    "ceil", "copysign", "fix", "floor", "frac", "frexp", "heaviside", "ldexp", "nan_to_num", "nextafter", "round", "sgn", "sign", "signbit",
    "trunc",
]  # fmt: skip
INPLACE = ("copysign", "sgn", "sign", "heaviside", "nextafter")
INPLACE_FUNCTIONS = ("ceil", "fix", "floor", "frac", "ldexp", "nan_to_num", "round", "trunc")


def _is_whole(name: str, a: Any) -> bool:
    """Whether an array holds integers, which rounding leaves as they are; bools are refused."""
    no_bools(name, a)
    return bool(a.dtype.kind in "iu")


@op
def floor(input: Array) -> Array:
    """The largest integer not above each element; the gradient is 0.

    >>> import dovetail as dv
    >>> dv.floor(dv.tensor([1.7, -1.2]))
    tensor([ 1., -2.])
    """
    return copied(input) if _is_whole("floor_vml", input) else xp(input).floor(input)


@op
def ceil(input: Array) -> Array:
    """The smallest integer not below each element; the gradient is 0.

    >>> import dovetail as dv
    >>> dv.ceil(dv.tensor([1.2, -1.7]))
    tensor([ 2., -1.])
    """
    return copied(input) if _is_whole("ceil_vml", input) else xp(input).ceil(input)


@op
def trunc(input: Array) -> Array:
    """Each element without its fraction; the gradient is 0.

    >>> import dovetail as dv
    >>> dv.trunc(dv.tensor([1.7, -1.7]))
    tensor([ 1., -1.])
    """
    return copied(input) if _is_whole("trunc_vml", input) else xp(input).trunc(input)


@op
def round(input: Array, decimals: int = 0) -> Array:
    """The nearest integer, halves to even; with decimals, to that many digits after the point. The gradient is 0.

    >>> import dovetail as dv
    >>> dv.round(dv.tensor([0.5, 1.5, 1.2345])), dv.round(dv.tensor([1.2345]), decimals=2)
    (tensor([0., 2., 1.]), tensor([1.2300]))
    """
    m = xp(input)
    if decimals == 0:
        return copied(input) if _is_whole("round_vml", input) else m.rint(input)
    floats_only("round", input)
    scale = 10.0 ** (decimals if decimals > 0 else -decimals)
    return m.rint(input * scale) / scale if decimals > 0 else m.rint(input / scale) * scale


@op
def frac(input: Array) -> Array:
    """The fraction of each element, with its sign: ``x − trunc(x)``.

    >>> import dovetail as dv
    >>> dv.frac(dv.tensor([1.5, -1.25]))
    tensor([ 0.5000, -0.2500])
    """
    floats_only("frac", input)
    return input - xp(input).trunc(input)


frac.vjp(lambda g: g)


@op
def sign(input: Array) -> Array:
    """−1, 0 or 1 by the sign of each element, and 0 for NaN; the gradient is 0.

    >>> import dovetail as dv
    >>> dv.sign(dv.tensor([-2., 0., 3.]))
    tensor([-1.,  0.,  1.])
    """
    if input.dtype.kind == "c":
        raise NotForType("sign", "Unlike NumPy, sign is not intended to support complex numbers", "", "Please use sgn instead")
    return _signs(input)


def _signs(a: Any) -> Any:
    if a.dtype.kind == "b":
        return a.copy()
    out = xp(a).sign(a)
    return masked(out, out != out) if a.dtype.kind == "f" else out


@op
def sgn(input: Array) -> Array:
    """The sign of each element; of a complex one ``z / |z|``, and 0 at 0.

    >>> import dovetail as dv
    >>> dv.sgn(dv.tensor([3 + 4j]))
    tensor([0.6000+0.8000j])
    """
    return _signs(input)


@sgn.vjp
def _(g: Any, input: Any, out: Any) -> Any:
    if input._a.dtype.kind != "c":
        return zero(g)
    size = abs(input)
    return _div(_sub(g, mul(mul(out, out), g.conj())), mul(size, 2)).masked_fill(size == 0, 0)


@ufunc()
def signbit(input: Array) -> Array:
    """Whether the sign bit of each element is set, also that of −0.

    >>> import dovetail as dv
    >>> dv.signbit(dv.tensor([-1., -0., 0.]))
    tensor([ True,  True, False])
    """


@ufunc(dtypes="float")
def copysign(input: Array, other: Array) -> Array:
    """The magnitude of `input` with the sign of `other`, broadcast.

    >>> import dovetail as dv
    >>> dv.copysign(dv.tensor([1., 2.]), -1)
    tensor([-1., -2.])
    """


# the derivative of the ratio itself is 0
copysign.vjp(0)(lambda g, input, out: mul(g, _div(out.detach(), input.detach()).masked_fill(input == 0, 0)))
copysign.vjp(1)(lambda g: zero(g))


@op(name="nextafter", dtypes=None, saves=("still",))  # half types, too, step in their own precision
def _nextafter(input: Array, other: Array) -> Array:
    return xp(input).nextafter(input, other), xp(input).asarray(input == other)


_nextafter.vjp(lambda g, still: (g.masked_fill(still, 0), zero(g)))


def nextafter(input: Tensor, other: Tensor) -> Tensor:
    """The next number after `input` towards `other`, broadcast.

    >>> import dovetail as dv
    >>> dv.nextafter(dv.tensor([1.]), dv.tensor([2.])) - 1
    tensor([1.1921e-07])
    """
    tensors("nextafter", input=input, other=other)
    kind = result_type(input, other)
    if not kind.is_floating_point:
        raise not_for("nextafter", kind.np, "a floating-point type")
    return _nextafter(*broadcast_tensors(input.to(kind), other.to(kind)))


def nextafter_(input: Tensor, other: Tensor) -> Tensor:
    """In-place form of :func:`nextafter`."""
    return input.copy_(nextafter(input, other))


@op(name="heaviside")
def _heaviside(input: Array, values: Array) -> Array:
    if input.dtype.kind == "c":
        raise DtypeError("heaviside", "heaviside is not yet implemented for complex tensors.")
    return xp(input).where(input == 0, values, (input > 0).astype(input.dtype))


_heaviside.vjp(underived("heaviside"))


def _same_type(input: Any, values: Any) -> None:
    tensors("heaviside", input=input, values=values)
    if input._a.dtype != values._a.dtype:
        raise DtypeError("heaviside", "heaviside is not yet implemented for tensors with different dtypes")


def heaviside(input: Tensor, values: Tensor) -> Tensor:
    """The step function: 0 below 0, 1 above, `values` at 0. It has no gradient.

    >>> import dovetail as dv
    >>> dv.heaviside(dv.tensor([-1., 0., 2.]), dv.tensor([0.5]))
    tensor([0.0000, 0.5000, 1.0000])
    """
    _same_type(input, values)
    return _heaviside(input, values)


def heaviside_(input: Tensor, values: Tensor) -> Tensor:
    """In-place form of :func:`heaviside`."""
    _same_type(input, values)
    return write(_heaviside.op, [input, values])


def ldexp(input: Tensor, other: Any) -> Tensor:
    """Multiply by a power of two: ``input · 2**other``, broadcast.

    >>> import dovetail as dv
    >>> dv.ldexp(dv.tensor([1.]), dv.tensor([1, 2, 3]))
    tensor([2., 4., 8.])
    """
    return mul(input, _power_of_two(input, other))


def _power_of_two(input: Tensor, other: Tensor) -> Any:
    if input._a.dtype.kind not in "iub" and other._a.dtype.kind in "iub":
        other = other.to(input.dtype)
    return _pow(2.0, other)


def ldexp_(input: Tensor, other: Any) -> Tensor:
    """In-place form of :func:`ldexp`."""
    return write(mul.op, [input, _power_of_two(input, other)])


@op(outputs=("mantissa", "exponent"), nondiff=("exponent",), result=results("frexp", "mantissa", "exponent"))
def frexp(input: Array) -> Any:
    """Split each element into a mantissa in ±[0.5, 1) and an exponent of two (int32): a named tuple.

    >>> import dovetail as dv
    >>> dv.frexp(dv.tensor([3.])).mantissa, dv.frexp(dv.tensor([3.])).exponent
    (tensor([0.7500]), tensor([2], dtype=dovetail.int32))
    """
    if input.dtype.kind != "f":
        raise DtypeError("frexp", f"frexp() only supports floating-point dtypes (got {input.dtype})")
    return xp(input).frexp(input)


frexp.vjp(lambda g, exponent: _div(g[0], _pow(2.0, exponent)))


@op(dtypes=None)
def nan_to_num(input: Array, nan: float | None = 0.0, posinf: float | None = None, neginf: float | None = None) -> Array:
    """Replace NaN and infinities; by default with 0 and the largest and smallest numbers of the type.

    >>> import dovetail as dv
    >>> dv.nan_to_num(dv.tensor([float("nan"), float("inf")]), posinf=9.)
    tensor([0., 9.])
    """
    if input.dtype.kind in "iub":
        return copied(input)
    limit = dt.finfo(dt.from_numpy_dtype(input.dtype))
    a = input.astype("float32") if input.dtype.kind == "V" else input  # NumPy takes bfloat16 for no number
    nan, posinf, neginf = (default if x is None else x for x, default in ((nan, 0.0), (posinf, limit.max), (neginf, limit.min)))
    return xp(a).nan_to_num(copied(a), copy=False, nan=nan, posinf=posinf, neginf=neginf).astype(input.dtype, copy=False)


nan_to_num.vjp(lambda g, input: g.masked_fill(~input.isfinite(), 0))


for _flat in (floor, ceil, trunc, round, sign):
    _flat.vjp(zero)
fix = trunc
