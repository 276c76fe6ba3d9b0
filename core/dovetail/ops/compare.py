"""Comparisons, tests of elements, and logic."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import dtypes as dt
from ..autograd.node import CLASSES, Tensor
from ..errors import DtypeError
from ._op import Array, op, xp
from ._refuse import ordered, tensors, type_name
from ._ufunc import ufunc

__all__ = [
    "allclose", "eq", "equal", "ge", "greater", "greater_equal", "gt", "isclose", "isfinite", "isin", "isinf", "isnan", "isneginf",
    "isposinf", "isreal", "le", "less", "less_equal", "logical_and", "logical_not", "logical_or", "logical_xor", "lt", "ne", "not_equal",
]  # fmt: skip
INPLACE = tuple(n for n in __all__ if not n.startswith("is") and n not in ("allclose", "equal"))


@ufunc("equal")
def eq(input: Array, other: Array) -> Array:
    """Whether elements are equal: ``input == other``, broadcast.

    >>> import dovetail as dv
    >>> dv.eq(dv.tensor([1, 2]), 2)
    tensor([False,  True])
    """


@ufunc("not_equal")
def ne(input: Array, other: Array) -> Array:
    """Whether elements differ: ``input != other``, broadcast.

    >>> import dovetail as dv
    >>> dv.ne(dv.tensor([1, 2]), 2)
    tensor([ True, False])
    """


@ufunc("less", check=ordered)
def lt(input: Array, other: Array) -> Array:
    """Whether elements are smaller: ``input < other``, broadcast.

    >>> import dovetail as dv
    >>> dv.lt(dv.tensor([1, 2]), 2)
    tensor([ True, False])
    """


@ufunc("less_equal", check=ordered)
def le(input: Array, other: Array) -> Array:
    """Whether elements are smaller or equal: ``input <= other``, broadcast.

    >>> import dovetail as dv
    >>> dv.le(dv.tensor([1, 3]), 2)
    tensor([ True, False])
    """


@ufunc("greater", check=ordered)
def gt(input: Array, other: Array) -> Array:
    """Whether elements are larger: ``input > other``, broadcast.

    >>> import dovetail as dv
    >>> dv.gt(dv.tensor([1, 3]), 2)
    tensor([False,  True])
    """


@ufunc("greater_equal", check=ordered)
def ge(input: Array, other: Array) -> Array:
    """Whether elements are larger or equal: ``input >= other``, broadcast.

    >>> import dovetail as dv
    >>> dv.ge(dv.tensor([1, 2]), 2)
    tensor([False,  True])
    """


# --- tests of elements ----------------------------------------------------------------------------------------------


@ufunc()
def isnan(input: Array) -> Array:
    """Whether each element is NaN.

    >>> import dovetail as dv
    >>> dv.isnan(dv.tensor([1., float("nan")]))
    tensor([False,  True])
    """


@ufunc()
def isinf(input: Array) -> Array:
    """Whether each element is infinite.

    >>> import dovetail as dv
    >>> dv.isinf(dv.tensor([1., float("-inf")]))
    tensor([False,  True])
    """


@ufunc()
def isfinite(input: Array) -> Array:
    """Whether each element is neither infinite nor NaN.

    >>> import dovetail as dv
    >>> dv.isfinite(dv.tensor([1., float("inf"), float("nan")]))
    tensor([ True, False, False])
    """


def _real(where: str, a: Any) -> None:
    if a.dtype.kind == "c":
        raise DtypeError(where, f"{where} does not support complex inputs")


@op
def isposinf(input: Array) -> Array:
    """Whether each element is +∞.

    >>> import dovetail as dv
    >>> dv.isposinf(dv.tensor([float("inf"), float("-inf")]))
    tensor([ True, False])
    """
    _real("isposinf", input)
    return input == math.inf


@op
def isneginf(input: Array) -> Array:
    """Whether each element is −∞.

    >>> import dovetail as dv
    >>> dv.isneginf(dv.tensor([float("inf"), float("-inf")]))
    tensor([False,  True])
    """
    _real("isneginf", input)
    return input == -math.inf


@op
def isreal(input: Array) -> Array:
    """Whether each element has no imaginary part.

    >>> import dovetail as dv
    >>> dv.isreal(dv.tensor([1 + 1j, 2 + 0j]))
    tensor([False,  True])
    """
    return input.imag == 0


@op(name="isclose")
def _isclose(input: Array, other: Array, rtol: float, atol: float, equal_nan: bool) -> Array:
    m = xp(input)
    near = input == other
    if equal_nan and input.dtype.kind in "fc":
        near |= (input != input) & (other != other)
    if rtol == 0 and atol == 0:
        return near
    kind = dt.get_default_dtype().np if input.dtype.kind in "iub" else input.dtype
    a, b = input.astype(kind, copy=False), other.astype(kind, copy=False)
    error = m.abs(a - b)
    return near | (m.isfinite(error) & (error <= atol + m.abs(rtol * b)))


def isclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Tensor:
    """Whether elements are near: ``|input − other| ≤ atol + rtol · |other|``, broadcast.

    Raises a DtypeError (RuntimeError) for tensors of different types and for negative tolerances.

    >>> import dovetail as dv
    >>> dv.isclose(dv.tensor([1., 2.]), dv.tensor([1.000001, 2.1]))
    tensor([ True, False])
    """
    tensors("isclose", input=input, other=other)
    if input._a.dtype != other._a.dtype:
        raise DtypeError("isclose", f"{type_name(input._a.dtype)} did not match {type_name(other._a.dtype)}", "", "convert one")
    for name, value in (("rtol", rtol), ("atol", atol)):
        if not value >= 0:
            raise DtypeError("isclose", f"{name} must be greater than or equal to zero, but got {value}")
    return _isclose(input, other, rtol, atol, equal_nan)


def allclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> bool:
    """Whether all elements are near, see :func:`isclose`.

    >>> import dovetail as dv
    >>> dv.allclose(dv.tensor([1., 2.]), dv.tensor([1., 2.1]))
    False
    """
    return bool(isclose(input, other, rtol, atol, equal_nan)._a.all().item())


def equal(input: Tensor, other: Tensor) -> bool:
    """Whether two tensors have the same shape and elements; one NaN makes them differ.

    >>> import dovetail as dv
    >>> dv.equal(dv.tensor([1, 2]), dv.tensor([1, 2]))
    True
    """
    tensors("equal", input=input, other=other)
    return input._a.shape == other._a.shape and bool(eq(input, other)._a.all().item())


@op(name="isin")
def _isin(elements: Array, test_elements: Array, assume_unique: bool, invert: bool) -> Array:
    m = xp(elements if hasattr(elements, "dtype") else test_elements)
    return m.isin(m.asarray(elements), m.asarray(test_elements), assume_unique=assume_unique, invert=invert)


def isin(elements: Any, test_elements: Any, *, assume_unique: bool = False, invert: bool = False) -> Tensor:
    """Whether each element occurs in `test_elements`; with invert, whether it does not.

    >>> import dovetail as dv
    >>> dv.isin(dv.tensor([1, 2, 3]), dv.tensor([2, 5]))
    tensor([False,  True, False])
    """
    if any((x._a if x.__class__ in CLASSES else np.asarray(x)).dtype.kind in "bc" for x in (elements, test_elements)):
        raise DtypeError("isin()", "Unsupported input type encountered for isin(): Bool or Complex")
    return _isin(elements, test_elements, assume_unique, invert)


# --- logic ----------------------------------------------------------------------------------------------------------


@ufunc()
def logical_and(input: Array, other: Array) -> Array:
    """Whether both are true; a number is true unless it is 0.

    >>> import dovetail as dv
    >>> dv.logical_and(dv.tensor([1, 0]), dv.tensor([2, 2]))
    tensor([ True, False])
    """


@ufunc()
def logical_or(input: Array, other: Array) -> Array:
    """Whether one of the two is true.

    >>> import dovetail as dv
    >>> dv.logical_or(dv.tensor([1, 0]), dv.tensor([0, 0]))
    tensor([ True, False])
    """


@ufunc()
def logical_xor(input: Array, other: Array) -> Array:
    """Whether exactly one of the two is true.

    >>> import dovetail as dv
    >>> dv.logical_xor(dv.tensor([1, 0]), dv.tensor([2, 2]))
    tensor([False,  True])
    """


@ufunc()
def logical_not(input: Array) -> Array:
    """Whether each element is 0.

    >>> import dovetail as dv
    >>> dv.logical_not(dv.tensor([1, 0]))
    tensor([False,  True])
    """


greater, greater_equal, less, less_equal, not_equal = gt, ge, lt, le, ne
OPERATORS = {"eq": eq, "ne": ne, "lt": lt, "le": le, "gt": gt, "ge": ge}
