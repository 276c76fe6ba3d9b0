"""Choosing by a mask, and filling."""

from __future__ import annotations

from typing import Any

import numpy as np

from dovetail_numerics.blockwise import choose, masked

from .. import dtypes as dt
from ..autograd.node import CLASSES, Tensor
from ..errors import DtypeError, ShapeError, TypeMismatch
from ._op import Array, Fixed, op, xp
from ._refuse import fits, tensors, type_name
from .arithmetic import zero
from .gather import nonzero
from .inplace import write

__all__ = ["fill", "fill_", "masked_fill", "where", "zero_"]
METHODS = ("masked_fill", "fill_", "zero_")
INPLACE = ("masked_fill",)


@op(name="where")
def _where(condition: Fixed, input: Array, other: Array) -> Array:
    if not (hasattr(input, "dtype") and hasattr(other, "dtype")):
        kind = dt.result_dtype([input, other]).np.type
        input, other = (x if hasattr(x, "dtype") else kind(x) for x in (input, other))
    return choose(condition, input, other)


_where.vjp(lambda g, condition: masked_out(g, condition, False), lambda g, condition: masked_out(g, condition, True))


@op(dtypes=None)
def masked_out(input: Array, mask: Fixed, when: bool) -> Array:
    """Zeros where the mask is `when`, the input elsewhere."""
    return masked(input, mask if when else ~mask)


masked_out.vjp(lambda g, mask, when: masked_out(g, mask, when))


def where(condition: Tensor, input: Any = None, other: Any = None) -> Any:
    """`input` where the condition holds, else `other`; broadcast, either may be a number.

    With the condition alone: the indices of its nonzero elements, one tensor a dimension.
    Raises a DtypeError (RuntimeError) for a condition that is not bool.

    >>> import dovetail as dv
    >>> dv.where(dv.tensor([True, False]), dv.tensor([1., 2.]), 0.)
    tensor([1., 0.])
    >>> dv.where(dv.tensor([0, 3, 4]))
    (tensor([1, 2]),)
    """
    if condition.__class__ not in CLASSES or (input is None) != (other is None):
        kinds = ", ".join(type(x).__name__ for x in (condition, input, other))
        what = f"received an invalid combination of arguments - got ({kinds})"
        raise TypeMismatch("where()", what, "expected (Tensor, Tensor or Number, Tensor or Number)")
    a = condition._a
    if input is None:
        return nonzero(condition, as_tuple=True)
    if a.dtype.kind != "b":
        if a.dtype.name != "uint8":
            what = f"where expected condition to be a boolean tensor, but got a tensor with dtype {type_name(a.dtype)}"
            raise DtypeError("where", what, "", "compare it first")
        condition = condition != 0
    for one, beside in ((input, other), (other, input)):
        if one.__class__ is int and beside.__class__ in CLASSES and beside._a.dtype.kind in "iu":
            fits("where", one, beside._a.dtype)
    return _where(condition, input, other)


def _where_method(self: Tensor, condition: Tensor, other: Any) -> Any:
    """This tensor's elements where the condition holds, else `other`; see :func:`dovetail.where`."""
    return where(condition, self, other)


setattr(Tensor, "where", _where_method)  # noqa: B010 - as a method, the tensor is not the condition


@op(name="masked_fill", dtypes=None, contiguous=True)
def _masked_fill(input: Array, mask: Fixed, value: Array) -> Array:
    if not hasattr(value, "dtype"):
        value = input.dtype.type(value)
        if value == 0 and input.dtype.kind == "f":
            return masked(input, mask)
    else:
        value = value.astype(input.dtype, copy=False)
    return xp(input).where(mask, value, input)


_masked_fill.vjp(lambda g, mask: masked_out(g, mask, True), lambda g, mask: masked_out(g, mask, False))


def _fillable(name: str, input: Tensor, value: Any) -> Any:
    """The value, checked, that a tensor is filled with: a number that fits its type, or a tensor without dimensions."""
    tensors(name, input=input)
    if value.__class__ not in CLASSES:
        if not isinstance(value, int | float | complex | np.generic):
            raise TypeMismatch(f"{name}()", f"argument 'value' must be Tensor or Number, not {type(value).__name__}")
        value = fits(name, value, input._a.dtype)
    elif not value._a.ndim and value._a.dtype != input._a.dtype and name == "masked_fill":
        fits(name, value.item(), input._a.dtype)
    elif value._a.ndim:
        n = value._a.ndim
        raise ShapeError(name, f"{name} only supports a 0-dimensional value tensor, but got tensor with {n} dimension(s)")
    return value


def _masked(input: Tensor, mask: Tensor, value: Any) -> list[Any]:
    tensors("masked_fill", input=input, mask=mask)
    if mask._a.dtype.kind != "b":
        what = f"masked_fill only supports boolean masks, but got mask with dtype {type_name(mask._a.dtype)}"
        raise DtypeError("masked_fill", what, "", "compare it first")
    return [input, mask, _fillable("masked_fill", input, value)]


def masked_fill(input: Tensor, mask: Tensor, value: Any) -> Tensor:
    """Write a value where the mask is set; the mask broadcasts, the type stays.

    Raises a DtypeError (RuntimeError) for a mask that is not bool.

    >>> import dovetail as dv
    >>> dv.masked_fill(dv.tensor([1., 2.]), dv.tensor([True, False]), float("-inf"))
    tensor([-inf, 2.])
    """
    return _masked_fill(*_masked(input, mask, value))


def masked_fill_(input: Tensor, mask: Tensor, value: Any) -> Tensor:
    """In-place form of :func:`masked_fill`."""
    return write(_masked_fill.op, _masked(input, mask, value))


@op(name="fill", dtypes=None)
def _fill(input: Array, value: Array) -> Array:
    """One value in the input's shape and type, as a broadcast view: an in-place form copies it once."""
    m = xp(input)
    if hasattr(value, "dtype"):
        value = value.astype(input.dtype)
    else:
        value = m.asarray(value, dtype=input.dtype)
    return m.broadcast_to(value, input.shape)


_fill.vjp(lambda g: zero(g), lambda g: g)  # the engine sums the second


def fill(input: Tensor, value: Any) -> Tensor:
    """A tensor like the input that holds one value everywhere.

    >>> import dovetail as dv
    >>> dv.fill(dv.tensor([1., 2.]), 7)
    tensor([7., 7.])
    """
    return _fill(input, _fillable("fill", input, value)).clone()


def fill_(input: Tensor, value: Any) -> Tensor:
    """Write one value everywhere, in place.

    >>> import dovetail as dv
    >>> dv.fill_(dv.tensor([1., 2.]), 7)
    tensor([7., 7.])
    """
    return write(_fill.op, [input, _fillable("fill_", input, value)])


def zero_(input: Tensor) -> Tensor:
    """Write zeros everywhere, in place.

    >>> import dovetail as dv
    >>> dv.zero_(dv.tensor([1., 2.]))
    tensor([0., 0.])
    """
    return write(_fill.op, [input, 0])
