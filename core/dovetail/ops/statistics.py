"""Covariance, correlation and histograms of points."""

from __future__ import annotations

from typing import Any

from ..autograd.node import Tensor
from ..dtypes import int64
from ..errors import DtypeError, RangeError, ShapeError, UnsupportedError
from ._guard import public_function
from ._refuse import type_name
from ._results import results
from .compose import complex
from .counting import histogram_of

__all__ = ["corrcoef", "cov", "histogramdd"]


@public_function
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
    given = [b._a if isinstance(b, Tensor) else b for b in ([bins] * a.shape[-1] if isinstance(bins, int) else bins)]
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
    hist, *edges = histogram_of(input.reshape(-1, a.shape[-1]), given, range, weight, density)
    return results("histogramdd", "hist", "bin_edges")([hist, tuple(edges)])


@public_function
def cov(input: Tensor, *, correction: int = 1, fweights: Tensor | None = None, aweights: Tensor | None = None) -> Tensor:
    """The covariance matrix of the rows (variables) of `input` over its columns (observations).

    >>> import dovetail as dv
    >>> dv.cov(dv.tensor([[0., 2.], [0., 4.]]))
    tensor([[2., 4.],
            [4., 8.]])
    """
    if input.ndim > 2:
        raise ShapeError("cov()", f"expected input to have two or fewer dimensions but got an input with {input.ndim} dimensions")
    x = input.reshape(1, -1) if input.ndim < 2 else input
    n = x.shape[1]
    weights: Any = None
    for name, kinds, kind, w in (("fweights", "iu", "integral", fweights), ("aweights", "fV", "floating point", aweights)):
        if w is None:
            continue
        if w.ndim > 1:
            what = f"expected {name} to have one or fewer dimensions but got {name} with {w.ndim} dimensions"
            raise ShapeError("cov()", what)
        if w._a.dtype.kind not in kinds:
            raise DtypeError("cov()", f"expected {name} to have {kind} dtype but got {name} with {w.dtype} dtype")
        if w.numel() != n:
            what = f"expected {name} to have the same numel as there are observations in the input but got {w.numel()} != {n}"
            raise ShapeError("cov()", what)
        if bool((w < 0).any()):
            raise ShapeError("cov()", f"{name} cannot be negative")
        weights = w if weights is None else weights * w
    s = x.new_tensor(n, dtype=int64) if weights is None else weights.sum()
    if weights is not None and not s:
        raise ShapeError("cov()", "weights sum to zero, can't be normalized")
    lost = correction if aweights is None or not correction else (weights * aweights).sum() * correction / s
    x = x - (x if weights is None else x * weights).sum(1, True) / s
    return (x @ (x if weights is None else x * weights).conj().mT / (s - lost).clamp(min=0)).squeeze()


@public_function
def corrcoef(input: Tensor) -> Tensor:
    """The correlation coefficients of the rows of `input`: the covariance over the product of standard deviations.

    >>> import dovetail as dv
    >>> dv.corrcoef(dv.tensor([[0., 2.], [0., 4.]]))
    tensor([[1., 1.],
            [1., 1.]])
    """
    c = cov(input)
    if not c.ndim:
        return c / c
    s = c.diagonal().real.sqrt()
    c = c / s.reshape(-1, 1) / s
    return complex(c.real.clamp(-1, 1), c.imag.clamp(-1, 1)) if c.is_complex() else c.clamp(-1, 1)
