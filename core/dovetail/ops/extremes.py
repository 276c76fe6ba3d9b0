"""Largest and smallest elements, where they are, and the order statistics between them."""

from __future__ import annotations

from typing import Any

import numpy as np

from dovetail_numerics.sums import widened

from ..autograd.node import CLASSES, Tensor, titled
from ..errors import DtypeError, RangeError, ShapeError, TypeMismatch, UnsupportedError
from ._along import place_reduced
from ._dims import dim_of
from ._op import Array, op, xp
from ._reducing import axes, unreduce
from ._refuse import no_bools, type_name
from ._results import results
from .arithmetic import mul
from .elementwise import maximum, minimum
from .norms import tie_weights
from .scan import running

__all__ = ["amax", "amin", "aminmax", "argmax", "argmin", "kthvalue", "max", "median", "min", "mode", "nanmedian"]


def _check(a: Any, dim: Any, where: str) -> None:
    """Refuse to choose among no elements."""
    if a.size:
        return
    if dim is None or (isinstance(dim, tuple | list) and not dim):
        what = "Expected reduction dim to be specified for input.numel() == 0."
        kind = RangeError if where.startswith("arg") else ShapeError
        raise kind(f"{where}()", what, "Specify the reduction dim with the 'dim' argument")
    for d in axes(dim, a.ndim, where) or ():
        if a.shape[d] == 0:
            raise RangeError(f"{where}()", f"Expected reduction dim {d} to have non-zero size.")


@op(dtypes=None, contiguous=True)
def amax(input: Array, dim: Any = (), keepdim: bool = False) -> Array:
    """The largest element over `dim` (one or several); equal ones share the gradient evenly.

    >>> import dovetail as dv
    >>> dv.amax(dv.tensor([[1., 5.], [7., 2.]]), dim=1)
    tensor([5., 7.])
    """
    _check(input, dim, "amax")
    return input.max(axis=axes(dim, input.ndim, "amax"), keepdims=keepdim)


@op(dtypes=None, contiguous=True)
def amin(input: Array, dim: Any = (), keepdim: bool = False) -> Array:
    """The smallest element over `dim` (one or several); equal ones share the gradient evenly.

    >>> import dovetail as dv
    >>> dv.amin(dv.tensor([[1., 5.], [7., 2.]]), dim=1)
    tensor([1., 2.])
    """
    _check(input, dim, "amin")
    return input.min(axis=axes(dim, input.ndim, "amin"), keepdims=keepdim)


def _evenly(g: Any, input: Any, dim: Any, keepdim: Any, out: Any) -> Any:
    return mul(unreduce(g, input._a.shape, dim, keepdim), tie_weights(input, out, dim, keepdim, dim is None))


amax.vjp(_evenly)
amin.vjp(_evenly)


def aminmax(input: Tensor, *, dim: int | None = None, keepdim: bool = False) -> Any:
    """The smallest and the largest element, as ``(min, max)``.

    >>> import dovetail as dv
    >>> dv.aminmax(dv.tensor([3., 1., 2.])).max
    tensor(3.)
    """
    _check(input._a, dim, "aminmax")
    over: Any = () if dim is None else dim
    return results("aminmax", "min", "max")([titled("Aminmax0", part(input, over, keepdim)) for part in (amin, amax)])


def _choose(a: Any, index: Any, dim: int, keepdim: bool) -> tuple[Any, Any]:
    """The chosen elements and their places, with the reduced dimension kept or dropped."""
    where = xp(a)
    if not a.ndim:
        return a.copy(), where.zeros((), np.int64)
    index = where.expand_dims(index, dim).astype(np.int64, copy=False)
    values = where.take_along_axis(a, index, dim)
    return (values, index) if keepdim else (values.squeeze(dim), index.squeeze(dim))


@op(dtypes=None, outputs=("values", "indices"), nondiff=("indices",), result=results("max", "values", "indices"), name="max")
def _max(input: Array, dim: int, keepdim: bool = False) -> Array:
    """The largest along one dimension, and where it is."""
    _check(input, dim, "max")
    dim = dim_of("max", dim, input.ndim)
    return _choose(input, input.argmax(axis=dim) if input.ndim else 0, dim, keepdim)


@op(dtypes=None, outputs=("values", "indices"), nondiff=("indices",), result=results("min", "values", "indices"), name="min")
def _min(input: Array, dim: int, keepdim: bool = False) -> Array:
    """The smallest along one dimension, and where it is."""
    _check(input, dim, "min")
    dim = dim_of("min", dim, input.ndim)
    return _choose(input, input.argmin(axis=dim) if input.ndim else 0, dim, keepdim)


def _to_chosen(g: Any, input_shape: Any, dim: Any, keepdim: Any, indices: Any) -> Any:
    return place_reduced(g[0], indices, dim, keepdim, input_shape)


_max.vjp(_to_chosen)
_min.vjp(_to_chosen)


def max(input: Tensor, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
    """The largest element; with `dim` the named tuple (values, indices); of two tensors the elementwise maximum.

    A NaN is larger than every number. Raises an IndexError or RuntimeError where there is nothing to choose from.

    >>> import dovetail as dv
    >>> dv.max(dv.tensor([1., 3., 2.]))
    tensor(3.)
    >>> dv.max(dv.tensor([[1., 3.], [4., 2.]]), dim=1).indices
    tensor([1, 0])
    """
    return _extreme("max", input, dim, keepdim, other, maximum, amax, _max)


def min(input: Tensor, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
    """The smallest element; with `dim` the named tuple (values, indices); of two tensors the elementwise minimum.

    A NaN is smaller than every number here. Raises an IndexError or RuntimeError where there is nothing to choose from.

    >>> import dovetail as dv
    >>> dv.min(dv.tensor([1., 3., 2.]))
    tensor(1.)
    """
    return _extreme("min", input, dim, keepdim, other, minimum, amin, _min)


def _extreme(where: str, input: Tensor, dim: Any, keepdim: bool, other: Any, between: Any, whole: Any, along: Any) -> Any:
    """Of two tensors, of all elements, or along one dimension."""
    other = dim if dim.__class__ in CLASSES else other
    if other is not None:
        return between(input, other)
    if dim is None:
        if keepdim:
            raise TypeMismatch(f"{where}()", "received an invalid combination of arguments - keepdim without dim")
        _check(input._a, None, where)
        return titled(f"{where.capitalize()}1", whole(input, None, False))
    if isinstance(dim, tuple | list | str | float):
        raise TypeMismatch(f"{where}()", f"received an invalid combination of arguments - dim={dim!r}", "expected an int", f"use a{where}")
    return along(input, int(dim), keepdim)


@op(dtypes=None)
def argmax(input: Array, dim: int | None = None, keepdim: bool = False) -> Array:
    """Where the largest element is (the first of equal ones), along `dim` or in the flattened tensor.

    >>> import dovetail as dv
    >>> dv.argmax(dv.tensor([1., 3., 2.]))
    tensor(1)
    """
    return _arg(input, dim, keepdim, "argmax")


@op(dtypes=None)
def argmin(input: Array, dim: int | None = None, keepdim: bool = False) -> Array:
    """Where the smallest element is (the first of equal ones), along `dim` or in the flattened tensor.

    >>> import dovetail as dv
    >>> dv.argmin(dv.tensor([1., 3., 2.]))
    tensor(0)
    """
    return _arg(input, dim, keepdim, "argmin")


def _arg(a: Any, dim: Any, keepdim: bool, where: str) -> Any:
    if a.dtype.kind == "b":
        raise DtypeError(f"{where}()", "does not support bool input", "", "convert with .int()")
    _check(a, dim, where)
    if dim is not None:
        dim = dim_of(where, dim, a.ndim)
    return xp(a).asarray(getattr(a, where)(axis=dim if a.ndim else None, keepdims=keepdim), np.int64)


def _ranked(a: Any, k: Any, dim: int) -> Any:
    """Where the element of rank k along `dim` is (a number, or one for each row); NaN ranks last."""
    where, a = xp(a), widened(a)
    if isinstance(k, int):
        return where.argpartition(a, k, axis=dim).take(k, axis=dim)
    order = where.argsort(a, axis=dim)
    return where.take_along_axis(order, where.expand_dims(k, dim), dim).squeeze(dim)


@op(dtypes=None, outputs=("values", "indices"), nondiff=("indices",), result=results("median", "values", "indices"), name="median")
def _median(input: Array, dim: int, keepdim: bool = False, nan: bool = True) -> Array:
    """The lower median along one dimension, and where it is; `nan` says whether a NaN makes it NaN."""
    label = "median" if nan else "nanmedian"
    if input.dtype.kind in "bc":
        raise UnsupportedError(label, f'"median_cpu" not implemented for {type_name(input.dtype)!r}')
    _check(input, dim, label)
    dim = dim_of(label, dim, input.ndim)
    if not input.ndim:
        return _choose(input, 0, dim, keepdim)
    where, n = xp(input), input.shape[dim]
    bad = input != input
    if nan or input.dtype.kind not in "fV":
        index = where.where(bad.any(axis=dim), bad.argmax(axis=dim), _ranked(input, (n - 1) // 2, dim))
    else:
        index = _ranked(input, where.maximum((n - bad.sum(axis=dim) - 1) // 2, 0), dim)
    return _choose(input, index, dim, keepdim)


_median.vjp(_to_chosen)


@op(dtypes=None, name="median_all")
def _median_all(input: Array, nan: bool = True) -> Array:
    """The lower median of all elements; NaN of none."""
    if input.size or input.dtype.kind in "bc":
        return _median.op.forward(input.reshape(-1), 0, False, nan)[0]
    return xp(input).full((), np.nan if input.dtype.kind in "fV" else np.iinfo(input.dtype).min, input.dtype)


_median_all.vjp(lambda g, input, out: mul(g, tie_weights(input, out, None, False, True)))


def median(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """The lower of the middle elements; with `dim` the named tuple (values, indices). NaN where a NaN takes part.

    >>> import dovetail as dv
    >>> dv.median(dv.tensor([4., 1., 3., 2.]))
    tensor(2.)
    """
    return _middle(input, dim, keepdim, True, "median")


def nanmedian(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """The median of what is not NaN; with `dim` the named tuple (values, indices).

    >>> import dovetail as dv
    >>> dv.nanmedian(dv.tensor([4., 1., float("nan")]))
    tensor(1.)
    """
    found = _middle(input, dim, keepdim, False, "nanmedian")
    return found if dim is None else results("nanmedian", "values", "indices")(found)


def _middle(input: Tensor, dim: int | None, keepdim: bool, nan: bool, where: str) -> Any:
    if dim is None and keepdim:
        raise TypeMismatch(f"{where}()", "missing 1 required positional arguments: 'dim'")
    return _median_all(input, nan) if dim is None else _median(input, dim, keepdim, nan)


@op(dtypes=None, outputs=("values", "indices"), nondiff=("indices",), result=results("kthvalue", "values", "indices"))
def kthvalue(input: Array, k: int, dim: int = -1, keepdim: bool = False) -> Array:
    """The k-th smallest element along `dim` (k counts from 1) and where it is. Raises a RuntimeError for k out of range.

    >>> import dovetail as dv
    >>> dv.kthvalue(dv.tensor([3., 1., 2.]), 2).values
    tensor(2.)
    """
    dim = dim_of("kthvalue", dim, input.ndim)
    if not 1 <= k <= (input.shape[dim] if input.ndim else 1):
        if input.ndim and not input.shape[dim]:
            raise RangeError("kthvalue()", f"Expected reduction dim {dim} to have non-zero size.")
        raise ShapeError("kthvalue()", f"selected number k out of range for dimension {dim} (k {k}, shape {input.shape})")
    no_bools("kthvalue", input)
    return _choose(input, _ranked(input, k - 1, dim) if input.ndim else 0, dim, keepdim)


kthvalue.vjp(_to_chosen)


@op(dtypes=None, outputs=("values", "indices"), nondiff=("indices",), result=results("mode", "values", "indices"))
def mode(input: Array, dim: int = -1, keepdim: bool = False) -> Array:
    """The commonest element along `dim` (the smallest of equally common ones) and its last place.

    >>> import dovetail as dv
    >>> dv.mode(dv.tensor([2, 1, 2])).values
    tensor(2)
    """
    _check(input, dim, "mode")
    dim = dim_of("mode", dim, input.ndim)
    if not input.ndim:
        return _choose(input, 0, dim, keepdim)
    where, n = xp(input), input.shape[dim]
    order = where.argsort(input, axis=dim, kind="stable")
    ranked = where.take_along_axis(input, order, dim)
    ranked, order, at = where.moveaxis(ranked, dim, -1), where.moveaxis(order, dim, -1), where.arange(n)
    starts = where.zeros(ranked.shape, np.int64)
    starts[..., 1:] = where.where(ranked[..., 1:] != ranked[..., :-1], at[1:], 0)
    longest = (at - running("maximum", starts, input.ndim - 1)).argmax(axis=-1)  # the end of the longest run of equal ones
    index = where.take_along_axis(order, where.expand_dims(longest, -1), -1).squeeze(-1)
    return _choose(input, index, dim, keepdim)


mode.vjp(_to_chosen)
