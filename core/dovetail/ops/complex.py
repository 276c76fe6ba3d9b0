"""Parts of complex numbers."""

from __future__ import annotations

import math
from typing import Any

from ..autograd.node import Tensor
from ..errors import DtypeError, ShapeError, UnsupportedError
from ._op import Array, op, xp
from ._refuse import tensors, type_name
from .arithmetic import abs, mul, zero
from .inplace import write
from .memory import contiguous

__all__ = [
    "angle", "conj", "conj_physical", "conj_physical_", "imag", "real", "resolve_conj", "resolve_neg", "view_as_complex",
    "view_as_real",
]  # fmt: skip
METHODS = tuple(n for n in __all__ if n not in ("imag", "real", "view_as_complex", "view_as_real"))


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


@op(name="view_as_real", dtypes=None, alias="always")
def _view_as_real(input: Array) -> Array:
    return input[..., None].view(input.dtype.char.lower())


_view_as_real.vjp(lambda g: view_as_complex(contiguous(g)))


def view_as_real(input: Tensor) -> Tensor:
    """Complex numbers as pairs of real ones, a view: (*, 2). Raises a DtypeError (RuntimeError) for a real tensor.

    >>> import dovetail as dv
    >>> dv.view_as_real(dv.tensor([1 + 2j]))
    tensor([[1., 2.]])
    """
    tensors("view_as_real", input=input)
    if input._a.dtype.kind != "c":
        raise DtypeError("view_as_real", f"view_as_real is only supported for complex tensors (got {input._a.dtype})")
    return _view_as_real(input)


@op(name="view_as_complex", dtypes=None, alias="always")
def _view_as_complex(input: Array) -> Array:
    return input.view(input.dtype.char.upper())[..., 0]


_view_as_complex.vjp(lambda g: _view_as_real(g))


def view_as_complex(input: Tensor) -> Tensor:
    """Pairs of float32 or float64 numbers, (*, 2), as complex ones, a view: (*).

    Raises a ShapeError (RuntimeError) unless the last dimension holds pairs that lie side by side.

    >>> import dovetail as dv
    >>> dv.view_as_complex(dv.tensor([[1., 2.]]))
    tensor([1.+2.j])
    """
    tensors("view_as_complex", input=input)
    a = input._a
    if a.dtype.char == "e":
        raise UnsupportedError("view_as_complex", "there is no complex type of two halves", "", "convert it with .float()")
    if a.dtype.char not in "fd":
        what = f"view_as_complex is only supported for float and double tensors, but got a tensor of type {type_name(a.dtype)}"
        raise DtypeError("view_as_complex", what, "", "convert it with .float()")
    if not a.ndim or a.shape[-1] != 2:
        raise ShapeError("view_as_complex", "Tensor must have a last dimension of size 2", f"got shape {tuple(a.shape)}")
    steps = [s // a.itemsize for s in a.strides]
    if a.size and (steps[-1] != 1 or any(s % 2 and n > 1 for s, n in zip(steps[:-1], a.shape, strict=False))):
        what = f"Tensor must have a last dimension with stride 1, and strides divisible by 2 before it (strides {steps})"
        raise ShapeError("view_as_complex", what, "", "use contiguous()")
    return _view_as_complex(input)
