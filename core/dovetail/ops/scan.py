"""Running sums, products and extremes along a dimension, differences, and areas under curves."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd.node import Tensor
from ..errors import DtypeError, ShapeError
from ._along import place
from ._dims import dim_of
from ._op import Array, op, xp
from ._reducing import summable
from ._results import results
from .arithmetic import add, div, held, mul, sub
from .join import cat
from .shape import flip

__all__ = ["cummax", "cummin", "cumprod", "cumsum", "cumulative_trapezoid", "diff", "logcumsumexp", "trapezoid", "trapz"]
INPLACE = ("cumprod", "cumsum")


def _cut(x: Any, dim: int, start: int | None, stop: int | None) -> Any:
    """A part of a tensor or an array along a dimension."""
    return x[(*(slice(None),) * dim, slice(start, stop))]


def running(name: str, a: Any, dim: int) -> Any:
    """The running result of the ufunc `name` along `dim`; CuPy's have no `accumulate`: there in log2(n) steps over whole arrays."""
    combine = getattr(xp(a), name)
    if a.__class__ is np.ndarray:
        return combine.accumulate(a, axis=dim)
    out, step = a.copy(), 1
    while step < a.shape[dim]:
        _cut(out, dim, step, None)[...] = combine(_cut(out, dim, step, None), _cut(out, dim, None, -step))
        step *= 2
    return out


def _cumulated(name: str, input: Any, dim: int, dtype: Any) -> Any:
    """cumsum and cumprod. float32 runs in float64, as PyTorch's does on the CPU: rounding stays out of the later terms."""
    a, kind = summable(input, dtype)
    dim = dim_of(name, dim, a.ndim)
    wide = np.float64 if a.dtype == np.float32 and a.__class__ is np.ndarray else a.dtype
    return getattr(xp(a), name)(a, axis=dim, dtype=wide).astype(kind, copy=False) if a.ndim else a.astype(kind)


def _recurrence(b: Any, a: Any, dim: int) -> Any:
    """``r[k] = b[k] + a[k] r[k + 1]`` along `dim`, from its end, in log2(n) steps; `a` is one shorter than `b`."""
    step = 1
    while step < b._a.shape[dim]:
        b = cat([add(_cut(b, dim, None, -step), mul(a, _cut(b, dim, step, None))), _cut(b, dim, -step, None)], dim)
        a = mul(_cut(a, dim, None, -step), _cut(a, dim, step, None))
        step *= 2
    return b


@op(dtypes=None, contiguous=True)
def cumsum(input: Array, dim: int, dtype: Any = None) -> Array:
    """Running sum along `dim`; integers and bools sum as int64.

    >>> import dovetail as dv
    >>> dv.cumsum(dv.tensor([1., 2., 3.]), 0)
    tensor([1., 3., 6.])
    """
    return _cumulated("cumsum", input, dim, dtype)


cumsum.vjp(lambda g, dim: flip(cumsum(flip(g, dim), dim), dim))


@op(dtypes=None, contiguous=True)
def cumprod(input: Array, dim: int, dtype: Any = None) -> Array:
    """Running product along `dim`; integers and bools multiply as int64.

    >>> import dovetail as dv
    >>> dv.cumprod(dv.tensor([1., 2., 3.]), 0)
    tensor([1., 2., 6.])
    """
    return _cumulated("cumprod", input, dim, dtype)


@cumprod.vjp
def _(g: Any, input: Any, dim: Any) -> Any:
    """``out[k - 1] · r[k]`` with ``r[k] = g[k] + input[k + 1] r[k + 1]``: nothing is divided, so elements may be zero."""
    if not input._a.ndim:
        return g
    dim, input = dim % input._a.ndim, held(input)
    return mul(product_before(input, dim), _recurrence(g, _cut(input, dim, 1, None), dim))


def product_before(input: Any, dim: int) -> Any:
    """The product of the elements before each along `dim`; one for the first."""
    first = _cut(input, dim, None, 1)
    return cat([first.new_ones(first._a.shape), cumprod(_cut(input, dim, None, -1), dim)], dim)


def _extreme(name: str, a: Any, dim: int) -> Any:
    """The running extreme, and where it is."""
    where = xp(a)
    dim = dim_of(f"cum{name[:3]}", dim, a.ndim)
    if not a.size or not a.ndim:
        return a.copy(), where.zeros(a.shape, np.int64)
    values = running(name, a, dim)
    at = where.arange(a.shape[dim]).reshape(-1, *(1,) * (a.ndim - 1 - dim))
    return values, running("maximum", where.where((a == values) | (a != a), at, 0), dim)


@op(dtypes=None, outputs=("values", "indices"), nondiff=("indices",), result=results("cummax", "values", "indices"), contiguous=True)
def cummax(input: Array, dim: int) -> Array:
    """The largest element so far along `dim`, and where it is (the last of equal ones).

    >>> import dovetail as dv
    >>> dv.cummax(dv.tensor([1., 3., 2.]), 0).values
    tensor([1., 3., 3.])
    """
    return _extreme("maximum", input, dim)


@op(dtypes=None, outputs=("values", "indices"), nondiff=("indices",), result=results("cummin", "values", "indices"), contiguous=True)
def cummin(input: Array, dim: int) -> Array:
    """The smallest element so far along `dim`, and where it is (the last of equal ones).

    >>> import dovetail as dv
    >>> dv.cummin(dv.tensor([3., 1., 2.]), 0).values
    tensor([3., 1., 1.])
    """
    return _extreme("minimum", input, dim)


cummax.vjp(lambda g, indices, dim, input_shape: place(g[0], indices, dim, input_shape, True))
cummin.vjp(lambda g, indices, dim, input_shape: place(g[0], indices, dim, input_shape, True))


@op(dtypes="floating", contiguous=True)
def logcumsumexp(input: Array, dim: int) -> Array:
    """``log(cumsum(exp(input)))`` along `dim`, without overflow.

    >>> import dovetail as dv
    >>> dv.logcumsumexp(dv.tensor([0., 0.]), 0)
    tensor([0.0000, 0.6931])
    """
    dim = dim_of("logcumsumexp", dim, input.ndim)
    return running("logaddexp", input, dim) if input.ndim else input.copy()


@logcumsumexp.vjp
def _(g: Any, input: Any, dim: Any, out: Any) -> Any:
    """``exp(input - out) · r`` with ``r[k] = g[k] + exp(out[k] - out[k + 1]) r[k + 1]``: no exponent is positive."""
    if not input._a.ndim:
        return g
    dim %= input._a.ndim
    low, high = _cut(out, dim, None, -1), _cut(out, dim, 1, None)
    decay = sub(low, high).masked_fill(low == high, 0).exp()  # equal ones may be infinite
    return mul(sub(input, out).exp(), _recurrence(g, decay, dim))


def diff(input: Tensor, n: int = 1, dim: int = -1, prepend: Tensor | None = None, append: Tensor | None = None) -> Tensor:
    """The n-th difference of neighbours along `dim`: ``out[i] = input[i + 1] - input[i]``; xor for bools.

    >>> import dovetail as dv
    >>> dv.diff(dv.tensor([1., 3., 6.]))
    tensor([2., 3.])
    """
    if not input._a.ndim:
        raise ShapeError("diff", "expects input to be at least one-dimensional")
    dim = dim_of("diff", dim, input._a.ndim)
    if n < 0:
        raise ShapeError("diff", f"order must be non-negative but got {n}")
    if any(t is not None and t._a.ndim != input._a.ndim for t in (prepend, append)):
        raise ShapeError("diff", "expects prepend or append to be the same dimension as input")
    if n and (prepend is not None or append is not None):
        input = cat([t for t in (prepend, input, append) if t is not None], dim)
    if not input._a.shape[dim]:
        return input
    out = input
    for _ in range(min(n, input._a.shape[dim])):
        high, low = _cut(out, dim, 1, None), _cut(out, dim, None, -1)
        out = high.logical_xor(low) if out._a.dtype.kind == "b" else sub(high, low)
    return out.clone() if out is input else out


def _strips(where: str, y: Tensor, x: Any, dx: Any, dim: int) -> Any:
    """Twice the area of each strip."""
    if y._a.dtype.kind == "b" or (x is not None and x._a.dtype.kind == "b"):
        which = "`y`" if x is None else "`x` or `y`"
        raise DtypeError(where, f"received a bool input for {which}, but bool is not supported", "", "convert with .float()")
    dim = dim_of(where, dim, y._a.ndim)
    height = add(_cut(y, dim, 1, None), _cut(y, dim, None, -1))
    if x is None:
        return mul(height, dx)
    if x._a.ndim == 1 and x._a.shape[0] != y._a.shape[dim]:
        raise ShapeError(where, f"There must be one `x` value for each sample point ({x._a.shape[0]} and {y._a.shape[dim]})")
    after = y._a.ndim - 1 - dim
    return mul(height, diff(x.reshape(-1, *(1,) * after) if x._a.ndim == 1 else x, dim=-1 - after))


def trapezoid(y: Tensor, x: Tensor | None = None, *, dx: float = 1, dim: int = -1) -> Tensor:
    """The area under `y` along `dim` by the trapezoidal rule, with spacing `dx` or sample points `x`.

    >>> import dovetail as dv
    >>> dv.trapezoid(dv.tensor([1., 2., 3.]))
    tensor(4.)
    """
    shape, at = y._a.shape, dim_of("trapezoid", dim, y._a.ndim)
    if shape and not shape[at] and y._a.dtype.kind != "b":  # nothing to span: zeros that depend on nothing
        return y.new_zeros((*shape[:at], *shape[at + 1 :]))
    return div(_strips("trapezoid", y, x, dx, dim).sum(dim), 2)


trapz = trapezoid


def cumulative_trapezoid(y: Tensor, x: Tensor | None = None, *, dx: float = 1, dim: int = -1) -> Tensor:
    """The running area under `y` along `dim` by the trapezoidal rule.

    >>> import dovetail as dv
    >>> dv.cumulative_trapezoid(dv.tensor([1., 2., 3.]))
    tensor([1.5000, 4.0000])
    """
    return div(cumsum(_strips("cumulative_trapezoid", y, x, dx, dim), dim), 2)
