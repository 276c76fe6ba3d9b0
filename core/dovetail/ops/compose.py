"""Tensors composed of others: complex numbers of their parts, NumPy's family of stacks."""

from __future__ import annotations

from typing import Any

from ..autograd.node import Tensor
from ..device import xp
from ..errors import DtypeError, ShapeError
from ._arrays import same_type
from ._op import Array, op
from ._refuse import type_name
from .arithmetic import mul
from .complex import imag as imag_part
from .complex import real as real_part
from .join import cat, listed
from .views import reshape

__all__ = [
    "atleast_1d", "atleast_2d", "atleast_3d", "column_stack", "complex", "dstack", "hstack", "polar", "row_stack", "vstack",
]  # fmt: skip


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
    same_type("complex", "Expected object of scalar type {} but got scalar type {} for second argument", first._a, second._a)


def polar(abs: Tensor, angle: Tensor) -> Tensor:
    """Complex numbers of absolute value and angle: ``abs * (cos(angle) + 1j * sin(angle))``.

    Raises a DtypeError (RuntimeError) unless both are of one floating-point type.

    >>> import dovetail as dv
    >>> dv.polar(dv.tensor([2.]), dv.tensor([0.]))
    tensor([2.+0.j])
    """
    _check_parts(abs, angle)
    return _complex(mul(abs, angle.cos()), mul(abs, angle.sin()))


def _atleast(n: int, tensors: Any) -> Any:
    given = tensors[0] if len(tensors) == 1 else tensors
    return tuple(_grown(one, n) for one in given) if isinstance(given, tuple | list) else _grown(given, n)


def _grown(one: Tensor, n: int) -> Tensor:
    """A tensor with at least `n` dimensions: vectors become rows, matrices pages of a book of one."""
    shape = one._a.shape
    if len(shape) >= n:
        return one
    shape = (1, *shape) if len(shape) == 1 else shape
    return reshape(one, shape + (1,) * (n - len(shape)))


def atleast_1d(*tensors: Any) -> Any:
    """Numbers as vectors of one element; everything else as it is.

    >>> import dovetail as dv
    >>> dv.atleast_1d(dv.tensor(2.))
    tensor([2.])
    """
    return _atleast(1, tensors)


def atleast_2d(*tensors: Any) -> Any:
    """Vectors as matrices of one row; what has two dimensions or more as it is.

    >>> import dovetail as dv
    >>> dv.atleast_2d(dv.tensor([1, 2]))
    tensor([[1, 2]])
    """
    return _atleast(2, tensors)


def atleast_3d(*tensors: Any) -> Any:
    """Vectors as ``(1, n, 1)``, matrices as ``(n, m, 1)``; what has three dimensions or more as it is.

    >>> import dovetail as dv
    >>> dv.atleast_3d(dv.ones(2, 3)).shape
    dovetail.Size([2, 3, 1])
    """
    return _atleast(3, tensors)


def hstack(tensors: Any) -> Tensor:
    """Join side by side: vectors end to end, everything else along dimension 1.

    >>> import dovetail as dv
    >>> dv.hstack([dv.tensor([1]), dv.tensor([2])])
    tensor([1, 2])
    """
    given = _atleast(1, (_some("hstack", tensors),))
    return cat(given, 0 if given[0]._a.ndim == 1 else 1)


def vstack(tensors: Any) -> Tensor:
    """Join on top of each other, vectors as rows.

    >>> import dovetail as dv
    >>> dv.vstack([dv.tensor([1, 2]), dv.tensor([3, 4])])
    tensor([[1, 2],
            [3, 4]])
    """
    return cat(_atleast(2, (_some("vstack", tensors),)), 0)


def row_stack(tensors: Any) -> Tensor:
    """:func:`vstack` by another name.

    >>> import dovetail as dv
    >>> dv.row_stack([dv.tensor([1, 2]), dv.tensor([3, 4])])
    tensor([[1, 2],
            [3, 4]])
    """
    return vstack(tensors)


def dstack(tensors: Any) -> Tensor:
    """Join along dimension 2.

    >>> import dovetail as dv
    >>> dv.dstack([dv.tensor([1, 2]), dv.tensor([3, 4])])
    tensor([[[1, 3],
             [2, 4]]])
    """
    return cat(_atleast(3, (_some("dstack", tensors),)), 2)


def column_stack(tensors: Any) -> Tensor:
    """Join side by side, vectors as columns.

    >>> import dovetail as dv
    >>> dv.column_stack([dv.tensor([1, 2]), dv.tensor([3, 4])])
    tensor([[1, 3],
            [2, 4]])
    """
    given = _some("column_stack", tensors)
    return hstack([reshape(one, (one._a.size, 1)) if one._a.ndim <= 1 else one for one in given])


def _some(where: str, tensors: Any) -> list[Any]:
    given = listed(where, tensors, False)  # a number counts as much as a vector for the type once it has dimensions
    if not given:
        raise ShapeError(where, "expects a non-empty TensorList")
    return given
