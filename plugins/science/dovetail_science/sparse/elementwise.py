"""Sums, products and functions of single elements."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import dovetail as dv
from dovetail import Tensor
from dovetail.errors import DtypeError, ShapeError, TypeMismatch
from dovetail.extend import Function

from .convert import as_coo, coalesce, gathered, rows_and_columns
from .edges import keys, places
from .table import COO, CSC, CSR, TABLE, known, unsupported
from .tensor import SparseTensor

__all__: list[str] = []

_DENSE_SECOND = "add(sparse, dense) is not supported. Use add(dense, sparse) instead."

# functions that leave zero where it is; PyTorch adds up what is repeated first
_OF_ELEMENTS = """
abs absolute asin arcsin asinh arcsinh atan arctan atanh arctanh ceil deg2rad erf erfinv expm1 floor frac isinf isnan
isneginf isposinf log1p nan_to_num rad2deg relu round sgn sign signbit sin sinh sqrt square tan tanh trunc fix
""".split()
_AS_THEY_ARE = ("neg", "negative", "positive", "conj", "conj_physical")  # linear ones: what is repeated may stay so


def _changes(name: str, input: SparseTensor) -> None:
    """Refuse to change a leaf whose gradient is recorded."""
    if input.requires_grad and input.is_leaf and dv.is_grad_enabled():
        raise ShapeError(f"{name}_", "a leaf Variable that requires grad is being used in an in-place operation")


def _elementwise(name: str, first_coalesced: bool) -> None:
    function = getattr(Tensor, name)

    def call(input: Any, *args: Any, **kwargs: Any) -> Any:
        t = coalesce(input) if first_coalesced and input.form == COO else input
        return t.like(function(t.live(), *args, **kwargs))

    def change(input: Any, *args: Any, **kwargs: Any) -> Any:
        _changes(name, input)
        if first_coalesced and input.form == COO and not input.coalesced:
            raise ShapeError(f"{name}_", f"{name}_ requires coalesced input")
        out = call(input, *args, **kwargs)
        if not dv.can_cast(out.dtype, input.dtype):
            raise DtypeError(f"{name}_", f"result type {out.dtype} can't be cast to the desired output type {input.dtype}")
        return input._take(out)

    call.__name__, call.__doc__ = name, f"``{name}`` of every value."
    change.__name__, change.__doc__ = f"{name}_", f"In-place form of ``{name}``."
    known(name)(call)
    if hasattr(Tensor, f"{name}_"):
        known(f"{name}_")(change)


for _name in _OF_ELEMENTS:
    if hasattr(Tensor, _name):
        _elementwise(_name, True)
for _name in _AS_THEY_ARE:
    _elementwise(_name, False)


@known("pow")
def pow(input: Any, exponent: Any) -> Any:
    """A power of every value, the exponent a positive number."""
    if not isinstance(input, SparseTensor) or (isinstance(exponent, Tensor) and exponent.ndim):
        raise unsupported("pow", COO)
    if exponent == 0:
        raise ShapeError("pow", "input must be raised to a nonzero power", "", "the result would be dense: call to_dense()")
    t = coalesce(input) if input.form == COO else input
    return t.like(t.live() ** exponent)


class _Beside(Function):
    """A sparse term of a dense sum: the gradient of what it was made of is dense, as in PyTorch."""

    @staticmethod
    def forward(ctx: Any, root: Any, sparse: Any, turned: bool) -> Any:
        """All its elements."""
        ctx.turned = turned
        return sparse.to_dense()

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        """The same."""
        return g.t() if ctx.turned else g, None, None


@known("add")
def add(input: Any, other: Any, *, alpha: Any = 1) -> Any:
    """Sums: of two sparse tensors, or of a dense and a sparse one."""
    if not isinstance(input, SparseTensor):
        return _onto_dense(input, other, alpha)
    if not isinstance(other, SparseTensor):
        if input.form in (CSR, CSC) and isinstance(other, Tensor) and other.ndim:
            return _onto_dense(other if alpha == 1 else other * alpha, input, 1)
        raise ShapeError("add", _DENSE_SECOND)
    if input.form != other.form:
        raise unsupported("add", f"{input.form} and {other.form}")
    if input.shape != other.shape:
        what = f"expected sizes of 'self' and 'other' to match, but {list(input.shape)} != {list(other.shape)}"
        raise ShapeError("add", f"add: {what}")
    a, b = input.live(), other.live()
    b = b if alpha == 1 else dv.add(dv.zeros_like(b), b, alpha=alpha)
    if len(a) == len(b) and all(i is j or i.equal(j) for i, j in zip(input.index, other.index, strict=True)):
        out = input.like(a + b)
        out.coalesced = input.coalesced and other.coalesced
        return out
    if input.form != COO:
        return TABLE["to_sparse"](add(as_coo(input), as_coo(other), alpha=alpha), layout=input.form)
    split = input.sparse_dim()
    if split != other.sparse_dim():
        raise ShapeError("add", f"'self' has {split} sparse dimensions and 'other' {other.sparse_dim()}")
    kind = dv.promote_types(a.dtype, b.dtype)
    value = dv.cat([a.to(kind), b.to(kind)])
    if input.coalesced and other.coalesced:
        return gathered(np.r_[keys(input), keys(other)], value, input.shape[:split], input.shape)
    return SparseTensor(COO, (dv.cat([input.index[0], other.index[0]], 1),), value, input.shape)


def _onto_dense(dense: Any, sparse: Any, alpha: Any) -> Any:
    """Dense plus sparse."""
    if not isinstance(dense, Tensor) or not dense.ndim:
        raise ShapeError("add", _DENSE_SECOND)
    if dense.shape != sparse.shape:
        text = f"self has size {list(dense.shape)} while other has size {list(sparse.shape)}"
        note = "(FYI: dense-sparse addition does not currently support broadcasting)"
        raise ShapeError("add", f"add: expected 'self' and 'other' to have same size, but {text} {note}")
    root = sparse.root()
    whole = sparse.to_dense() if root is None else _Beside.apply(root[0], sparse.detach(), root[1])
    return dv.add(dense, whole, alpha=alpha)


@known("sub", "subtract")
def sub(input: Any, other: Any, *, alpha: Any = 1) -> Any:
    """Differences, as `add`."""
    return add(input, other, alpha=-alpha)


@known("add_scaled")
def add_scaled(input: Any, other: Any, alpha: Any) -> Any:
    """The op behind ``add`` with alpha."""
    return add(input, other, alpha=alpha)


@known("sub_scaled")
def sub_scaled(input: Any, other: Any, alpha: Any) -> Any:
    """The op behind ``sub`` with alpha."""
    return add(input, other, alpha=-alpha)


@known("mul", "multiply")
def mul(input: Any, other: Any) -> Any:
    """Products with a number, a dense tensor that broadcasts, or a sparse tensor."""
    if not isinstance(input, SparseTensor):
        input, other = other, input
    if not isinstance(other, Tensor) or (not isinstance(other, SparseTensor) and other.ndim == 0):
        return input.like(input.live() * other)
    if isinstance(other, SparseTensor):
        return _intersection(input, other)
    if dv.broadcast_shapes(tuple(input.shape), tuple(other.shape)) != tuple(input.shape):
        raise ShapeError("mul", f"cannot broadcast the sparse tensor {tuple(input.shape)} to the dense one {tuple(other.shape)}")
    whole = other.expand(tuple(input.shape))
    if input.form == COO:
        return input.like(input.live() * whole[tuple(input.index[0])])
    if input.value.ndim > 1:
        raise unsupported("mul", input.form)
    return input.like(input.live() * whole[tuple(dv.from_numpy(x) for x in rows_and_columns(input))])


def _intersection(a: SparseTensor, b: SparseTensor) -> Any:
    """The product of two sparse tensors."""
    if a.form != COO or b.form != COO:
        if a.form != b.form:
            raise unsupported("mul", f"{a.form} and {b.form}")
        return TABLE["to_sparse"](_intersection(as_coo(a), as_coo(b)), layout=a.form)
    split = a.sparse_dim()
    if a.ndim != b.ndim or split != b.sparse_dim() or a.shape[:split] != b.shape[:split]:
        what = "expects sparse inputs with equal dimensionality, number of sparse dimensions, and shape of sparse dimensions"
        raise ShapeError("mul", what, f"got {tuple(a.shape)} and {tuple(b.shape)}")
    if not a.coalesced and not b.coalesced:
        b = coalesce(b)
    if a.coalesced and b.coalesced:
        key, at, bt = np.intersect1d(keys(a), keys(b), True, True)
        value = a.live()[dv.from_numpy(at)] * b.live()[dv.from_numpy(bt)]
        return SparseTensor(COO, (places(key, a.shape[:split]),), value, a.shape, True)
    if a.coalesced:
        a, b = b, a
    mine, theirs, values = keys(a), keys(b), b.live()
    if not len(theirs):
        return a.like(a.live() * 0)
    at = np.searchsorted(theirs, mine).clip(max=len(theirs) - 1)
    hit = dv.from_numpy((theirs[at] == mine).reshape(-1, *[1] * (a.value.ndim - 1)))
    return a.like(a.live() * values[dv.from_numpy(at)] * hit)


@known("div", "divide", "true_divide")
def div(input: Any, other: Any, *, rounding_mode: str | None = None) -> Any:
    """Quotients by a number."""
    if isinstance(other, Tensor) and (isinstance(other, SparseTensor) or other.ndim):
        if not isinstance(input, SparseTensor):
            raise unsupported("div", COO)
        what = f"Sparse division requires a scalar or zero-dim dense tensor divisor (got shape {list(other.shape)} for divisor)"
        raise ShapeError("div", what)
    if not isinstance(input, SparseTensor):
        raise unsupported("reciprocal", COO)
    t = coalesce(input) if rounding_mode and input.form == COO else input
    return t.like(dv.div(t.live(), other, rounding_mode=rounding_mode))


@known("floor_divide")
def floor_divide(input: Any, other: Any) -> Any:
    """Quotients by a number, rounded down."""
    return div(input, other, rounding_mode="floor")


def _in_place(name: str, function: Callable[..., Any]) -> None:
    def change(input: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(input, SparseTensor):
            _changes(name, input)
            out = function(input, *args, **kwargs)
            if not isinstance(out, SparseTensor):
                raise ShapeError(f"{name}_", f"the result is dense, the tensor {input.form}")
            return input._take(out)
        return _write(name, input, args, kwargs)

    change.__doc__ = f"In-place form of ``{name}``."
    known(f"{name}_")(change)


def _write(name: str, input: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """A dense tensor changed by a sparse one, of which only the elements that are kept matter in a sum."""
    sparse = args[0]
    if name in ("add", "sub") and not (dv.is_grad_enabled() and (input.requires_grad or sparse.requires_grad)):
        if input.shape != sparse.shape:
            _onto_dense(input, sparse, 1)  # says what is wrong
        alpha = kwargs.get("alpha", args[1] if len(args) > 1 else 1)
        t = as_coo(sparse)
        with dv.no_grad():
            value = t.value.to(input.dtype) * (alpha if name == "add" else -alpha)
            return input.index_put_(tuple(t.index[0]), value, accumulate=True)
    return getattr(input, f"{name}_")(sparse.to_dense(), *args[1:], **kwargs)


for _name, _function in {"add": add, "sub": sub, "mul": mul, "div": div, "pow": pow, "floor_divide": floor_divide}.items():
    _in_place(_name, _function)


@known("fill_")
def fill_(input: Any, value: Any) -> Any:
    """Set every kept element of a compressed layout to one number."""
    _changes("fill", input)
    return input._take(TABLE["full_like"](input, value))


@known("zero_")
def zero_(input: Any) -> Any:
    """Keep nothing any more."""
    _changes("zero", input)
    return input._take(TABLE["zeros_like"](input))


@known("copy_")
def copy_(input: Any, src: Any, non_blocking: bool = False) -> Any:
    """Become a copy of another sparse tensor, in this type."""
    if not isinstance(src, SparseTensor) or not isinstance(input, SparseTensor):
        raise ShapeError("copy_", "copy_() between dense and sparse Tensors is not implemented", "", "use to_sparse()")
    _changes("copy", input)
    return input._take(src.to(input.dtype).clone())


@known("any")
def any_(input: Any) -> Any:
    """Whether any value is not zero."""
    return coalesce(input).value.any() if input.form == COO else input.value.any()


@known("norm")
def norm(input: Any, p: Any = "fro", dim: Any = None, keepdim: bool = False, dtype: Any = None, out: Any = None) -> Any:
    """The norm of all values."""
    if dim is not None or input.form != COO:
        raise unsupported("norm", input.form)
    value = coalesce(input).live()
    return dv.norm(value.reshape(-1), 2 if p == "fro" else p, dtype=dtype)


@known()
def dropout(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
    """Itself outside training, which is all that PyTorch has."""
    if training:
        raise unsupported("dropout", input.form)
    return input


@known("vector_norm")
def vector_norm(input: Any, ord: Any = 2, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Any:
    """The op behind ``torch.norm``."""
    return norm(input, ord, dim, keepdim, dtype)


@known("is_nonzero")
def is_nonzero(input: Any) -> bool:
    """Whether the only element is not zero."""
    return bool(input)


@known("resize_as_sparse_")
def resize_as_sparse_(input: Any, the_template: Any) -> Any:
    """Take over the size of another."""
    return sparse_resize_(input, the_template.shape, the_template.sparse_dim(), the_template.dense_dim())


@known("sparse_resize_")
def sparse_resize_(input: Any, size: Any, sparse_dim: int, dense_dim: int) -> Any:
    """Another size around the same indices and values."""
    if not isinstance(input, SparseTensor):
        raise unsupported("sparse_resize_", input.layout)
    if (sparse_dim, dense_dim) != (input.sparse_dim(), input.dense_dim()) or any(n < m for n, m in zip(size, input.shape, strict=True)):
        raise unsupported("sparse_resize_ that shrinks", input.form)
    return input._take(input.like(input.value.detach(), tuple(size)))


@known("sparse_resize_and_clear_")
def sparse_resize_and_clear_(input: Any, size: Any, sparse_dim: int, dense_dim: int) -> Any:
    """Another size, and nothing kept."""
    if not isinstance(input, SparseTensor):
        raise unsupported("sparse_resize_and_clear_", input.layout)
    value = input.value.detach().new_zeros((0, *size[sparse_dim:]))
    return input._take(SparseTensor(COO, (dv.zeros(sparse_dim, 0, dtype=dv.int64),), value, size, True))


def operator(name: str, swap: bool = False) -> Callable[[Any, Any], Any]:
    """What stands behind Python's operator."""

    def call(self: Any, other: Any) -> Any:
        if isinstance(other, np.ndarray | np.generic):
            other = other.item() if other.ndim == 0 else dv.from_numpy(other)
        if not isinstance(other, int | float | bool | complex | Tensor):
            return NotImplemented
        if name not in TABLE:
            raise unsupported(name, self.form)
        if name == "matmul" and not isinstance(other, Tensor):
            return NotImplemented
        return TABLE[name](other, self) if swap else TABLE[name](self, other)

    return call


def inverted(self: Any) -> Any:
    """Refuse ~."""
    raise TypeMismatch("~", "(operator.invert) is only implemented on integer and Boolean-type tensors", f"got {self.dtype}")
