"""Matrix products: matmul and its gradients, and the fused linear layer."""

from __future__ import annotations

from math import prod
from typing import Any, NoReturn

from ..autograd.node import CLASSES, Tensor, titled
from ..errors import ShapeError, TypeMismatch, UnsupportedError
from ._dims import dim_of
from ._op import Array, op, xp
from .arithmetic import held, mul
from .reduce import sum
from .transpose import transpose
from .views import reshape

__all__ = ["bmm", "dot", "ger", "inner", "matmul", "mm", "mv", "outer", "spmm", "vdot"]
FUNCTIONAL = ("linear",)


def _rows(a: Any) -> Any:
    """All leading dimensions folded into one."""
    return a if a.ndim == 2 else a.reshape(prod(a.shape[:-1]), a.shape[-1])


def _product(a: Any, b: Any) -> Any:
    """Multiply matrices; a stack times one matrix is a single product of the folded stack."""
    n, m = a.ndim, b.ndim
    if n == 0 or m == 0 or a.shape[-1] != b.shape[-2 if m > 1 else 0] or a.dtype.char == "?":
        _refuse(a, b)
    if n > 2 >= m:
        return (_rows(a) @ b).reshape(a.shape[:-1] + b.shape[1:])
    return a @ b


def _refuse(a: Any, b: Any) -> NoReturn:
    """Say what is wrong with two arrays that do not multiply."""
    n, m = a.ndim, b.ndim
    if n == 0 or m == 0:
        raise ShapeError("matmul", f"both arguments to matmul need to be at least 1D, but they are {n}D and {m}D")
    if a.dtype.char == "?":
        raise UnsupportedError("matmul", "\"addmm_impl_cpu_\" not implemented for 'Bool'", "", "convert with .float()")
    received = f"(input {a.shape}, other {b.shape})"
    k, q = a.shape[-1], b.shape[-2 if m > 1 else 0]
    if n == 1 == m:
        what = f"inconsistent tensor size, expected tensor [{k}] and src [{q}] to have the same number of elements"
        raise ShapeError("dot", f"{what}, but got {k} and {q} elements respectively")
    if m == 1:
        rows = a.size // k if k else 0
        raise ShapeError("matmul", f"size mismatch, got input ({rows}), mat ({rows}x{k}), vec ({q}) {received}")
    if m > 2 and n > 2:
        what = f"Expected size for first two dimensions of batch2 tensor to be: [{b.shape[0]}, {k}] but got: [{b.shape[0]}, {q}]."
        raise ShapeError("matmul", f"{what} {received}")
    rows = prod(a.shape[:-1])
    what = f"mat1 and mat2 shapes cannot be multiplied ({rows}x{k} and {q}x{b.shape[-1]}) {received}"
    raise ShapeError("matmul", what, f"the last dimension of input, {k}, must equal dimension {-2 if m > 1 else 0} of other, {q}")


@op(dtypes="same", autocast="lower")
def matmul(input: Array, other: Array) -> Array:
    """Multiply matrices: ``input @ other``; vectors and stacks of matrices as in PyTorch.

    (n, k) · (k, p) → (n, p); (…, n, k) · (…, k, p) → (…, n, p) with the leading dimensions broadcast; a vector counts
    as a row on the left and as a column on the right. Raises a RuntimeError for shapes that do not fit.

    >>> import dovetail as dv
    >>> dv.matmul(dv.tensor([[1., 2.]]), dv.tensor([[3.], [4.]]))
    tensor([[11.]])
    """
    try:
        return _product(input, other)
    except AttributeError:
        raise TypeMismatch("matmul", f"argument 'other' must be Tensor, not {type(other).__name__}") from None


matmul.vjp(lambda g, input_shape, other: _by_left(g, input_shape, other), lambda g, input, other_shape: _by_right(g, input, other_shape))


def _by_left(g: Any, shape: tuple[int, ...], other: Any) -> Any:
    """The gradient of a product by its left factor."""
    n, m = len(shape), other._a.ndim
    other = held(other)
    if n > 1 and m > 1:
        return _folded_nt(g, other) if n == 2 and m > 2 else matmul_nt(g, other)
    if m == 1:
        return mul(g if n == 1 else reshape(g, (*g._a.shape, 1)), other)
    return reshape(matmul(other, reshape(g, (*g._a.shape, 1))), other._a.shape[:-1])


def _by_right(g: Any, input: Any, shape: tuple[int, ...]) -> Any:
    """The gradient of a product by its right factor."""
    n, m = input._a.ndim, len(shape)
    input = held(input)
    if n > 1 and m > 1:
        return _folded_tn(input, g) if m == 2 else matmul_tn(input, g)
    if n == 1 and m == 1:
        return mul(g, input)
    if n == 1:
        return mul(reshape(input, (-1, 1)), reshape(g, (*g._a.shape[:-1], 1, g._a.shape[-1])))
    return matmul(reshape(g, (-1,)), reshape(input, (-1, input._a.shape[-1])) if n > 2 else input)


@op(dtypes="same", autocast="lower")
def matmul_nt(input: Array, other: Array) -> Array:
    """``input @ otherᵀ`` for matrices or stacks of them."""
    return _product(input, other.swapaxes(-1, -2))


matmul_nt.vjp(0)(lambda g, input_shape, other: _folded(g, other) if len(input_shape) == 2 < other._a.ndim else matmul(g, held(other)))
matmul_nt.vjp(1)(lambda g, input, other_shape: _folded_tn(g, held(input)) if len(other_shape) == 2 else matmul_tn(g, held(input)))


@op(dtypes="same", autocast="lower")
def matmul_tn(input: Array, other: Array) -> Array:
    """``inputᵀ @ other`` for matrices or stacks of them."""
    return _product(input.swapaxes(-1, -2), other)


matmul_tn.vjp(0)(lambda g, other: matmul_nt(held(other), g))


@matmul_tn.vjp(1)
def _(g: Any, input: Any, other_shape: Any) -> Any:
    input = held(input)
    return _folded(transpose(input, -1, -2), g) if len(other_shape) == 2 < input._a.ndim else matmul(input, g)


def _folded(a: Any, b: Any) -> Any:
    """``sum of a @ b`` over the leading dimensions, for a stack of each."""
    return _folded_nt(a, transpose(b, -1, -2))


@op(dtypes="same", autocast="lower", name="matmul_folded_tn")
def _folded_tn(input: Array, other: Array) -> Array:
    """``inputᵀ @ other`` with all leading dimensions folded into the one that is summed: (…, n), (…, p) → (n, p)."""
    return _rows(input).T @ _rows(other)


_folded_tn.vjp(0)(lambda g, other: matmul_nt(held(other), g) if other._a.ndim > 1 else matmul(g, held(other)))
_folded_tn.vjp(1)(lambda g, input: matmul(held(input), g))


@op(dtypes="same", autocast="lower", name="matmul_folded_nt")
def _folded_nt(input: Array, other: Array) -> Array:
    """``sum of input @ otherᵀ`` over leading dimensions that both have: (…, n, k), (…, p, k) → (n, p)."""
    k = prod(input.shape[:-2]) * input.shape[-1]
    left, right = (xp(a).moveaxis(a, -2, 0).reshape(a.shape[-2], k) for a in (input, other))
    return left @ right.T


_folded_nt.vjp(lambda g, other: matmul(g, held(other)), lambda g, input: matmul_tn(g, held(input)))


@op(dtypes="same", autocast="lower")
def linear(input: Array, weight: Array, bias: Array | None = None) -> Array:
    """``input @ weightᵀ + bias``: (…, in_features), (out_features, in_features), (out_features) → (…, out_features).

    >>> import dovetail as dv
    >>> dv.nn.functional.linear(dv.tensor([1., 2.]), dv.tensor([[3., 4.]]), dv.tensor([1.]))
    tensor([12.])
    """
    if weight.ndim != 2 or not input.ndim or input.shape[-1] != weight.shape[1] or input.dtype.char == "?":
        return _odd_linear(input, weight, bias)
    out = (input if input.ndim < 3 else _rows(input)) @ weight.T
    if bias is not None:
        try:
            out += bias
        except ValueError:
            raise ShapeError("linear", _expanded(out.shape, bias.shape), f"weight {weight.shape}") from None
    return out if input.ndim < 3 else out.reshape(*input.shape[:-1], weight.shape[0])


def _expanded(have: tuple[int, ...], got: tuple[int, ...]) -> str:
    """PyTorch's sentence for an addend of the wrong shape."""
    at = next((i for i in range(1, len(got) + 1) if i > len(have) or got[-i] not in (1, have[-i])), 1)
    size = have[-at] if at <= len(have) else 1
    text = f"The expanded size of the tensor ({size}) must match the existing size ({got[-at]}) at non-singleton dimension"
    return f"{text} {max(len(have) - at, 0)}.  Target sizes: {list(have)}.  Tensor sizes: {list(got)}"


def _odd_linear(a: Any, weight: Any, bias: Any) -> Any:
    """A weight of one dimension (a single output, dropped), or an error."""
    if a.dtype.char == "?":
        _refuse(a, weight)
    if weight.ndim == 1 and a.ndim and a.shape[-1] == weight.shape[0]:
        if bias is None:
            return a @ weight
        raise ShapeError("linear", "mat2 must be a matrix, got 1-D tensor")
    rows = prod(a.shape[:-1])
    last = a.shape[-1] if a.ndim else 1
    turned = "x".join(map(str, weight.shape[::-1]))
    raise ShapeError(
        "linear",
        f"mat1 and mat2 shapes cannot be multiplied ({rows}x{last} and {turned}) (input {a.shape}, weight {weight.shape})",
        f"the last dimension of input, {last}, must be in_features, {weight.shape[-1] if weight.ndim else 1}",
        "flatten the input: input.flatten(1)" if weight.shape[-1:] == (prod(a.shape[1:]),) else f"is in_features to be {last}?",
    )


@linear.vjp
def _(g: Any, input: Any, weight: Any, bias_shape: Any, needs: Any) -> Any:
    n = g._a.ndim
    if weight._a.ndim == 1:
        by_input = mul(reshape(g, (*g._a.shape, 1)), held(weight)) if needs[0] else None
        return by_input, _by_right(g, input, weight._a.shape) if needs[1] else None, None
    by_input = matmul(g, held(weight)) if needs[0] else None
    summed = needs[2] and n > 1 and len(bias_shape) == 1
    if summed and needs[1] and g._n is input._n is None:  # nobody asks for the gradients of these
        return by_input, *linear_grad(g, held(input))
    by_weight = _folded_tn(g, held(input)) if needs[1] else None
    return by_input, by_weight, sum(g, tuple(range(n - 1))) if summed else g if needs[2] else None


@op(dtypes="same", autocast="lower", outputs=("by_weight", "by_bias"))
def linear_grad(grad: Array, input: Array) -> Any:
    """The gradients of :func:`linear` by weight and bias, whose sums a kernel takes from what the product reads."""
    rows = _rows(grad)
    return rows.T @ _rows(input), rows.sum(0)


def _dims(name: str, n: int, **arguments: Any) -> None:
    """Refuse arguments that are no tensors of n dimensions."""
    for what, t in arguments.items():
        if t.__class__ not in CLASSES:
            raise TypeMismatch(f"{name}()", f"{what} must be Tensor, not {type(t).__name__}")
        if t._a.ndim != n:
            kind = {1: "vector", 2: "matrix", 3: "3D tensor"}[n]
            got = f"got {t._a.ndim}-D tensor of shape {t._a.shape}"
            raise ShapeError(name, f"{what} must be a {kind}", got, "use matmul for any dimensions")


def _stacks(name: str, batch1: Any, batch2: Any) -> tuple[Any, Any]:
    """Two stacks of as many matrices, which multiply."""
    dim_of(name, 2 * ("add" in name), batch2._a.ndim or 1)
    _dims(name, 3, batch1=batch1, batch2=batch2)
    a, b = batch1._a.shape, batch2._a.shape
    if a[0] != b[0] or a[2] != b[1]:
        what = f"Expected size for first two dimensions of batch2 tensor to be: [{a[0]}, {a[2]}] but got: [{b[0]}, {b[1]}]."
        raise ShapeError(name, what)
    return batch1, batch2


def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """Multiply two matrices: (n, k) · (k, p) → (n, p).

    >>> import dovetail as dv
    >>> dv.mm(dv.tensor([[1., 2.]]), dv.tensor([[3.], [4.]]))
    tensor([[11.]])
    """
    _dims("mm", 2, self=input, mat2=mat2)
    return matmul(input, mat2)


def spmm(input: Tensor, mat2: Tensor) -> Tensor:
    """:func:`mm` by the name that PyTorch has for sparse matrices; tensors are dense here.

    >>> import dovetail as dv
    >>> dv.spmm(dv.tensor([[1., 2.]]), dv.tensor([[3.], [4.]]))
    tensor([[11.]])
    """
    return mm(input, mat2)


def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """Multiply two stacks of matrices: (b, n, k) · (b, k, p) → (b, n, p).

    >>> import dovetail as dv
    >>> dv.bmm(dv.ones(2, 1, 3), dv.ones(2, 3, 1)).shape
    dovetail.Size([2, 1, 1])
    """
    return titled("Bmm0", matmul(*_stacks("bmm", input, mat2)))


def mv(input: Tensor, vec: Tensor) -> Tensor:
    """Multiply a matrix and a vector: (n, k) · (k) → (n).

    >>> import dovetail as dv
    >>> dv.mv(dv.tensor([[1., 2.]]), dv.tensor([3., 4.]))
    tensor([11.])
    """
    if input._a.ndim != 2 or vec._a.ndim != 1:
        raise ShapeError("mv", f"vector + matrix @ vector expected, got 1, {input._a.ndim}, {vec._a.ndim}")
    return matmul(input, vec)


def dot(input: Tensor, tensor: Tensor) -> Tensor:
    """The sum of the products of two vectors.

    >>> import dovetail as dv
    >>> dv.dot(dv.tensor([1., 2.]), dv.tensor([3., 4.]))
    tensor(11.)
    """
    if input._a.ndim != 1 or tensor._a.ndim != 1:
        raise ShapeError("dot", f"1D tensors expected, but got {input._a.ndim}D and {tensor._a.ndim}D tensors")
    return matmul(input, tensor)


def vdot(input: Tensor, other: Tensor) -> Tensor:
    """The dot product with the first vector conjugated.

    >>> import dovetail as dv
    >>> dv.vdot(dv.tensor([1j, 2]), dv.tensor([1j, 3]))
    tensor(7.+0.j)
    """
    return dot(held(input), other)


def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """All products of the elements of two vectors: (n), (m) → (n, m).

    >>> import dovetail as dv
    >>> dv.outer(dv.tensor([1., 2.]), dv.tensor([3., 4.]))
    tensor([[3., 4.],
            [6., 8.]])
    """
    for name, t in (("self", input), ("vec2", vec2)):
        if t._a.ndim != 1:
            raise ShapeError("outer", f"Expected 1-D argument {name}, but got {t._a.ndim}-D")
    return mul(reshape(input, (-1, 1)), vec2)


ger = outer


def inner(input: Tensor, other: Tensor) -> Tensor:
    """Products summed over the last dimension of both: (…, k), (*, k) → (…, *).

    >>> import dovetail as dv
    >>> dv.inner(dv.tensor([[1., 2.]]), dv.tensor([3., 4.]))
    tensor([11.])
    """
    a, b = input._a.shape, other._a.shape
    if not a or not b:
        return mul(input, other)
    if a[-1] != b[-1]:
        what = f"the last dimension must match on both input tensors but got shapes {list(a)} and {list(b)}"
        raise ShapeError("inner()", what)
    out = matmul_nt(reshape(input, (prod(a[:-1]), a[-1])), reshape(other, (prod(b[:-1]), b[-1])))
    return reshape(out, a[:-1] + b[:-1])


OPERATORS = {"matmul": matmul}
