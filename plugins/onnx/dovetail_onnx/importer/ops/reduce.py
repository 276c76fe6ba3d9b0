"""Reductions, the largest and smallest, and order."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import dovetail as dv
from dovetail.errors import ValueRangeError

from ..table import operator
from ..values import integers

__all__: list[str] = []


def _reduction(name: str, function: Callable[[Any, list[int]], Any], empty: float | None = None) -> None:
    """Enter a reduction; ``axes`` is an attribute in older opsets, an input in newer ones."""

    def call(data: Any, axes: Any = None, *, keepdims: int = 1, noop_with_empty_axes: int = 0) -> Any:
        dims = [] if axes is None else [axis % max(data.ndim, 1) for axis in integers(axes)]
        if not dims:
            if noop_with_empty_axes:
                return function(data.unsqueeze(0), [0]).squeeze(0).to(data.dtype) if name not in _SAME else data
            dims = list(range(data.ndim))
        if not dims:
            return function(data.reshape(1), [0]).reshape(()).to(data.dtype)
        if empty is not None and any(data.shape[dim] == 0 for dim in dims):
            shape = [1 if dim in dims else size for dim, size in enumerate(data.shape)]
            out = dv.full(shape, _extreme(empty, data.dtype), dtype=data.dtype, device=data.device)
        else:
            out = function(data, dims).to(data.dtype)
        return out if keepdims else out.reshape([size for dim, size in enumerate(out.shape) if dim not in dims])

    operator(name)(call)


_SAME = {"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd"}


def _extreme(empty: float, kind: Any) -> Any:
    if kind.is_floating_point or math.isfinite(empty):
        return empty
    if kind is dv.bool:
        return empty > 0
    info = dv.iinfo(kind)
    return info.max if empty > 0 else info.min


def _exact(function: Callable[[Any, list[int]], Any]) -> Callable[[Any, list[int]], Any]:
    """For integers, compute in float64."""
    return lambda data, dims: function(data if data.is_floating_point() else data.double(), dims)


def _prod(data: Any, dims: list[int]) -> Any:
    for dim in dims:
        data = dv.prod(data, dim, keepdim=True)
    return data


def _sum(data: Any, dims: list[int]) -> Any:
    return dv.sum(data, dims, keepdim=True)


_reduction("ReduceSum", _sum)
_reduction("ReduceProd", _prod)
_reduction("ReduceMean", _exact(lambda data, dims: dv.mean(data, dims, keepdim=True)))
_reduction("ReduceMax", lambda data, dims: dv.amax(data, dims, keepdim=True), -math.inf)
_reduction("ReduceMin", lambda data, dims: dv.amin(data, dims, keepdim=True), math.inf)
_reduction("ReduceL1", lambda data, dims: _sum(dv.abs(data), dims))
_reduction("ReduceL2", _exact(lambda data, dims: dv.sqrt(_sum(data * data, dims))))
_reduction("ReduceSumSquare", lambda data, dims: _sum(data * data, dims))
_reduction("ReduceLogSum", _exact(lambda data, dims: dv.log(_sum(data, dims))))
_reduction("ReduceLogSumExp", _exact(lambda data, dims: dv.logsumexp(data, dims, keepdim=True)), -math.inf)


def _arg(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(data: Any, *, axis: int = 0, keepdims: int = 1, select_last_index: int = 0) -> Any:
        if not select_last_index:
            return function(data, axis, keepdim=bool(keepdims))
        return data.shape[axis] - 1 - function(dv.flip(data, [axis]), axis, keepdim=bool(keepdims))

    return call


operator("ArgMax")(_arg(dv.argmax))
operator("ArgMin")(_arg(dv.argmin))


@operator()
def TopK(X: Any, K: Any = None, *, k: int | None = None, axis: int = -1, largest: int = 1, sorted: int = 1) -> Any:
    count = integers(k if K is None else K)[0]
    if not 0 <= count <= X.shape[axis]:
        raise ValueRangeError("TopK", f"K is {count}, and the axis has {X.shape[axis]} elements", "expected no more than there are")
    values, indices = dv.sort(X, dim=axis, descending=bool(largest), stable=True)  # of equals the first comes first
    return values.narrow(axis, 0, count), indices.narrow(axis, 0, count)
