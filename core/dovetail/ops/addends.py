"""Matrix products with an addend: ``beta input + alpha a @ b``, for matrices, vectors and stacks."""

from __future__ import annotations

from typing import Any

from ..autograd.node import Tensor
from ..dtypes import HALF
from ..errors import ShapeError
from ._op import Array, op
from ._prepare import rounded
from ._refuse import fits
from .arithmetic import _alpha, add, mul
from .inplace import inplace
from .join import listed
from .linalg import _by_left, _by_right, _dims, _expanded, _product, _stacks
from .transpose import transpose
from .views import reshape

__all__ = ["addbmm", "addmm", "addmv", "addr", "baddbmm"]
INPLACE = ("addmm", "addbmm", "addr", "baddbmm")
INPLACE_FUNCTIONS = ("addmv",)


@op(dtypes="same", autocast="lower")
def addmm(input: Array, mat1: Array, mat2: Array, beta: Any = 1, alpha: Any = 1) -> Array:
    """``beta input + alpha mat1 @ mat2``; with beta 0 the input is ignored.

    >>> import dovetail as dv
    >>> dv.addmm(dv.tensor([1.]), dv.tensor([[1., 2.]]), dv.tensor([[3.], [4.]]))
    tensor([[12.]])
    """
    out = _product(mat1, mat2)
    if out.dtype.kind in "iu":  # the factors are numbers of the tensors' type
        beta, alpha = fits("addmm", beta, out.dtype), fits("addmm", alpha, out.dtype)
    if alpha != 1:
        out = out * alpha
    if any(n not in (1, m) for n, m in zip(input.shape[::-1], out.shape[::-1], strict=False)) or input.ndim > out.ndim:
        raise ShapeError("addmm", _expanded(out.shape, input.shape))
    if beta:
        out += input if beta == 1 else input * beta
    return out.astype(mat1.dtype, copy=False)


addmm.vjp(0)(lambda g, beta: g if beta == 1 else mul(g, beta.conjugate()))
addmm.vjp(1)(lambda g, mat1_shape, mat2, alpha: _by_left(g if alpha == 1 else mul(g, alpha.conjugate()), mat1_shape, mat2))
addmm.vjp(2)(lambda g, mat1, mat2_shape, alpha: _by_right(g if alpha == 1 else mul(g, alpha.conjugate()), mat1, mat2_shape))


_addmm_ = inplace(addmm)


def _vector(mat: Tensor, vec: Tensor) -> tuple[Tensor, Tensor]:
    _dims("addmv", 2, mat=mat)
    _dims("addmv", 1, vec=vec)
    return mat, vec


def addmv(input: Tensor, mat: Tensor, vec: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """``beta input + alpha mat @ vec``: (n), (n, k), (k) → (n).

    >>> import dovetail as dv
    >>> dv.addmv(dv.ones(1), dv.ones(1, 2), dv.ones(2))
    tensor([3.])
    """
    if (kind := input._a.dtype) in HALF:  # PyTorch rounds here, and not beside a matrix
        input, beta, alpha = mul(input, rounded(beta, kind)) if beta else input, int(beta != 0), rounded(alpha, kind)
    return addmm(input, *_vector(mat, vec), beta=beta, alpha=alpha)


def addmv_(input: Tensor, mat: Tensor, vec: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """In-place form of :func:`addmv`."""
    return _addmm_(input, *_vector(mat, vec), beta, alpha)


def _vectors(vec1: Tensor, vec2: Tensor) -> tuple[Tensor, Tensor]:
    _dims("addr", 1, vec1=vec1, vec2=vec2)
    return vec1[:, None], vec2[None]


def addr(input: Tensor, vec1: Tensor, vec2: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """``beta input + alpha vec1 vec2ᵀ``: (n, m), (n), (m) → (n, m).

    >>> import dovetail as dv
    >>> dv.addr(dv.ones(1, 2), dv.ones(1), dv.tensor([2., 3.]))
    tensor([[3., 4.]])
    """
    whole = input if input._a.shape else input[None]  # a number counts for the type too
    whole, a, b = listed("addr", [whole, *_vectors(vec1, vec2)])
    kind = whole._a.dtype
    beta, alpha = (_alpha("addr", kind, number) for number in (beta, alpha))
    if kind in HALF:  # rounded at every step, the numbers too
        beta, alpha = rounded(beta, kind), rounded(alpha, kind)
    out = mul(mul(a, alpha), b)
    whole = whole.expand(out._a.shape)
    return add(mul(whole, beta) if beta else whole[:, :0].sum(-1, True, dtype=whole.dtype), out)  # zeros that know their history


def addr_(input: Tensor, vec1: Tensor, vec2: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """In-place form of :func:`addr`."""
    return _addmm_(input, *_vectors(vec1, vec2), beta, alpha)


def baddbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """``beta input + alpha batch1 @ batch2`` for stacks: (b, n, k), (b, k, p) → (b, n, p).

    >>> import dovetail as dv
    >>> dv.baddbmm(dv.ones(1, 1, 1), dv.ones(1, 1, 2), dv.ones(1, 2, 1))
    tensor([[[3.]]])
    """
    return addmm(input, *_stacks("baddbmm", batch1, batch2), beta=beta, alpha=alpha)


def baddbmm_(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """In-place form of :func:`baddbmm`."""
    return _addmm_(input, *_stacks("baddbmm", batch1, batch2), beta, alpha)


def _side_by_side(batch1: Tensor, batch2: Tensor) -> tuple[Tensor, Tensor]:
    """Two matrices whose product is the sum of the products of two stacks."""
    (b, n, k), p = _stacks("addbmm", batch1, batch2)[0]._a.shape, batch2._a.shape[-1]
    return reshape(transpose(batch1, 0, 1), (n, b * k)), reshape(batch2, (b * k, p))


def addbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """``beta input + alpha · the sum of batch1 @ batch2`` over a stack: (b, n, k), (b, k, p) → (n, p).

    >>> import dovetail as dv
    >>> dv.addbmm(dv.ones(1, 1), dv.ones(2, 1, 2), dv.ones(2, 2, 1))
    tensor([[5.]])
    """
    return addmm(input, *_side_by_side(batch1, batch2), beta=beta, alpha=alpha)


def addbmm_(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """In-place form of :func:`addbmm`."""
    return _addmm_(input, *_side_by_side(batch1, batch2), beta, alpha)
