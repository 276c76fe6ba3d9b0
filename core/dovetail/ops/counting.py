"""What different elements there are and how often: unique, bincount, histograms, covariance."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..autograd.node import CLASSES, Tensor
from ..device import device_of
from ..dtypes import from_numpy_dtype, int64
from ..errors import DtypeError, RangeError, ShapeError, UnsupportedError
from ._dims import dim_of
from ._op import Array, Fixed, op, xp
from ._refuse import flags, type_name, underived
from ._results import results
from .arithmetic import div, held, mul, sub
from .compose import complex
from .linalg import matmul
from .ranges import linspace
from .reduce import sum
from .views import reshape

__all__ = ["bincount", "corrcoef", "cov", "histc", "histogram", "histogramdd", "unique", "unique_consecutive"]
METHODS = tuple(n for n in __all__ if n != "histogramdd")


@op(dtypes=None, outputs=("values", "inverse", "counts"), nondiff=("inverse", "counts"), name="unique")
def _unique(input: Array, dim: int | None, consecutive: bool) -> Array:
    """The different elements (or slices along a dimension), each one's group, the groups' sizes."""
    where = xp(input)
    rows = input.reshape(-1) if dim is None else where.moveaxis(input, dim_of("unique", dim, input.ndim), 0)
    if dim is not None and any(n == 0 for n in rows.shape[1:]):
        what = "There are 0 sized dimensions, and they aren't selected, so unique cannot be applied"
        raise ShapeError("unique", what, f"got shape {input.shape}, dim {dim}")
    if not rows.shape[0]:
        empty = where.zeros(0, np.int64)
        return input.reshape(-1).copy() if dim is None else input.copy(), empty.reshape(input.shape if dim is None else 0), empty
    if consecutive:
        order = where.arange(rows.shape[0])
    elif rows.ndim == 1:
        order = where.argsort(rows, kind="stable")
    else:
        keys = where.ascontiguousarray(rows.reshape(rows.shape[0], -1).T)[::-1]
        order = where.lexsort(keys) if keys.shape[0] else where.arange(rows.shape[0])
    rows = rows[order]
    new = where.ones(rows.shape[0], bool)  # whether a row differs from the one before
    new[1:] = (rows[1:] != rows[:-1]).any(axis=tuple(range(1, rows.ndim)))
    group = where.cumsum(new) - 1
    inverse = where.empty(group.shape, np.int64)
    inverse[order] = group
    sizes = where.bincount(group).astype(np.int64, copy=False)
    if dim is None:
        return rows[new], inverse.reshape(input.shape), sizes
    return where.moveaxis(rows[new], 0, dim_of("unique", dim, input.ndim)), inverse, sizes


_unique.vjp(underived("_unique2"))


def _asked(found: Any, return_inverse: bool, return_counts: bool) -> Any:
    out = [found[0]] + [found[1]] * return_inverse + [found[2]] * return_counts
    return out[0] if len(out) == 1 else tuple(out)


def unique(input: Tensor, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None) -> Any:
    """The different elements in rising order (or slices along `dim`), with each element's index among them and counts.

    >>> import dovetail as dv
    >>> dv.unique(dv.tensor([3, 1, 3]), return_counts=True)
    (tensor([1, 3]), tensor([1, 2]))
    """
    flags("unique", sorted=sorted, return_inverse=return_inverse, return_counts=return_counts)
    return _asked(_unique(input, dim, False), return_inverse, return_counts)


def unique_consecutive(input: Tensor, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None) -> Any:
    """The first of each run of equal elements (or slices along `dim`), with each element's run and the runs' lengths.

    >>> import dovetail as dv
    >>> dv.unique_consecutive(dv.tensor([1, 1, 2, 1]))
    tensor([1, 2, 1])
    """
    flags("unique_consecutive", return_inverse=return_inverse, return_counts=return_counts)
    return _asked(_unique(input, dim, True), return_inverse, return_counts)


@op(dtypes=None)
def bincount(input: Fixed, weights: Fixed | None = None, minlength: int = 0) -> Array:
    """How often each number from 0 occurs, or the sum of its `weights`. Raises a RuntimeError for negative numbers.

    >>> import dovetail as dv
    >>> dv.bincount(dv.tensor([0, 2, 2]))
    tensor([1, 0, 2])
    """
    if input.dtype.kind not in "iu":
        raise UnsupportedError("bincount", f'"bincount_cpu" not implemented for {type_name(input.dtype)!r}')
    if input.ndim != 1 or (input.size and (input < 0).any()):
        raise ShapeError("bincount", "only supports 1-d non-negative integral inputs.", f"got shape {input.shape}")
    if weights is not None and weights.shape != input.shape:
        raise ShapeError("bincount", f"weights should be 1-d and have the same length as input (got {weights.shape}, {input.shape})")
    if weights is None or not input.size:  # of nothing PyTorch counts, whatever the weights
        return xp(input).bincount(input, minlength=minlength).astype(np.int64, copy=False)
    kind = np.float32 if weights.dtype == np.float32 else np.float64
    return xp(input).bincount(input, weights.astype(np.float64), minlength).astype(kind)


@op(dtypes=None)
def histc(input: Fixed, bins: int = 100, min: float = 0, max: float = 0) -> Array:
    """How many elements fall in each of `bins` equal intervals of [min, max] (of their own range where both are 0).

    >>> import dovetail as dv
    >>> dv.histc(dv.tensor([1., 2., 1.]), bins=2, min=0, max=3)
    tensor([2., 1.])
    """
    where = xp(input)
    if input.dtype.kind not in "fV":
        raise UnsupportedError("histc", f'"histogram_cpu" not implemented for {type_name(input.dtype)!r}')
    if bins <= 0:
        raise ShapeError("histc", f"bins must be > 0, but got {bins}")
    a = input.reshape(-1)
    if min == max and a.size:
        min, max = a.min(), a.max()
    if not -np.inf < min <= max < np.inf:
        raise ShapeError("histc", f"range of [{min}, {max}] is not finite, or max be larger than min (got min {min}, max {max})")
    if min == max:
        min, max = min - 1, max + 1
    return _binned(a[:, None], [where.linspace(min, max, bins + 1).astype(a.dtype)], None).astype(input.dtype)


def _binned(points: Any, edges: Any, weight: Any, density: bool = False) -> Any:
    """Counts (or sums of weights) of points (N, D) between the edges of each dimension; the last interval is closed."""
    m, sizes = xp(points), [e.shape[0] - 1 for e in edges]
    inside, at = m.ones(points.shape[0], bool), m.zeros(points.shape[0], np.int64)
    for d, e in enumerate(edges):
        x = m.ascontiguousarray(points[:, d])
        inside &= (x >= e[0]) & (x <= e[-1])
        at = at * sizes[d] + m.clip(m.searchsorted(e, x, side="right") - 1, 0, sizes[d] - 1)
    weight = None if weight is None else weight.reshape(-1)[inside].astype(np.float64)
    out = m.bincount(at[inside], weight, prod(sizes)).reshape(sizes).astype(np.float64)
    if density:
        out = out / out.sum() / m.stack(m.meshgrid(*map(m.diff, edges), indexing="ij")).prod(axis=0)
    return out


@op(dtypes=None, outputs="many", name="histogram")
def _histogram(input: Fixed, bins: Any, range: Any, weight: Fixed | None, density: bool) -> Array:
    """Counts of points (N, D) between edges, and the edges of each dimension; `range` says their ends one after the other."""
    edges: list[Any] = []
    for d, given in enumerate(bins):
        if isinstance(given, int):
            x = input[:, d]
            low, high = range[2 * d : 2 * d + 2] if range is not None else (x.min(), x.max()) if x.size else (0.0, 1.0)
            low, high = (low - 0.5, high + 0.5) if low == high else (low, high)
            given = linspace(float(low), float(high), given + 1, dtype=from_numpy_dtype(input.dtype), device=device_of(input))._a
        edges.append(given)
    return [_binned(input, edges, weight, density).astype(input.dtype), *edges]


def histogram(
    input: Tensor, bins: Any, *, range: tuple[float, float] | None = None, weight: Tensor | None = None, density: bool = False
) -> Any:
    """How many elements fall between the edges of bins (a number of them, or the edges): the named tuple (hist, bin_edges).

    >>> import dovetail as dv
    >>> dv.histogram(dv.tensor([1., 2., 1.]), bins=2, range=(0., 3.)).hist
    tensor([2., 1.])
    """
    if input._a.dtype.kind not in "fV":
        raise UnsupportedError("histogram", f'"histogram_cpu" not implemented for {type_name(input._a.dtype)!r}')
    if range is not None and range[0] > range[1]:
        raise ShapeError("histogram", f"min should not exceed max, but got min {range[0]} max {range[1]}")
    found = _histogram(reshape(input, (-1, 1)), (bins._a if bins.__class__ in CLASSES else bins,), range, weight, density)
    return results("histogram", "hist", "bin_edges")(found)


def histogramdd(input: Tensor, bins: Any, range: Any = None, weight: Tensor | None = None, density: bool = False) -> Any:
    """How many of the points (…, D) fall in the boxes between edges: the named tuple (hist, bin_edges).

    `bins` is a number, or for each dimension a number or the edges; `range` has the ends of all, one after the other. Raises a
    RuntimeError for numbers or types that do not fit.

    >>> import dovetail as dv
    >>> dv.histogramdd(dv.tensor([[0., 1.], [1., 0.], [1., 1.]]), 2).hist
    tensor([[0., 1.],
            [1., 1.]])
    """
    a = input._a
    if a.ndim < 2:
        raise (ShapeError if a.ndim else RangeError)("histogramdd", "input tensor should have at least 2 dimensions", f"got {a.ndim}")
    if a.dtype.char not in "fd":
        raise UnsupportedError("histogramdd", f'"histogramdd" not implemented for {type_name(a.dtype)!r}')
    given = [b._a if b.__class__ in CLASSES else b for b in ([bins] * a.shape[-1] if isinstance(bins, int) else bins)]
    if len(given) != a.shape[-1]:
        raise ShapeError("histogramdd", "The size of bins must be equal to the innermost dimension of the input.", f"{a.shape[-1]}")
    for d, b in enumerate(given):
        if isinstance(b, int) and b <= 0:
            raise ShapeError("histogramdd", f"bins must be > 0, but got {b} for dimension {d}")
        if not isinstance(b, int) and b.dtype != a.dtype:
            raise ShapeError("histogramdd", f"input tensor and bins tensors should have the same dtype, but got {a.dtype} and {b.dtype}")
        if range is not None and len(range) == 2 * a.shape[-1] and range[2 * d] > range[2 * d + 1]:
            raise ShapeError("histogramdd", f"min should not exceed max, but got {range[2 * d : 2 * d + 2]} for dimension {d}")
    if range is not None and len(range) != 2 * a.shape[-1]:
        raise ShapeError("histogramdd", f"range should have {2 * a.shape[-1]} elements, but got {len(range)}")
    if weight is not None and (weight._a.dtype != a.dtype or weight._a.shape != a.shape[:-1]):
        what = f"weight should have the dtype and the shape of the input but for its innermost dimension, not {weight._a.shape}"
        raise ShapeError("histogramdd", f"{what} of {weight._a.dtype}")
    hist, *edges = _histogram(reshape(input, (-1, a.shape[-1])), given, range, weight, density)
    return results("histogramdd", "hist", "bin_edges")([hist, tuple(edges)])


def cov(input: Tensor, *, correction: int = 1, fweights: Tensor | None = None, aweights: Tensor | None = None) -> Tensor:
    """The covariance matrix of the rows (variables) of `input` over its columns (observations).

    >>> import dovetail as dv
    >>> dv.cov(dv.tensor([[0., 2.], [0., 4.]]))
    tensor([[2., 4.],
            [4., 8.]])
    """
    if input._a.ndim > 2:
        raise ShapeError("cov()", f"expected input to have two or fewer dimensions but got an input with {input._a.ndim} dimensions")
    x = input.reshape(1, -1) if input._a.ndim < 2 else input
    n, weights = x._a.shape[1], None
    for name, kinds, kind, w in (("fweights", "iu", "integral", fweights), ("aweights", "fV", "floating point", aweights)):
        if w is None:
            continue
        if w._a.ndim > 1:
            what = f"expected {name} to have one or fewer dimensions but got {name} with {w._a.ndim} dimensions"
            raise ShapeError("cov()", what)
        if w._a.dtype.kind not in kinds:
            raise DtypeError("cov()", f"expected {name} to have {kind} dtype but got {name} with {w.dtype} dtype")
        if w._a.size != n:
            what = f"expected {name} to have the same numel as there are observations in the input but got {w._a.size} != {n}"
            raise ShapeError("cov()", what)
        if (w._a < 0).any():
            raise ShapeError("cov()", f"{name} cannot be negative")
        weights = w if weights is None else mul(weights, w)
    s = x.new_tensor(n, dtype=int64) if weights is None else sum(weights)
    if weights is not None and not s._a:
        raise ShapeError("cov()", "weights sum to zero, can't be normalized")
    lost = correction if aweights is None or not correction else div(mul(sum(mul(weights, aweights)), correction), s)
    x = sub(x, div(sum(x if weights is None else mul(x, weights), 1, True), s))
    return div(matmul(x, held(x if weights is None else mul(x, weights)).mT), sub(s, lost).clamp(min=0)).squeeze()


def corrcoef(input: Tensor) -> Tensor:
    """The correlation coefficients of the rows of `input`: the covariance over the product of standard deviations.

    >>> import dovetail as dv
    >>> dv.corrcoef(dv.tensor([[0., 2.], [0., 4.]]))
    tensor([[1., 1.],
            [1., 1.]])
    """
    c = cov(input)
    if not c._a.ndim:
        return div(c, c)
    s = c.diagonal().real.sqrt()
    c = div(div(c, s.reshape(-1, 1)), s)
    return complex(c.real.clamp(-1, 1), c.imag.clamp(-1, 1)) if c.is_complex() else c.clamp(-1, 1)
