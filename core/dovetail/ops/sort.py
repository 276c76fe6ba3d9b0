"""Sorting, the largest k, searching in what is sorted, and quantiles."""

from __future__ import annotations

from typing import Any

import numpy as np

from dovetail_numerics.sums import widened

from ..autograd.node import CLASSES, Tensor, wrap
from ..errors import DtypeError, NotATensor, ShapeError
from ._along import pick, place
from ._dims import dim_of
from ._op import Array, Fixed, op, xp
from ._results import results
from .arithmetic import add, lerp, mul, sub
from .transpose import movedim
from .views import reshape

__all__ = ["argsort", "bucketize", "msort", "nanquantile", "quantile", "searchsorted", "sort", "topk"]
METHODS = ("argsort", "msort", "nanquantile", "quantile", "sort", "topk")


def _order(where_from: str, a: Any, dim: int, descending: bool) -> Any:
    """Where each element of the sorted array comes from; equal ones keep their order, NaN is the largest."""
    where, dim, a = xp(a), dim_of(where_from, dim, a.ndim), widened(a)  # NumPy would put the NaN of a bfloat16 first
    if not a.ndim:
        return where.zeros((), np.int64)
    if not descending:
        return where.argsort(a, axis=dim, kind="stable").astype(np.int64, copy=False)
    back = (*(slice(None),) * dim, slice(None, None, -1))
    return a.shape[dim] - 1 - where.argsort(a[back], axis=dim, kind="stable")[back].astype(np.int64, copy=False)


@op(dtypes=None, outputs=("values", "indices"), nondiff=("indices",), result=results("sort", "values", "indices"), name="sort")
def _sort(input: Array, dim: int = -1, descending: bool = False) -> Array:
    """Sorted along one dimension, and where each element comes from."""
    order = _order("sort", input, dim, descending)
    return xp(input).take_along_axis(input, order, dim) if input.ndim else input.copy(), order


_sort.vjp(lambda g, indices, dim, input_shape: place(g[0], indices, dim, input_shape))


def sort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Any:
    """Sort along `dim`: the named tuple (values, indices). It is always stable; a NaN is larger than every number.

    >>> import dovetail as dv
    >>> dv.sort(dv.tensor([3., 1., 2.])).indices
    tensor([1, 2, 0])
    """
    return _sort(input, dim, descending)


@op(dtypes=None, name="argsort")
def _argsort(input: Array, dim: int = -1, descending: bool = False) -> Array:
    """Where each element of the sorted array comes from."""
    return _order("argsort", input, dim, descending)


def argsort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Tensor:
    """The indices that sort along `dim`; equal elements keep their order.

    >>> import dovetail as dv
    >>> dv.argsort(dv.tensor([3., 1., 2.]))
    tensor([1, 2, 0])
    """
    return _argsort(input, dim, descending)


def msort(input: Tensor) -> Tensor:
    """Sort along the first dimension, values alone.

    >>> import dovetail as dv
    >>> dv.msort(dv.tensor([3., 1., 2.]))
    tensor([1., 2., 3.])
    """
    return _sort(input, 0, False)[0]


@op(dtypes=None, outputs=("values", "indices"), nondiff=("indices",), result=results("topk", "values", "indices"), contiguous=True)
def topk(input: Array, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Array:
    """The k largest (or smallest) along `dim`, in order, and where they are. Raises a RuntimeError for k out of range.

    >>> import dovetail as dv
    >>> dv.topk(dv.tensor([1., 4., 3.]), 2).values
    tensor([4., 3.])
    """
    dim = dim_of("topk", dim if dim is not None else -1, input.ndim)
    n = input.shape[dim] if input.ndim else 1
    if not 0 <= k <= n:
        raise ShapeError("topk", f"selected index k out of range (k {k}, dimension {dim} of shape {input.shape})")
    if input.dtype.kind == "b":
        raise DtypeError("topk", "topk does not support bool dtypes", "", "convert with .int()")
    where, lead = xp(input), (slice(None),) * dim
    if not input.ndim:
        return input.copy(), where.zeros((), np.int64)
    if k and n > 64 and k * 4 < n:
        cut = (*lead, slice(n - k, None) if largest else slice(None, k))
        few = where.sort(where.argpartition(widened(input), n - k if largest else k - 1, axis=dim)[cut], axis=dim)
        order = where.take_along_axis(few, _order("topk", where.take_along_axis(input, few, dim), dim, largest), dim)
    else:
        order = _order("topk", input, dim, largest)[(*lead, slice(None, k))]
    return where.take_along_axis(input, order, dim), order.astype(np.int64, copy=False)


topk.vjp(lambda g, indices, dim, input_shape: place(g[0], indices, dim, input_shape))


@op(dtypes=None, name="searchsorted")
def _searchsorted(sorted_sequence: Fixed, input: Fixed, right: bool, small: bool, sorter: Fixed | None = None) -> Array:
    """Where each value would be inserted."""
    a, where, kind = widened(sorted_sequence), xp(sorted_sequence), np.int32 if small else np.int64
    if sorter is not None:
        if sorter.dtype != np.int64 or sorter.shape != a.shape:
            what = f"sorter must be a tensor of long dtype with the size of the boundaries (got {sorter.dtype} and {sorter.shape})"
            raise ShapeError("searchsorted()", what, f"the boundaries have {a.shape}")
        a = where.take_along_axis(a, sorter, -1)
    if a.ndim == 1:
        found = where.searchsorted(a, input, side="right" if right else "left").astype(kind)
        return where.where(input != input, a.size, found).astype(kind) if a.dtype.kind == "f" else found  # NaN goes last
    low, high = where.zeros(input.shape, np.int64), where.full(input.shape, a.shape[-1], np.int64)
    for _ in range(int(a.shape[-1]).bit_length()):
        middle = (low + high) // 2
        at = where.take_along_axis(a, where.minimum(middle, a.shape[-1] - 1), -1)
        above = (low < high) & ((at <= input) if right else (at < input))
        low, high = where.where(above, middle + 1, low), where.where(above, high, middle)
    return low.astype(kind)


def searchsorted(
    sorted_sequence: Tensor, input: Any, *, out_int32: bool = False, right: bool = False, side: str | None = None,
    sorter: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Where each value of `input` would be inserted in the sorted rows of `sorted_sequence`, before (or `right` of) equal ones.

    >>> import dovetail as dv
    >>> dv.searchsorted(dv.tensor([1., 3., 5.]), dv.tensor([3., 4.]))
    tensor([1, 2])
    """
    a = sorted_sequence._a
    if side is not None:
        if side not in ("left", "right"):
            raise ShapeError("searchsorted()", f"side can only be 'left' or 'right' but got {side}")
        if right and side == "left":
            raise ShapeError("searchsorted()", "side and right can't be set to opposites, got side of left while right was True")
        right = side == "right"
    if input.__class__ not in CLASSES:
        if not isinstance(input, int | float | complex | np.generic):
            raise NotATensor("searchsorted()", f"argument 'input' must be Tensor or Number, not {type(input).__name__}")
        if a.ndim != 1:
            what = "input value can be a scalar only when boundaries tensor dimension is 1"
            raise ShapeError("searchsorted()", f"{what}, but we got boundaries tensor dim({a.ndim})")
        input = wrap(xp(a).asarray(input).astype(a.dtype if a.dtype.kind == "f" or isinstance(input, int) else np.float64))
    if a.ndim != 1 and (a.ndim != input._a.ndim or a.shape[:-1] != input._a.shape[:-1]):
        what = "boundaries tensor should be 1 dimension or the first N-1 dimensions of boundaries tensor and input value tensor must match"
        got = f"but we got boundaries tensor {list(a.shape)} and input value tensor {list(input._a.shape)}"
        raise ShapeError("searchsorted()", f"{what}, {got}")
    return _searchsorted(sorted_sequence, input, right, out_int32, sorter)


def bucketize(input: Any, boundaries: Tensor, *, out_int32: bool = False, right: bool = False) -> Tensor:
    """The number of the bucket between sorted `boundaries` that each value falls in.

    >>> import dovetail as dv
    >>> dv.bucketize(dv.tensor([0., 2., 4.]), dv.tensor([1., 3.]))
    tensor([0, 1, 2])
    """
    if boundaries._a.ndim != 1:
        raise ShapeError("bucketize()", f"boundaries tensor must be 1 dimension, but got dim({boundaries._a.ndim})")
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)


_INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")


def quantile(input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear") -> Tensor:
    """The q-th quantiles along `dim` (or of all elements); a tensor `q` adds a leading dimension. NaN where a NaN takes part.

    >>> import dovetail as dv
    >>> dv.quantile(dv.tensor([0., 1., 2., 3.]), 0.5)
    tensor(1.5000)
    """
    return _quantile(input, q, dim, keepdim, interpolation, False)


def nanquantile(input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear") -> Tensor:
    """The q-th quantiles along `dim` of what is not NaN.

    >>> import dovetail as dv
    >>> dv.nanquantile(dv.tensor([0., 1., 2., float("nan")]), 0.5)
    tensor(1.)
    """
    return _quantile(input, q, dim, keepdim, interpolation, True)


def _quantile(input: Tensor, q: Any, dim: int | None, keepdim: bool, interpolation: str, nan: bool) -> Tensor:
    _check_quantile(input, q, interpolation)
    a, where = input._a, xp(input._a)
    at = 0 if dim is None else dim_of("quantile", dim, a.ndim)
    ranked = _sort(reshape(input, (-1,)) if dim is None or not a.ndim else movedim(input, at, -1))[0]
    many = q.__class__ in CLASSES and q._a.ndim == 1
    weights = q._a.reshape(-1) if q.__class__ in CLASSES else where.full(1, q, a.dtype)
    bad, last = where.isnan(ranked._a), where.asarray(ranked._a.shape[-1] - 1, a.dtype)
    spoilt = bad.any(axis=-1, keepdims=True)  # there a NaN is ranked last
    scale = where.maximum(last - bad.sum(axis=-1, keepdims=True), 0).astype(a.dtype) if nan else last
    ranks = weights * scale if nan else where.where(spoilt, last, weights * scale)
    drift = sub(q, q.detach()) if q.__class__ in CLASSES and q.requires_grad else None
    drift = drift if drift is None else mul(reshape(drift, (-1,)), wrap(scale)).masked_fill(wrap(spoilt & (not nan)), 0)
    out = _interpolate(ranked, ranks, interpolation, drift)
    out = movedim(out, -1, 0) if many else out[..., 0]
    kept = tuple(1 if dim is None or i == at else n for i, n in enumerate(a.shape))
    return reshape(out, (weights.size, *kept) if many else kept) if keepdim else out


def _interpolate(ranked: Tensor, ranks: Any, interpolation: str, drift: Any) -> Tensor:
    """Read the sorted rows at fractional ranks: (…, n), (…, q) → (…, q); `drift` is zero, with the gradient of the ranks."""
    where = xp(ranks)
    if interpolation == "nearest":
        ranks = where.round(ranks)
    low = where.ceil(ranks) if interpolation == "higher" else where.floor(ranks)
    values = pick(ranked, wrap(low.astype(np.int64)), -1)
    if interpolation not in ("linear", "midpoint"):
        return values
    part = ranks - low if interpolation == "linear" else (ranks > low).astype(ranks.dtype) / 2
    above = pick(ranked, wrap(where.ceil(ranks).astype(np.int64)), -1)
    weight = wrap(part) if drift is None or interpolation == "midpoint" else add(wrap(part), drift)
    return lerp(values, above, weight)


def _check_quantile(input: Tensor, q: Any, interpolation: str) -> None:
    a = input._a
    if a.dtype not in (np.float32, np.float64):
        raise DtypeError("quantile()", f"input tensor must be either float or double dtype (got {input.dtype})")
    if interpolation not in _INTERPOLATIONS:
        raise ShapeError("quantile()", f"interpolation must be one of {', '.join(_INTERPOLATIONS)}, but got {interpolation}")
    if not a.size:
        raise ShapeError("quantile()", "input tensor must be non-empty")
    if q.__class__ in CLASSES:
        if q._a.ndim > 1:
            raise ShapeError("quantile()", f"q must be a scalar or 1D tensor (got {q._a.ndim}D)")
        if q._a.dtype != a.dtype:
            raise DtypeError("quantile()", f"q tensor must be same dtype as the input tensor (got {q.dtype})")
        if q._a.size and not ((q._a >= 0) & (q._a <= 1)).all():
            raise ShapeError("quantile()", "q values must be in the range [0, 1]")
    elif not 0 <= q <= 1:
        raise ShapeError("quantile()", f"q must be in the range [0, 1] but got {q}")
