"""Parts of complex numbers."""

from __future__ import annotations

import math
from typing import Any

from ..autograd.node import Tensor
from ..errors import DtypeError
from ._op import Array, op, xp
from ._refuse import tensors
from .arithmetic import abs, mul, zero
from .inplace import write

__all__ = ["angle", "conj", "conj_physical", "conj_physical_", "imag", "real", "resolve_conj", "resolve_neg"]
METHODS = tuple(n for n in __all__ if n not in ("imag", "real"))


@op(name="conj")
def _conj(input: Array) -> Array:
    return input.conj()


_conj.vjp(lambda g: conj(g))


def conj(input: Tensor) -> Tensor:
    """The complex conjugate of each element; a real tensor is returned as it is.

    >>> import dovetail as dv
    >>> dv.conj(dv.tensor([1 + 2j]))
    tensor([1.-2.j])
    """
    tensors("conj", input=input)
    return _conj(input) if input._a.dtype.kind == "c" else input


def conj_physical(input: Tensor) -> Tensor:
    """The complex conjugate of each element, as :func:`conj`.

    >>> import dovetail as dv
    >>> dv.conj_physical(dv.tensor([1 + 2j]))
    tensor([1.-2.j])
    """
    return conj(input)


def conj_physical_(input: Tensor) -> Tensor:
    """In-place form of :func:`conj_physical`."""
    return write(_conj.op, [input])


def resolve_conj(input: Tensor) -> Tensor:
    """The tensor itself: conjugates are computed at once.

    >>> import dovetail as dv
    >>> dv.resolve_conj(dv.tensor([1.]))
    tensor([1.])
    """
    return input


def resolve_neg(input: Tensor) -> Tensor:
    """The tensor itself: negatives are computed at once.

    >>> import dovetail as dv
    >>> dv.resolve_neg(dv.tensor([1.]))
    tensor([1.])
    """
    return input


@op(name="real", dtypes=None, alias="always")
def _real(input: Array) -> Array:
    return input.real


_real.vjp(lambda g: mul(g, complex(1)))


def real(input: Tensor) -> Tensor:
    """The real part of each element, as a view; a real tensor is returned as it is.

    >>> import dovetail as dv
    >>> dv.real(dv.tensor([1 + 2j]))
    tensor([1.])
    """
    tensors("real", input=input)
    return _real(input) if input._a.dtype.kind == "c" else input


@op(name="imag", dtypes=None, alias="always")
def _imag(input: Array) -> Array:
    return input.imag


_imag.vjp(lambda g: mul(g, 1j))


def imag(input: Tensor) -> Tensor:
    """The imaginary part of each element, as a view. Raises a DtypeError (RuntimeError) for a real tensor.

    >>> import dovetail as dv
    >>> dv.imag(dv.tensor([1 + 2j]))
    tensor([2.])
    """
    tensors("imag", input=input)
    if input._a.dtype.kind != "c":
        raise DtypeError("imag", f"imag is not implemented for tensors with non-complex dtypes (got {input._a.dtype})")
    return _imag(input)


@op(dtypes="float", contiguous=True)
def angle(input: Array) -> Array:
    """The angle of each element in the complex plane, in radians: 0 or π for real ones.

    >>> import dovetail as dv
    >>> dv.angle(dv.tensor([2., -2.]))
    tensor([0.0000, 3.1416])
    """
    m = xp(input)
    if input.dtype.kind == "c":
        return m.arctan2(input.imag, input.real)
    kind = input.dtype.type
    return m.where(input < 0, kind(math.pi), m.where(input != input, input, kind(0)))


@angle.vjp
def _(g: Any, input: Any) -> Any:
    if input._a.dtype.kind != "c":
        return zero(g)
    size = abs(input)
    return mul(mul(g, input / (size * size)), 1j).masked_fill(size == 0, 0)
