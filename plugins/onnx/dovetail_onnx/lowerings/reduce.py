"""Lowerings of reductions, scans and sorting."""

from __future__ import annotations

import math
from typing import Any

import dovetail as dv

from ._common import axes_of, flat, product, reduce, refuse

__all__: list[str] = []

_SLICES = 512  # a running product is written out for so many elements


def _as_result(g: Any, x: Any) -> Any:
    """The input in the type of the result, in which the op computes."""
    return g.cast(x, g.call.outputs[0].dtype)


def sum(g: Any, input: Any, dim: Any, keepdim: bool, dtype: Any) -> Any:
    return reduce(g, "ReduceSum", _as_result(g, input), dim, keepdim)


def mean(g: Any, input: Any, dim: Any, keepdim: bool, dtype: Any) -> Any:
    return reduce(g, "ReduceMean", _as_result(g, input), dim, keepdim)


def nansum(g: Any, input: Any, dim: Any, keepdim: bool, dtype: Any) -> Any:
    x = _as_result(g, input)
    clean = g.Where(g.IsNaN(x), g.const(0, x.dtype), x)
    clean.shape = x.shape
    return reduce(g, "ReduceSum", clean, dim, keepdim)


def is_number(g: Any, input: Any) -> Any:
    return g.Not(g.IsNaN(input))


def prod(g: Any, input: Any, dim: Any, keepdim: bool, dtype: Any) -> Any:
    return reduce(g, "ReduceProd", _as_result(g, input), dim, keepdim)


def _variance(g: Any, x: Any, dim: Any, correction: Any, keepdim: bool) -> Any:
    axes = axes_of(dim, x.ndim)
    away = g.Sub(x, reduce(g, "ReduceMean", x, axes, True)) if axes else g.Sub(x, x)
    squares = g.Mul(away, away)
    squares.shape = x.shape
    total = reduce(g, "ReduceSum", squares, axes, keepdim)
    count: Any = product([x.shape[k] for k in axes])
    if isinstance(count, int):
        return g.Div(total, count - correction if count > correction else 0)
    return g.Div(total, g.Max(g.Sub(g.cast(g.scalar(count), x.dtype), correction), 0))


def var(g: Any, input: Any, dim: Any, correction: Any, keepdim: bool) -> Any:
    return _variance(g, input, dim, correction, keepdim)


def std(g: Any, input: Any, dim: Any, correction: Any, keepdim: bool) -> Any:
    return g.Sqrt(_variance(g, input, dim, correction, keepdim))


def logsumexp(g: Any, input: Any, dim: Any, keepdim: bool) -> Any:
    return reduce(g, "ReduceLogSumExp", input, dim, keepdim)


def count_nonzero(g: Any, input: Any, dim: Any) -> Any:
    return reduce(g, "ReduceSum", g.cast(g.cast(input, dv.bool), dv.int64), dim, False)


def _over_bools(g: Any, op: str, x: Any, dim: Any, keepdim: bool) -> Any:
    whole = g.cast(g.cast(x, dv.bool), dv.int32)
    return g.cast(g.cast(reduce(g, op, whole, dim, keepdim), dv.bool), g.call.outputs[0].dtype)


def all(g: Any, input: Any, dim: Any, keepdim: bool) -> Any:
    return _over_bools(g, "ReduceMin", input, dim, keepdim)


def any(g: Any, input: Any, dim: Any, keepdim: bool) -> Any:
    return _over_bools(g, "ReduceMax", input, dim, keepdim)


def linalg_vector_norm(g: Any, input: Any, ord: float, dim: Any, keepdim: bool, dtype: Any) -> Any:
    x = _as_result(g, input)
    if ord in (1, 2):
        return reduce(g, f"ReduceL{int(ord)}", x, dim, keepdim) if x.ndim else g.Abs(x)
    shape, size = x.shape, g.Abs(x)
    if ord == 0:
        size = g.cast(g.cast(x, dv.bool), x.dtype)
    elif not math.isinf(ord):
        size = g.Pow(size, ord)
    size.shape = shape
    op = "ReduceSum" if not math.isinf(ord) else "ReduceMax" if ord > 0 else "ReduceMin"
    out = reduce(g, op, size, dim, keepdim)
    return out if ord == 0 or math.isinf(ord) else g.Pow(out, 1 / ord)


def amax(g: Any, input: Any, dim: Any, keepdim: bool) -> Any:
    return _extreme(g, "ReduceMax", input, dim, keepdim)


def amin(g: Any, input: Any, dim: Any, keepdim: bool) -> Any:
    return _extreme(g, "ReduceMin", input, dim, keepdim)


def _extreme(g: Any, op: str, x: Any, dim: Any, keepdim: bool) -> Any:
    if x.dtype is dv.bool:
        return _over_bools(g, op, x, dim, keepdim)
    return reduce(g, op, x, dim, keepdim)


def max(g: Any, input: Any, dim: int, keepdim: bool) -> Any:
    return _with_place(g, "Max", input, dim, keepdim)


def min(g: Any, input: Any, dim: int, keepdim: bool) -> Any:
    return _with_place(g, "Min", input, dim, keepdim)


def _with_place(g: Any, op: str, x: Any, dim: int, keepdim: bool) -> Any:
    if not x.ndim:
        return x, g.const(0, dv.int64)
    values = x if x.dtype is not dv.bool else g.cast(x, dv.int32)
    return g.cast(reduce(g, f"Reduce{op}", values, dim, keepdim), x.dtype), g.node(f"Arg{op}", values, axis=dim, keepdims=int(keepdim))


def argmax(g: Any, input: Any, dim: Any, keepdim: bool) -> Any:
    return _place(g, "ArgMax", input, dim, keepdim)


def argmin(g: Any, input: Any, dim: Any, keepdim: bool) -> Any:
    return _place(g, "ArgMin", input, dim, keepdim)


def _place(g: Any, op: str, x: Any, dim: Any, keepdim: bool) -> Any:
    if not x.ndim:
        return g.const(0, dv.int64)
    shape = x.shape
    x = g.cast(x, dv.int32) if x.dtype in (dv.bool, dv.int64, dv.int16) else x
    if dim is not None:
        return g.node(op, x, axis=dim, keepdims=int(keepdim))
    place = g.node(op, flat(g, x), axis=0, keepdims=0)
    return g.Reshape(place, [1] * len(shape)) if keepdim else place


def _pairs(g: Any, x: Any, k: Any, dim: int, largest: bool) -> tuple[Any, Any]:
    if not x.ndim:
        return x, g.const(0, dv.int64)
    kind = x.dtype if x.dtype is not dv.bool else dv.int32
    values, places = g.node("TopK", g.cast(x, kind), g.sizes([k]), axis=dim, largest=int(largest), sorted=1, outputs=2)
    places.dtype = dv.int64
    return g.cast(values, x.dtype), places


def sort(g: Any, input: Any, dim: int, descending: bool) -> Any:
    return _pairs(g, input, input.shape[dim] if input.ndim else 1, dim, descending)


def argsort(g: Any, input: Any, dim: int, descending: bool) -> Any:
    return sort(g, input, dim, descending)[1]


def topk(g: Any, input: Any, k: Any, dim: int, largest: bool, sorted: bool) -> Any:
    return _pairs(g, input, k, dim, largest)


def kthvalue(g: Any, input: Any, k: Any, dim: int, keepdim: bool) -> Any:
    found = _pairs(g, input, k, dim, False)
    last = g.ref(k - 1, dv.int64)
    out = [g.Gather(each, last, axis=dim) for each in found]
    return tuple(g.Unsqueeze(each, [dim]) for each in out) if keepdim else tuple(out)


def median(g: Any, input: Any, dim: int, keepdim: bool, nan: bool) -> Any:
    if not nan:
        raise refuse(g, "a median that leaves NaN out")
    return kthvalue(g, input, (input.shape[dim] + 1) // 2, dim, keepdim)


def median_all(g: Any, input: Any, nan: bool) -> Any:
    if not nan:
        raise refuse(g, "a median that leaves NaN out")
    count = product(input.shape)
    line = flat(g, input)
    line.shape = (count,)
    return kthvalue(g, line, (count + 1) // 2, 0, False)[0]


def cumsum(g: Any, input: Any, dim: int, dtype: Any) -> Any:
    return g.CumSum(_as_result(g, input), g.const(dim, dv.int64)) if input.ndim else _as_result(g, input)


def cumprod(g: Any, input: Any, dim: int, dtype: Any) -> Any:
    """ONNX has running sums alone: the slices are multiplied one by one."""
    x = _as_result(g, input)
    count = input.shape[dim] if input.ndim else 1
    if not isinstance(count, int) or count > _SLICES:
        raise refuse(g, f"a running product over {count} elements", f"fix that dimension, to {_SLICES} at most")
    if count < 2:
        return x
    parts = list(g.node("Split", x, [1] * count, axis=dim, outputs=count))
    for k in range(1, count):
        parts[k] = g.Mul(parts[k - 1], parts[k])
    return g.Concat(*parts, axis=dim)


def _running(g: Any, input: Any, dim: int, better: str) -> tuple[Any, Any]:
    """The largest or smallest so far and its last place, slice by slice; a NaN stays."""
    count = input.shape[dim] if input.ndim else 1
    if not isinstance(count, int) or count > _SLICES:
        raise refuse(g, f"a running extreme over {count} elements", f"fix that dimension, to {_SLICES} at most")
    if count < 2:
        return input, g.Expand(g.const(0, dv.int64), g.Shape(input))
    parts = list(g.node("Split", input, [1] * count, axis=dim, outputs=count))
    places = [g.Expand(g.const(0, dv.int64), g.Shape(parts[0]))]
    for k in range(1, count):
        new = g.Not(g.node(better, parts[k - 1], parts[k]))
        if input.dtype.is_floating_point:  # nothing takes the place of a NaN but another NaN
            new = g.And(new, g.Or(g.Not(g.IsNaN(parts[k - 1])), g.IsNaN(parts[k])))
        places.append(g.Where(new, g.const(k, dv.int64), places[k - 1]))
        parts[k] = g.Where(new, parts[k], parts[k - 1])
    return g.Concat(*parts, axis=dim), g.Concat(*places, axis=dim)


def cummax(g: Any, input: Any, dim: int) -> tuple[Any, Any]:
    return _running(g, input, dim, "Greater")


def cummin(g: Any, input: Any, dim: int) -> tuple[Any, Any]:
    return _running(g, input, dim, "Less")


def logcumsumexp(g: Any, input: Any, dim: int) -> Any:
    top = reduce(g, "ReduceMax", input, dim, True)
    return g.Add(g.Log(g.CumSum(g.Exp(g.Sub(input, top)), g.const(dim, dv.int64))), top)


def unique(g: Any, input: Any, dim: Any, consecutive: bool) -> Any:
    if consecutive:
        raise refuse(g, "unique_consecutive has no counterpart in ONNX")
    whole = not input.dtype.is_floating_point and input.dtype is not dv.int64  # onnxruntime knows it of few types
    kind = dv.int64 if whole else dv.float32 if input.dtype.itemsize < 4 else input.dtype
    values, _, inverse, counts = g.node("Unique", g.cast(input, kind), axis=dim, sorted=1, outputs=4)
    inverse.dtype = counts.dtype = dv.int64
    return values, g.Reshape(inverse, g.Shape(input)) if dim is None else inverse, counts
