"""Reductions: sums, means, products, variances, log-sum-exp, and what counts elements."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dovetail_numerics.sums import total, widened

from ..autograd.node import Tensor, titled
from ..dtypes import to_numpy_dtype
from ..errors import DtypeError, ShapeError, TypeMismatch
from ._op import Array, op, xp
from ._reducing import axes, count, summable, unreduce
from ._refuse import type_name
from .arithmetic import div, held, mul, neg, sub
from .scan import product_before
from .shape import flip
from .views import reshape

__all__ = ["all", "any", "count_nonzero", "logsumexp", "mean", "nanmean", "nansum", "prod", "std", "std_mean", "sum", "var", "var_mean"]
METHODS = tuple(n for n in __all__ if n not in ("std_mean", "var_mean"))


@op(dtypes=None, contiguous=True)
def sum(input: Array, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Array:
    """Sum over `dim` (a number, several, or None for all); integers and bools sum as int64.

    >>> import dovetail as dv
    >>> dv.sum(dv.tensor([[1., 2.], [3., 4.]]), dim=0)
    tensor([4., 6.])
    """
    if dtype is None and input.dtype.char in "fd":
        return total(input, None if dim is None else axes(dim, input.ndim, "sum"), keepdim)
    a, kind = summable(input, dtype)
    return total(a, axes(dim, a.ndim, "sum"), keepdim).astype(kind, copy=False)


sum.vjp(lambda g, input_shape, dim, keepdim: unreduce(g, input_shape, dim, keepdim))


@op(dtypes=None, contiguous=True)
def mean(input: Array, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Array:
    """Average over `dim`: ``sum(input) / n``. Raises a RuntimeError for integers without `dtype`.

    >>> import dovetail as dv
    >>> dv.mean(dv.tensor([1., 2., 6.]))
    tensor(3.)
    """
    wanted = input.dtype if dtype is None else to_numpy_dtype(dtype)
    if wanted.kind not in "fcV":
        which = "Input" if dtype is None else "Optional"
        what = f"could not infer output dtype. {which} dtype must be either a floating point or complex dtype. Got: {type_name(wanted)}"
        raise DtypeError("mean()", what, "", "convert with .float(), or pass dtype=")
    a, kind = summable(input, dtype)
    out = total(a, axes(dim, a.ndim, "mean"), keepdim)
    n = a.size if dim is None else count(a.shape, dim, "mean")
    return (out / n if n else xp(a).true_divide(out, n)).astype(kind, copy=False)


mean.vjp(lambda g, input_shape, dim, keepdim: unreduce(div(g, count(input_shape, dim, "mean") or 1), input_shape, dim, keepdim))


@op(dtypes=None, contiguous=True)
def nansum(input: Array, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Array:
    """Sum over `dim` with NaN counted as zero.

    >>> import dovetail as dv
    >>> dv.nansum(dv.tensor([1., float("nan"), 2.]))
    tensor(3.)
    """
    a, kind = summable(input, dtype)
    if a.dtype.kind in "fc":
        a = xp(a).where(xp(a).isnan(a), xp(a).zeros((), a.dtype), a)
    return total(a, axes(dim, a.ndim, "nansum"), keepdim).astype(kind, copy=False)


nansum.vjp(lambda g, input, dim, keepdim: mul(unreduce(g, input._a.shape, dim, keepdim), _numbers(input)))


@op(dtypes=None, name="is_number")
def _numbers(input: Array) -> Array:
    """One where an element is a number, zero where it is NaN, in the type of the input."""
    return (input == input).astype(input.dtype)


def nanmean(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """Average over `dim` of what is not NaN.

    >>> import dovetail as dv
    >>> dv.nanmean(dv.tensor([1., float("nan"), 2.]))
    tensor(1.5000)
    """
    if input._a.dtype.kind not in "fcV" or not (dtype is None or dtype.is_floating_point or dtype.is_complex):
        what = f"expected input and dtype to be floating point or complex but got {type_name(input._a.dtype)} and {dtype}"
        raise DtypeError("nanmean()", what, "", "convert with .float()")
    return div(nansum(input, dim, keepdim, dtype), sum(_numbers(input), dim, keepdim, dtype=dtype))


@op(dtypes=None, contiguous=True)
def prod(input: Array, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Array:
    """Multiply over `dim`; integers and bools multiply as int64.

    >>> import dovetail as dv
    >>> dv.prod(dv.tensor([2., 3., 4.]))
    tensor(24.)
    """
    if isinstance(dim, tuple | list):
        raise TypeMismatch("prod()", f"received an invalid combination of arguments - dim is {dim}", "expected an int")
    a, kind = summable(input, dtype)
    return a.prod(axis=axes(dim, a.ndim, "prod"), keepdims=keepdim, dtype=a.dtype).astype(kind, copy=False)


@prod.vjp
def _(g: Any, input: Any, dim: Any, keepdim: Any) -> Any:
    """``g`` times the product of all others, which is exact where elements are zero."""
    shape = input._a.shape
    rows, at = (reshape(input, (-1,)), 0) if dim is None or not shape else (input, dim % len(shape))
    others = mul(product_before(rows, at), flip(product_before(flip(rows, at), at), at))
    return mul(unreduce(g, shape, dim, keepdim), reshape(held(others), shape))


@op(dtypes=None, name="var", contiguous=True)
def _var(input: Array, dim: Any = None, correction: Any = 1, keepdim: bool = False) -> Array:
    """The variance over dimensions."""
    return _spread(input, dim, correction, keepdim, "var").astype(_real(input.dtype), copy=False)


_var.vjp(lambda g, input, dim, correction, keepdim: _to_deviation(g, input, dim, correction, keepdim, 2))


@op(dtypes=None, name="std", contiguous=True)
def _std(input: Array, dim: Any = None, correction: Any = 1, keepdim: bool = False) -> Array:
    """The standard deviation over dimensions."""
    return xp(input).sqrt(_spread(input, dim, correction, keepdim, "std")).astype(_real(input.dtype), copy=False)


_std.vjp(lambda g, input, dim, correction, keepdim, out: _to_deviation(_over(g, out), input, dim, correction, keepdim, 1))


def _real(kind: Any) -> Any:
    """The type of a complex type's parts; any other type itself."""
    return np.dtype(kind.char.lower()) if kind.kind == "c" else kind


def _spread(a: Any, dim: Any, correction: Any, keepdim: bool, where: str) -> Any:
    if a.dtype.kind not in "fcV":
        raise DtypeError(f"{where}()", "std and var only support floating point and complex dtypes", f"got {type_name(a.dtype)}")
    a = widened(a)
    found = axes(dim, a.ndim, where)
    n = count(a.shape, dim, where)
    d = a - xp(a).true_divide(total(a, found, True), n)
    d = d.real**2 + d.imag**2 if a.dtype.kind == "c" else d * d if d.ndim == 0 else xp(a).multiply(d, d, out=d)
    return xp(a).true_divide(total(d, found, keepdim), max(n - correction, 0))


def _to_deviation(g: Any, input: Any, dim: Any, correction: Any, keepdim: bool, factor: int) -> Any:
    """A gradient times ``factor (input - mean) / (n - correction)``."""
    n = count(input._a.shape, dim, "var") - correction  # PyTorch's is negative here, and 0 in the forward
    return mul(unreduce(g, input._a.shape, dim, keepdim), mul(sub(input, mean(input, dim, True)), factor / n if n else math.inf))


@op(name="over_or_zero")
def _over(grad: Array, other: Array) -> Array:
    """``grad / other``, and zero where `other` is zero."""
    where = xp(grad)
    return where.where(other == 0, where.zeros((), grad.dtype), grad / other)


_over.vjp(lambda g, other: _over(g, other), lambda g, grad, other: neg(mul(_over(g, other), _over(grad, other))))


def _corrected(dim: Any, unbiased: Any, correction: Any) -> tuple[Any, Any]:
    """Read the two signatures of var and std: ``(dim, unbiased)``, ``(unbiased)`` or ``(dim, correction=)``."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if correction is None:
        correction = 1 if unbiased is None else int(unbiased)
    return dim, correction


def var(input: Tensor, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *, correction: Any = None, axis: Any = None) -> Tensor:
    """Variance over `dim`: ``sum((input - mean)²) / max(0, n - correction)``; correction 1 unless given.

    >>> import dovetail as dv
    >>> dv.var(dv.tensor([1., 2., 3.]))
    tensor(1.)
    """
    return _var(input, *_corrected(dim if axis is None else axis, unbiased, correction), keepdim)


def std(input: Tensor, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *, correction: Any = None, axis: Any = None) -> Tensor:
    """Standard deviation over `dim`: the square root of :func:`var`.

    >>> import dovetail as dv
    >>> dv.std(dv.tensor([1., 2., 3.]))
    tensor(1.)
    """
    return _std(input, *_corrected(dim if axis is None else axis, unbiased, correction), keepdim)


def var_mean(
    input: Tensor, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *, correction: Any = None
) -> tuple[Tensor, Tensor]:
    """Variance and mean over `dim`.

    >>> import dovetail as dv
    >>> dv.var_mean(dv.tensor([1., 2., 3.]))
    (tensor(1.), tensor(2.))
    """
    dim, correction = _corrected(dim, unbiased, correction)
    return titled("VarMean0", _var(input, dim, correction, keepdim)), titled("VarMean0", mean(input, dim, keepdim))


def std_mean(
    input: Tensor, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *, correction: Any = None
) -> tuple[Tensor, Tensor]:
    """Standard deviation and mean over `dim`.

    >>> import dovetail as dv
    >>> dv.std_mean(dv.tensor([1., 2., 3.]))
    (tensor(1.), tensor(2.))
    """
    dim, correction = _corrected(dim, unbiased, correction)
    return titled("StdMean0", _std(input, dim, correction, keepdim)), titled("StdMean0", mean(input, dim, keepdim))


@op(dtypes="float", contiguous=True)
def logsumexp(input: Array, dim: Any, keepdim: bool = False) -> Array:
    """``log(sum(exp(input)))`` over `dim`, without overflow.

    >>> import dovetail as dv
    >>> dv.logsumexp(dv.tensor([0., 0.]), 0)
    tensor(0.6931)
    """
    where = xp(input)
    if isinstance(dim, tuple | list) and not dim and input.ndim:
        raise ShapeError("logsumexp", "got no dimensions (dim ())", "expected one or more", "pass dim=tuple(range(x.dim()))")
    found = axes(dim, input.ndim, "logsumexp")
    if count(input.shape, dim, "logsumexp") == 0:
        return where.log(total(input, found, keepdim))
    top = input.real.max(axis=found, keepdims=True)
    top = where.where(where.isinf(top), where.zeros((), top.dtype), top)
    out = where.log(total(where.exp(input - top), found, True)) + top
    return out if keepdim or not input.ndim else out.squeeze(found)


@logsumexp.vjp
def _(g: Any, input: Any, dim: Any, keepdim: Any, out: Any) -> Any:
    shape = input._a.shape
    return mul(unreduce(g, shape, dim, keepdim), held(sub(input, unreduce(out, shape, dim, keepdim)).exp()))


@op(dtypes=None, contiguous=True)
def count_nonzero(input: Array, dim: Any = None) -> Array:
    """Count what is not zero over `dim`.

    >>> import dovetail as dv
    >>> dv.count_nonzero(dv.tensor([0., 1., 2.]))
    tensor(2)
    """
    return (input != 0).sum(axis=axes(dim, input.ndim, "count_nonzero"), dtype=np.int64)


@op(dtypes=None, contiguous=True)
def all(input: Array, dim: Any = None, keepdim: bool = False) -> Array:
    """Whether every element over `dim` is true (uint8 answers as uint8).

    >>> import dovetail as dv
    >>> dv.all(dv.tensor([True, False]))
    tensor(False)
    """
    return _truth("all", input, dim, keepdim)


@op(dtypes=None, contiguous=True)
def any(input: Array, dim: Any = None, keepdim: bool = False) -> Array:
    """Whether some element over `dim` is true (uint8 answers as uint8).

    >>> import dovetail as dv
    >>> dv.any(dv.tensor([True, False]))
    tensor(True)
    """
    return _truth("any", input, dim, keepdim)


def _truth(name: str, a: Any, dim: Any, keepdim: bool) -> Any:
    out = a != 0
    if not (isinstance(dim, tuple | list) and not dim):  # over no dimension each element answers for itself
        out = getattr(out, name)(axis=axes(dim, a.ndim, name), keepdims=keepdim)
    return out.astype(np.uint8) if a.dtype == np.uint8 else out
