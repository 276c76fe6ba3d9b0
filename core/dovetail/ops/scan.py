"""Running sums, products and extremes along a dimension, differences, and areas under curves."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd.node import Tensor
from ..errors import DtypeError, ShapeError
from ._along import place
from ._op import Array, op, xp
from ._results import results
from ._sums import one_axis, summable
from .arithmetic import add, div, mul, sub
from .shape import getitem

__all__ = ["cummax", "cummin", "cumprod", "cumsum", "cumulative_trapezoid", "diff", "logcumsumexp", "trapezoid", "trapz"]
INPLACE = ("cumprod", "cumsum")


def _lead(dim: int) -> tuple[slice, ...]:
    return (slice(None),) * dim


def _wide(a: Any) -> Any:
    """float32 runs in float64, as PyTorch's does on the CPU: the rounding of a long sum stays out of its later terms."""
    return np.dtype(np.float64) if a.dtype == np.float32 and a.__class__ is np.ndarray else a.dtype


def doubling(a: Any, dim: int, combine: Any) -> Any:
    """The running result of an associative `combine`, in log2(n) steps over whole arrays."""
    out, lead, step = a.copy(), _lead(dim), 1
    while step < a.shape[dim]:
        out[(*lead, slice(step, None))] = combine(out[(*lead, slice(step, None))], out[(*lead, slice(None, -step))])
        step *= 2
    return out


def running_max(a: Any, dim: int) -> Any:
    """The largest element so far along `dim`; NaN from the first NaN on."""
    if a.__class__ is np.ndarray:
        return np.maximum.accumulate(a, axis=dim)
    return doubling(a, dim % a.ndim, xp(a).maximum)


@op(dtypes=None)
def cumsum(input: Array, dim: int, dtype: Any = None) -> Array:
    """Running sum along `dim`; integers and bools sum as int64.

    >>> import dovetail as dv
    >>> dv.cumsum(dv.tensor([1., 2., 3.]), 0)
    tensor([1., 3., 6.])
    """
    a, kind = summable(input, dtype)
    dim = one_axis(dim, a.ndim, "cumsum")
    return xp(a).cumsum(a, axis=dim, dtype=_wide(a)).astype(kind, copy=False) if a.ndim else a.astype(kind)


cumsum.vjp(lambda g, dim: cumsum_reversed(g, dim))


@op(dtypes=None)
def cumsum_reversed(input: Array, dim: int) -> Array:
    """Running sum along `dim` from the end."""
    if not input.ndim:
        return input.copy()
    back = (*_lead(dim % input.ndim), slice(None, None, -1))
    return xp(input).cumsum(input[back], axis=dim, dtype=_wide(input)).astype(input.dtype, copy=False)[back]


cumsum_reversed.vjp(lambda g, dim: cumsum(g, dim))


@op(dtypes=None)
def cumprod(input: Array, dim: int, dtype: Any = None) -> Array:
    """Running product along `dim`; integers and bools multiply as int64.

    >>> import dovetail as dv
    >>> dv.cumprod(dv.tensor([1., 2., 3.]), 0)
    tensor([1., 2., 6.])
    """
    a, kind = summable(input, dtype)
    dim = one_axis(dim, a.ndim, "cumprod")
    return xp(a).cumprod(a, axis=dim, dtype=_wide(a)).astype(kind, copy=False) if a.ndim else a.astype(kind)


cumprod.vjp(lambda g, input, dim: cumprod_grad(g, input, dim))


@op(dtypes=None)
def cumprod_grad(grad: Array, input: Array, dim: int) -> Array:
    """The gradient of cumprod, exact where elements are zero: ``sum over j ≥ k of grad[j] · product of the others up to j``.

    Up to the first zero it is the reversed running sum of grad · out over input; at that zero the same with the zero
    replaced by one; behind it nothing.
    """
    where = xp(grad)
    if not grad.ndim or not grad.size:
        return grad.copy()
    wide = np.float64 if _wide(grad) == np.float64 and grad.dtype.kind != "c" else grad.dtype
    x, g = input.astype(wide), grad.astype(wide)
    back = (*_lead(dim % g.ndim), slice(None, None, -1))
    zero = x == 0
    seen = where.cumsum(zero, axis=dim)
    first = zero & (seen == 1)
    one = where.ones((), wide)
    safe = where.where(first, one, x)
    tail = where.cumsum((g * where.cumprod(safe, axis=dim) * (seen >= 1))[back], axis=dim)[back]
    run = where.cumsum((g * where.cumprod(x, axis=dim))[back], axis=dim)[back]
    out = where.where(seen == 0, run / where.where(zero, one, x), where.where(first, tail, where.zeros((), wide)))
    return out.astype(grad.dtype, copy=False)


@cumprod.composite
def _(input: Any, dim: Any, dtype: Any) -> Any:
    """By doubling: elementwise products alone, whose gradients hold where elements are zero."""
    from .shape import cat

    x = input if dtype is None else input.to(dtype)
    if not x._a.ndim:
        return mul(x, 1)
    dim %= x._a.ndim
    lead, step = _lead(dim), 1
    out = mul(x, 1)
    while step < x._a.shape[dim]:
        head = getitem(out, (*lead, slice(None, step)))
        rest = mul(getitem(out, (*lead, slice(step, None))), getitem(out, (*lead, slice(None, -step))))
        out = cat([head, rest], dim)
        step *= 2
    return out


def _extreme(a: Any, dim: int, where_from: str, sign: int) -> Any:
    where = xp(a)
    dim = one_axis(dim, a.ndim, where_from)
    if not a.ndim:
        return a.copy(), where.zeros((), np.int64)
    if not a.size:
        return a.copy(), where.zeros(a.shape, np.int64)
    if sign > 0:
        values = running_max(a, dim)
    elif a.__class__ is np.ndarray:
        values = np.minimum.accumulate(a, axis=dim)
    else:
        values = doubling(a, dim, where.minimum)
    at = where.arange(a.shape[dim]).reshape((1,) * dim + (-1,) + (1,) * (a.ndim - 1 - dim))
    hit = (a == values) | (a != a)
    return values, running_max(where.where(hit, at, 0), dim)


@op(dtypes=None, outputs=("values", "indices"), nondiff=("indices",), result=results("cummax", "values", "indices"))
def cummax(input: Array, dim: int) -> Array:
    """The largest element so far along `dim`, and where it is (the last of equal ones).

    >>> import dovetail as dv
    >>> dv.cummax(dv.tensor([1., 3., 2.]), 0).values
    tensor([1., 3., 3.])
    """
    return _extreme(input, dim, "cummax", 1)


@op(dtypes=None, outputs=("values", "indices"), nondiff=("indices",), result=results("cummin", "values", "indices"))
def cummin(input: Array, dim: int) -> Array:
    """The smallest element so far along `dim`, and where it is (the last of equal ones).

    >>> import dovetail as dv
    >>> dv.cummin(dv.tensor([3., 1., 2.]), 0).values
    tensor([3., 1., 1.])
    """
    return _extreme(input, dim, "cummin", -1)


def _to_sources(g: Any, indices: Any, dim: Any, input_shape: Any) -> Any:
    return place(g[0], indices, dim, input_shape, True)


cummax.vjp(_to_sources)
cummin.vjp(_to_sources)


@op(dtypes="floating")
def logcumsumexp(input: Array, dim: int) -> Array:
    """``log(cumsum(exp(input)))`` along `dim`, without overflow.

    >>> import dovetail as dv
    >>> dv.logcumsumexp(dv.tensor([0., 0.]), 0)
    tensor([0.0000, 0.6931])
    """
    dim = one_axis(dim, input.ndim, "logcumsumexp")
    if not input.ndim:
        return input.copy()
    return _running_logadd(input, dim)


def _running_logadd(a: Any, dim: int) -> Any:
    return np.logaddexp.accumulate(a, axis=dim) if a.__class__ is np.ndarray else doubling(a, dim, xp(a).logaddexp)


logcumsumexp.vjp(lambda g, input, dim, out: logcumsumexp_grad(g, input, out, dim))


@op
def logcumsumexp_grad(grad: Array, input: Array, y: Array, dim: int) -> Array:
    """The gradient of logcumsumexp: ``exp(input) · reversed cumsum of grad · exp(-y)``, its signs apart, in logs."""
    where = xp(grad)
    if not grad.ndim or not grad.size:
        return grad.copy()
    back = (*_lead(dim % grad.ndim), slice(None, None, -1))
    out = where.zeros_like(grad)
    for sign in (1, -1):
        part = where.log(where.maximum(grad * sign, 0)) - y
        run = _running_logadd(part[back], dim % grad.ndim)
        out += sign * where.exp(run[back] + input)
    return out


@logcumsumexp.composite
def _(input: Any, dim: Any) -> Any:
    """By doubling with logaddexp."""
    from .shape import cat

    out = add(input, 0)
    if not input._a.ndim:
        return out
    dim %= input._a.ndim
    lead, step = _lead(dim), 1
    while step < input._a.shape[dim]:
        a, b = getitem(out, (*lead, slice(step, None))), getitem(out, (*lead, slice(None, -step)))
        out = cat([getitem(out, (*lead, slice(None, step))), a.logaddexp(b)], dim)
        step *= 2
    return out


def diff(input: Tensor, n: int = 1, dim: int = -1, prepend: Tensor | None = None, append: Tensor | None = None) -> Tensor:
    """The n-th difference of neighbours along `dim`: ``out[i] = input[i + 1] - input[i]``; xor for bools.

    >>> import dovetail as dv
    >>> dv.diff(dv.tensor([1., 3., 6.]))
    tensor([2., 3.])
    """
    if not input._a.ndim:
        raise ShapeError("diff", "expects input to be at least one-dimensional")
    dim = one_axis(dim, input._a.ndim, "diff")
    if n < 0:
        raise ShapeError("diff", f"order must be non-negative but got {n}")
    if prepend is not None or append is not None:
        from .shape import cat

        input = cat([t for t in (prepend, input, append) if t is not None], dim)
    lead = _lead(dim)
    out = input
    for _ in range(min(n, input._a.shape[dim])):
        high, low = getitem(out, (*lead, slice(1, None))), getitem(out, (*lead, slice(None, -1)))
        out = high.logical_xor(low) if out._a.dtype.kind == "b" else sub(high, low)
    return add(out, 0) if out is input else out


def _pairs(y: Tensor, x: Any, dx: Any, dim: int, where: str) -> Any:
    """Twice the area of each strip."""
    if y._a.dtype.kind == "b" or (x is not None and x._a.dtype.kind == "b"):
        which = "`y`" if x is None else "`x` or `y`"
        raise DtypeError(where, f"received a bool input for {which}, but bool is not supported", "", "convert with .float()")
    dim = one_axis(dim, y._a.ndim, where)
    lead = _lead(dim)
    height = add(getitem(y, (*lead, slice(1, None))), getitem(y, (*lead, slice(None, -1))))
    if x is None:
        return mul(height, dx)
    if x._a.ndim == 1:
        x = x.reshape((1,) * dim + (-1,) + (1,) * (y._a.ndim - 1 - dim))
    at = dim - y._a.ndim
    after = (slice(None),) * (-1 - at)
    width = sub(getitem(x, (Ellipsis, slice(1, None), *after)), getitem(x, (Ellipsis, slice(None, -1), *after)))
    return mul(height, width)


def trapezoid(y: Tensor, x: Tensor | None = None, *, dx: float = 1, dim: int = -1) -> Tensor:
    """The area under `y` along `dim` by the trapezoidal rule, with spacing `dx` or sample points `x`.

    >>> import dovetail as dv
    >>> dv.trapezoid(dv.tensor([1., 2., 3.]))
    tensor(4.)
    """
    from .reduce import sum

    shape, at = y._a.shape, one_axis(dim, y._a.ndim, "trapezoid")
    if shape and not shape[at] and y._a.dtype.kind != "b":  # nothing to span: zeros that depend on nothing
        return y.new_zeros((*shape[:at], *shape[at + 1 :]))
    return div(sum(_pairs(y, x, dx, dim, "trapezoid"), dim), 2)


trapz = trapezoid


def cumulative_trapezoid(y: Tensor, x: Tensor | None = None, *, dx: float = 1, dim: int = -1) -> Tensor:
    """The running area under `y` along `dim` by the trapezoidal rule.

    >>> import dovetail as dv
    >>> dv.cumulative_trapezoid(dv.tensor([1., 2., 3.]))
    tensor([1.5000, 4.0000])
    """
    return div(cumsum(_pairs(y, x, dx, dim, "cumulative_trapezoid"), dim), 2)
