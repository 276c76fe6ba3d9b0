"""Matrix products with an addend: ``beta input + alpha a @ b``, for matrices, vectors and stacks."""

from __future__ import annotations

from typing import Any

from ..autograd.node import Tensor
from ..errors import ShapeError
from ._op import Array, op
from ._refuse import fits
from .arithmetic import mul
from .inplace import inplace
from .linalg import _by_left, _by_right, _dims, _expanded, _product
from .shape import reshape, transpose

__all__ = ["addbmm", "addmm", "addmv", "addr", "baddbmm"]
INPLACE = ("addmm", "addbmm", "addmv", "addr", "baddbmm")


@op(dtypes="same", autocast="lower")
def addmm(input: Array, mat1: Array, mat2: Array, beta: Any = 1, alpha: Any = 1) -> Array:
    """``beta input + alpha mat1 @ mat2``; with beta 0 the input is ignored.

    >>> import dovetail as dv
    >>> dv.addmm(dv.tensor([1.]), dv.tensor([[1., 2.]]), dv.tensor([[3.], [4.]]))
    tensor([[12.]])
    """
    out = _product(mat1, mat2)
    if out.dtype.kind in "iu":  # the factors are numbers of the tensors' type
        beta, alpha = int(beta), int(alpha)
        fits("addmm", beta, out.dtype)
        fits("addmm", alpha, out.dtype)
    if alpha != 1:
        out = out * alpha
    if any(n not in (1, m) for n, m in zip(input.shape[::-1], out.shape[::-1], strict=False)) or input.ndim > out.ndim:
        raise ShapeError("addmm", _expanded(out.shape, input.shape))
    if beta:
        out += input if beta == 1 else input * beta
    return out.astype(mat1.dtype, copy=False)


addmm.vjp(
    lambda g, beta: g if beta == 1 else mul(g, beta),
    lambda g, mat1_shape, mat2, alpha: _by_left(g if alpha == 1 else mul(g, alpha), mat1_shape, mat2),
    lambda g, mat1, mat2_shape, alpha: _by_right(g if alpha == 1 else mul(g, alpha), mat1, mat2_shape),
)


def _stacks(name: str, batch1: Any, batch2: Any) -> None:
    _dims(name, batch1, 3, "batch1")
    _dims(name, batch2, 3, "batch2")
    a, b = batch1._a.shape, batch2._a.shape
    if a[0] != b[0] or a[2] != b[1]:
        what = f"Expected size for first two dimensions of batch2 tensor to be: [{a[0]}, {a[2]}] but got: [{b[0]}, {b[1]}]."
        raise ShapeError(name, what)


def _with_addend(name: str, doc: str, factors: Any, example: str, result: str) -> tuple[Any, Any]:
    """A function ``beta input + alpha a @ b`` and its in-place form, on factors made from its arguments."""
    write = inplace(addmm)

    def function(input: Tensor, *tensors: Tensor, beta: Any = 1, alpha: Any = 1, **named: Tensor) -> Tensor:
        return addmm(input, *factors(*tensors, **named), beta, alpha)

    def function_(input: Tensor, *tensors: Tensor, beta: Any = 1, alpha: Any = 1, **named: Tensor) -> Tensor:
        return write(input, *factors(*tensors, **named), beta, alpha)

    function.__name__ = function.__qualname__ = name
    function_.__name__ = function_.__qualname__ = f"{name}_"
    function.__doc__, function_.__doc__ = (
        f"{doc}\n\n>>> import dovetail as dv\n>>> {example}\n{result}\n",
        f"In-place form of :func:`{name}`.",
    )
    return function, function_


def _addmv(mat: Tensor, vec: Tensor) -> tuple[Tensor, Tensor]:
    _dims("addmv", mat, 2, "mat")
    _dims("addmv", vec, 1, "vec")
    return mat, vec


def _addr(vec1: Tensor, vec2: Tensor) -> tuple[Tensor, Tensor]:
    _dims("addr", vec1, 1, "vec1")
    _dims("addr", vec2, 1, "vec2")
    return reshape(vec1, (-1, 1)), reshape(vec2, (1, -1))


def _baddbmm(batch1: Tensor, batch2: Tensor) -> tuple[Tensor, Tensor]:
    _stacks("baddbmm", batch1, batch2)
    return batch1, batch2


def _addbmm(batch1: Tensor, batch2: Tensor) -> tuple[Tensor, Tensor]:
    _stacks("addbmm", batch1, batch2)
    a, b = batch1._a.shape, batch2._a.shape
    return reshape(transpose(batch1, 0, 1), (a[1], a[0] * a[2])), reshape(batch2, (b[0] * b[1], b[2]))


addmv, addmv_ = _with_addend(
    "addmv",
    "``beta input + alpha mat @ vec``: (n), (n, k), (k) → (n).",
    _addmv,
    "dv.addmv(dv.ones(1), dv.ones(1, 2), dv.ones(2))",
    "tensor([3.])",
)
addr, addr_ = _with_addend(
    "addr",
    "``beta input + alpha vec1 vec2ᵀ``: (n, m), (n), (m) → (n, m).",
    _addr,
    "dv.addr(dv.ones(1, 2), dv.ones(1), dv.tensor([2., 3.]))",
    "tensor([[3., 4.]])",
)
baddbmm, baddbmm_ = _with_addend(
    "baddbmm",
    "``beta input + alpha batch1 @ batch2`` for stacks: (b, n, k), (b, k, p) → (b, n, p).",
    _baddbmm,
    "dv.baddbmm(dv.ones(1, 1, 1), dv.ones(1, 1, 2), dv.ones(1, 2, 1))",
    "tensor([[[3.]]])",
)
addbmm, addbmm_ = _with_addend(
    "addbmm",
    "``beta input + alpha · the sum of batch1 @ batch2`` over a stack: (b, n, k), (b, k, p) → (n, p).",
    _addbmm,
    "dv.addbmm(dv.ones(1, 1), dv.ones(2, 1, 2), dv.ones(2, 2, 1))",
    "tensor([[5.]])",
)
