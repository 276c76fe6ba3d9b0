"""Tensors composed of others: complex numbers of their parts, powers of a vector."""

from __future__ import annotations

from ..autograd.node import Tensor
from ..device import xp
from ..dtypes import int64
from ..errors import DtypeError, ShapeError
from ._op import Array, op
from ._refuse import type_name
from .arithmetic import mul
from .complex import imag as imag_part
from .complex import real as real_part
from .join import stack
from .shape import flip

__all__ = ["complex", "polar", "vander"]


@op(dtypes=None, name="complex")
def _complex(real: Array, imag: Array) -> Array:
    """``real + 1j * imag``."""
    return real + imag * xp(real).asarray(1j, "complex64" if real.dtype.itemsize <= 4 else "complex128")


_complex.vjp(lambda g: (real_part(g), imag_part(g)))


def complex(real: Tensor, imag: Tensor) -> Tensor:
    """Complex numbers of their real and imaginary parts, which are broadcast.

    Raises a DtypeError (RuntimeError) unless both are float16, float32 or float64 alike.

    >>> import dovetail as dv
    >>> dv.complex(dv.tensor([1., 2.]), dv.tensor([0., -1.]))
    tensor([1.+0.j, 2.-1.j])
    """
    _check_parts(real, imag)
    return _complex(real, imag)


def _check_parts(first: Tensor, second: Tensor) -> None:
    a, b = first._a.dtype, second._a.dtype
    if a.kind != "f" or b.kind != "f":
        raise DtypeError("complex", f"Expected both inputs to be Half, Float or Double tensors but got {type_name(a)} and {type_name(b)}")
    if a != b:
        raise DtypeError("complex", f"Expected object of scalar type {type_name(a)} but got scalar type {type_name(b)} for second argument")


def polar(abs: Tensor, angle: Tensor) -> Tensor:
    """Complex numbers of absolute value and angle: ``abs * (cos(angle) + 1j * sin(angle))``.

    Raises a DtypeError (RuntimeError) unless both are of one floating-point type.

    >>> import dovetail as dv
    >>> dv.polar(dv.tensor([2.]), dv.tensor([0.]))
    tensor([2.+0.j])
    """
    _check_parts(abs, angle)
    return _complex(mul(abs, angle.cos()), mul(abs, angle.sin()))


def vander(x: Tensor, N: int | None = None, increasing: bool = False) -> Tensor:
    """The powers of a vector as columns, the highest first unless ``increasing``: ``(n, N)``.

    Raises a ShapeError (RuntimeError) unless ``x`` is a vector and ``N`` is not negative.

    >>> import dovetail as dv
    >>> dv.vander(dv.tensor([1, 2, 3]))
    tensor([[1, 1, 1],
            [4, 2, 1],
            [9, 3, 1]])
    """
    if x._a.ndim != 1:
        raise ShapeError("vander", "x must be a one-dimensional tensor.", f"got shape {tuple(x._a.shape)}")
    if x._a.dtype.kind in "iub":
        x = x.to(int64)
    count = x._a.size if N is None else N
    if count < 0:
        raise ShapeError("vander", f"N must be non-negative, got {count}")
    if count == 0:
        return x.new_empty((x._a.size, 0))
    powers = [x.new_ones(x._a.size)]
    while len(powers) < count:
        powers.append(mul(powers[-1], x))
    out = stack(powers, dim=1)
    return out if increasing else flip(out, 1)
