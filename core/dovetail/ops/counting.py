"""What different elements there are and how often: unique, bincount, histograms."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from dovetail_numerics.sums import widened

from ..autograd.node import CLASSES, Tensor
from ..device import device_of
from ..dtypes import from_numpy_dtype
from ..errors import ShapeError, UnsupportedError
from ._dims import dim_of
from ._op import Array, Fixed, op, xp
from ._refuse import flags, type_name, underived
from ._results import results
from .ranges import linspace
from .views import reshape

__all__ = ["bincount", "histc", "histogram", "unique", "unique_consecutive"]


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
        order = where.argsort(widened(rows), kind="stable")
    else:
        keys = where.ascontiguousarray(widened(rows).reshape(rows.shape[0], -1).T)[::-1]
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
def histogram_of(input: Fixed, bins: Any, range: Any, weight: Fixed | None, density: bool) -> Array:
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
    found = histogram_of(reshape(input, (-1, 1)), (bins._a if bins.__class__ in CLASSES else bins,), range, weight, density)
    return results("histogram", "hist", "bin_edges")(found)
