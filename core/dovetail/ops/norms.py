"""Vector norms and what is made of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dovetail_numerics.sums import squares, total, widened

from ..autograd.node import Tensor
from ..dtypes import from_numpy_dtype, promote_types, to_numpy_dtype
from ..errors import DtypeError, ShapeError
from ._dims import dim_of
from ._op import Array, op, xp
from ._out import into
from ._reducing import axes, count, unreduce
from ._refuse import tensors, type_name
from .arithmetic import mul, sub
from .inplace import write
from .reduce import _over
from .select import where as choose

__all__ = ["dist", "frobenius_norm", "norm", "norm_except_dim", "nuclear_norm", "renorm"]
METHODS = ("dist", "norm", "renorm")
INPLACE = ("renorm",)


def no_narrowing(where: str, a: Any, dtype: Any) -> None:
    """Refuse to compute a norm of integers, in a type that loses of the input's numbers, or in complex numbers of real ones."""
    if a.dtype.kind not in "fcV":
        what = f"Expected a floating point or complex tensor as input. Got {type_name(a.dtype)}"
        raise DtypeError(where, what, "", "convert with .float()")
    kind = a.dtype if dtype is None else to_numpy_dtype(dtype)
    if kind.kind == "c" != a.dtype.kind:
        raise DtypeError(where, f"dtype should be real for real inputs, but got {type_name(kind)}")
    if promote_types(from_numpy_dtype(a.dtype), from_numpy_dtype(kind)).np != kind:
        what = f"the dtype of the input ({type_name(a.dtype)}) should be convertible without narrowing to the specified dtype"
        raise DtypeError(where, f"{what} ({type_name(kind)})")


@op(dtypes=None, name="linalg_vector_norm", contiguous=True)
def vector_norm(input: Array, ord: float = 2, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Array:
    """``sum(|input|^ord)^(1/ord)`` over `dim`; the largest or smallest |input| for ord ±inf, a count for 0."""
    a, where = input, xp(input)
    no_narrowing("linalg.vector_norm", a, dtype)
    if isinstance(ord, complex):
        raise ShapeError("linalg.vector_norm", f"Expected a non-complex scalar as the order of norm, got {ord}")
    a = widened(a if dtype is None else a.astype(to_numpy_dtype(dtype), copy=False))
    kind = np.dtype(a.dtype.char.lower()) if a.dtype.kind == "c" else (input.dtype if dtype is None else to_numpy_dtype(dtype))
    found = axes(dim, a.ndim, "linalg.vector_norm")
    if (ord < 0 or ord == math.inf) and count(a.shape, dim, "linalg.vector_norm") == 0:
        place = "an empty tensor" if found is None else f"the dimension {dim}, which is empty,"
        what = f"linalg.vector_norm cannot compute the {ord} norm on {place} because the operation does not have an identity"
        raise ShapeError("linalg.vector_norm", what)
    if ord == 2:
        out = where.sqrt(squares(a, found, keepdim) if a.dtype.kind != "c" else total(a.real**2 + a.imag**2, found, keepdim))
    elif ord == 0:
        out = total((a != 0).astype(a.real.dtype), found, keepdim)
    else:
        size = where.abs(a)
        if ord in (math.inf, -math.inf):
            out = (size.max if ord > 0 else size.min)(axis=found, keepdims=keepdim)
        else:
            out = total(size, found, keepdim) if ord == 1 else total(size**ord, found, keepdim) ** (1 / ord)
    return out.astype(kind, copy=False)


@vector_norm.vjp
def _(g: Any, input: Any, ord: Any, dim: Any, keepdim: Any, out: Any) -> Any:
    shape = input._a.shape
    g, out = unreduce(g, shape, dim, keepdim), unreduce(out, shape, dim, keepdim)
    if ord == 2:
        return mul(input, _over(g, out))
    if ord == 0:
        return mul(input.detach(), 0) if input._a.size == 0 else None
    if ord in (math.inf, -math.inf):
        return mul(mul(g, input.sgn()), tie_weights(input.abs(), out, dim, True))
    steep = _over(input.abs() ** (ord - 1), (input != 0).to(out.dtype))  # |0| to a negative power would be infinite
    return mul(mul(input.sgn(), steep), _over(g, out ** (ord - 1)))


@op(dtypes=None)
def tie_weights(input: Array, value: Array, dim: Any = None, keepdim: bool = False, nan: bool = False) -> Array:
    """One over the number of elements that equal the reduced `value`, at each of them; a constant to gradients.

    A NaN equals a NaN with `nan`; without, it leaves NaN, as PyTorch does."""
    if not keepdim and value.ndim != input.ndim:
        found = axes(dim, input.ndim, "amax")
        value = value.reshape(tuple(1 if found is None or i in found else n for i, n in enumerate(input.shape)))
    same = input == value
    if nan and input.dtype.kind in "fc":
        same = same | ((input != input) & (value != value))
    return (same / same.sum(axis=axes(dim, input.ndim, "amax"), keepdims=True)).astype(input.dtype, copy=False)


def norm(input: Tensor, p: Any = "fro", dim: Any = None, keepdim: bool = False, out: Any = None, dtype: Any = None) -> Tensor:
    """The p-norm over `dim` of the elements; ``p="fro"`` is 2, ``"nuc"`` the sum of the singular values of a matrix.

    >>> import dovetail as dv
    >>> dv.norm(dv.tensor([3., 4.]))
    tensor(5.)
    """
    if out is not None:
        return into(norm, (input, p, dim, keepdim), {"dtype": dtype, "out": out})
    if p == "nuc":
        from .matrices import matrix_norm

        return matrix_norm(input, "nuc", tuple(range(input._a.ndim)) if dim is None else dim, keepdim, dtype)
    if isinstance(p, str) and p != "fro":
        raise ShapeError("norm", f"only valid string values are 'fro' and 'nuc', found {p}")
    return vector_norm(input, 2 if p is None or p == "fro" else p, dim, keepdim, dtype)


def dist(input: Tensor, other: Tensor, p: float = 2) -> Tensor:
    """The p-norm of ``input - other``.

    >>> import dovetail as dv
    >>> dv.dist(dv.tensor([1., 2.]), dv.tensor([4., 6.]))
    tensor(5.)
    """
    tensors("dist", input=input, other=other)
    return vector_norm(sub(input, other), p)


def _shrinking(input: Tensor, p: float, dim: int, maxnorm: float) -> Tensor:
    """What brings each slice along `dim` to a p-norm of at most `maxnorm`."""
    tensors("renorm", input=input)
    if isinstance(p, complex) or p <= 0:
        raise ShapeError("renorm", "non-positive-norm not supported", f"got p={p}")
    if maxnorm < 0:
        raise ShapeError("renorm", f"expected maxnorm to be >= 0 but got {maxnorm}")
    n = input._a.ndim
    if n < 2:
        raise ShapeError("renorm", f"input needs at least 2 dimensions, got {n} dimensions")
    dim = dim_of("renorm", dim, n)
    size = vector_norm(input, p, tuple(i for i in range(n) if i != dim), True)
    return choose(size > maxnorm, maxnorm / (size + 1e-7), 1.0).to(input.dtype)


def renorm(input: Tensor, p: float, dim: int, maxnorm: float) -> Tensor:
    """Scale those slices along ``dim`` down whose p-norm is larger than ``maxnorm``.

    Raises a ShapeError (RuntimeError) for a vector, or for ``p`` that is not positive.

    >>> import dovetail as dv
    >>> dv.renorm(dv.tensor([[3., 4.], [0., 1.]]), 2, 0, 1.)
    tensor([[0.6000, 0.8000],
            [0.0000, 1.0000]])
    """
    return mul(input, _shrinking(input, p, dim, maxnorm))


def renorm_(input: Tensor, p: float, dim: int, maxnorm: float) -> Tensor:
    """In-place form of :func:`renorm`."""
    return write(mul.op, [input, _shrinking(input, p, dim, maxnorm)])


def frobenius_norm(input: Tensor, dim: Any, keepdim: bool = False, *, out: Any = None) -> Tensor:
    """``linalg.vector_norm(input, 2, dim, keepdim)``.

    >>> import dovetail as dv
    >>> dv.frobenius_norm(dv.tensor([[3., 4.]]), (0, 1))
    tensor(5.)
    """
    return norm(input, "fro", dim, keepdim, out)


def nuclear_norm(input: Tensor, dim: Any = (-2, -1), keepdim: bool = False, *, out: Any = None) -> Tensor:
    """The sum of the singular values of matrices.

    >>> import dovetail as dv
    >>> dv.nuclear_norm(dv.tensor([[3., 0.], [0., 4.]]))
    tensor(7.)
    """
    return norm(input, "nuc", (-2, -1), dim, out) if isinstance(dim, bool) else norm(input, "nuc", dim, keepdim, out)


def norm_except_dim(v: Tensor, pow: int = 2, dim: int = 0) -> Tensor:
    """The norms of the slices of a dimension, each in its place; with -1 that of the whole.

    >>> import dovetail as dv
    >>> dv.norm_except_dim(dv.tensor([[3., 4.], [0., 1.]]))
    tensor([[5.],
            [1.]])
    """
    if dim == -1:
        return norm(v, pow)
    others = tuple(sorted({*range(v._a.ndim)} - {dim_of("norm_except_dim", dim, v._a.ndim)}))
    return vector_norm(v, pow, others, True) if others else v.abs()
