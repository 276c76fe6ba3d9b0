"""Lowerings of changes of shape, joins, repetitions and types."""

from __future__ import annotations

from typing import Any

import numpy as np

import dovetail as dv

from ..exporter.sizes import FreeSize
from ._common import END, arange, axes_of, flat, product, refuse

__all__: list[str] = []


def alias(g: Any, input: Any) -> Any:
    return input


def clone(g: Any, input: Any, memory_format: Any) -> Any:
    return input


def move(g: Any, input: Any, device: Any, copy: bool) -> Any:
    return input


def cast(g: Any, input: Any, dtype: Any) -> Any:
    return g.cast(input, g.call.outputs[0].dtype)


def copy(g: Any, input: Any, src: Any) -> Any:
    return g.Expand(g.cast(g.ref(src, input.dtype), input.dtype), g.sizes(input.shape))


def reshape(g: Any, input: Any, shape: Any) -> Any:
    wanted = list(shape) if isinstance(shape, tuple | list) else [shape]
    free = [k for k, n in enumerate(wanted) if isinstance(n, FreeSize)]
    fixed = [n for n in wanted if not isinstance(n, FreeSize)]
    if len(free) == 1 and not any(n <= 0 for n in fixed):
        wanted[free[0]] = -1
    zeros = any(n == 0 for n in fixed)
    return g.Reshape(input, g.sizes(wanted), allowzero=1 if zeros else None)


view = reshape


def squeeze(g: Any, input: Any, dims: Any) -> Any:
    dims = [d for d in axes_of(dims, input.ndim) if input.shape[d] == 1] if input.ndim else []
    return g.Squeeze(input, dims) if dims else input


def unsqueeze(g: Any, input: Any, dim: int) -> Any:
    return g.Unsqueeze(input, [dim])


def transpose(g: Any, input: Any, dim0: int, dim1: int) -> Any:
    order = list(range(input.ndim))
    if order:
        order[dim0], order[dim1] = order[dim1], order[dim0]
    return g.Transpose(input, perm=order) if order else input


def permute(g: Any, input: Any, dims: Any) -> Any:
    return g.Transpose(input, perm=[d % input.ndim for d in dims]) if dims else input


def expand_to(g: Any, input: Any, shape: Any) -> Any:
    return g.Expand(input, g.sizes(shape))


def cat(g: Any, tensors: Any, dim: int) -> Any:
    kind = g.call.outputs[0].dtype
    most = max(t.ndim for t in tensors)  # beside tensors of more dimensions, PyTorch skips empty vectors
    some = [t for t in tensors if t.ndim == most]
    return g.Concat(*(g.cast(t, kind) for t in some), axis=dim)


def stack(g: Any, tensors: Any, dim: int) -> Any:
    kind = g.call.outputs[0].dtype
    return g.Concat(*(g.Unsqueeze(g.cast(t, kind), [dim]) for t in tensors), axis=dim)


def split(g: Any, input: Any, sizes: Any, dim: int) -> Any:
    if len(sizes) == 1:
        return (input,)
    return g.node("Split", input, g.sizes(sizes), axis=dim, outputs=len(sizes))


def unbind(g: Any, input: Any, dim: int) -> Any:
    return tuple(g.Gather(input, np.int64(k), axis=dim) for k in range(len(g.call.outputs)))


def flip(g: Any, input: Any, dims: Any) -> Any:
    dims = axes_of(dims, input.ndim)
    ones = [-1] * len(dims)
    return g.Slice(input, ones, [-END] * len(dims), dims, ones)


def roll(g: Any, input: Any, shifts: Any, dims: Any) -> Any:
    if dims is None or dims == ():
        total = roll_one(g, g.Reshape(input, [-1]), shifts if not isinstance(shifts, tuple | list) else shifts[0], 0)
        return g.Reshape(total, g.sizes(input.shape))
    pairs = zip(shifts, dims, strict=True) if isinstance(dims, tuple | list) else [(shifts, dims)]
    for shift, dim in pairs:
        input, shape = roll_one(g, input, shift, dim), input.shape
        input.shape = shape
    return input


def roll_one(g: Any, x: Any, shift: Any, dim: int) -> Any:
    """The last ``shift`` elements in front; a shift beyond the length goes round."""
    size = x.shape[dim] if x.shape is not None else None
    if isinstance(shift, int) and isinstance(size, int):
        shift = shift % max(size, 1)
        if not shift:
            return x
    cut = -shift
    return g.Concat(g.Slice(x, [cut], [END], [dim]), g.Slice(x, [0], [cut], [dim]), axis=dim)


def repeat(g: Any, input: Any, single: Any, spread: Any, shape: Any) -> Any:
    return reshape(g, g.Expand(g.Reshape(input, g.sizes(single)), g.sizes(spread)), shape)


def tril(g: Any, input: Any, diagonal: Any) -> Any:
    return _triangle(g, input, diagonal, 0)


def triu(g: Any, input: Any, diagonal: Any) -> Any:
    return _triangle(g, input, diagonal, 1)


def _triangle(g: Any, x: Any, diagonal: Any, upper: int) -> Any:
    if g.opset < 14:
        above = g.Sub(arange(g, x.shape[-1]), g.Unsqueeze(arange(g, x.shape[-2]), [1]))  # how far right of the diagonal
        kept = g.Not(g.Less(above, diagonal)) if upper else g.Not(g.Greater(above, diagonal))
        return g.Where(kept, x, g.const(0, x.dtype))
    kind = x.dtype if x.dtype.name in ("float32", "float64", "int64", "bool") else dv.float32 if x.dtype.is_floating_point else dv.int64
    return g.cast(g.Trilu(g.cast(x, kind), g.ref(diagonal, dv.int64), upper=upper), x.dtype)


def diag_embed(g: Any, grad: Any, shape: Any, offset: int, dim1: int, dim2: int) -> Any:
    zeros = g.Expand(g.const(0, grad.dtype), g.sizes(shape))
    zeros.shape = tuple(shape)
    return diagonal_scatter(g, zeros, grad, offset, dim1, dim2)


def diagonal_scatter(g: Any, input: Any, src: Any, offset: int, dim1: int, dim2: int) -> Any:
    positions = g.Reshape(arange(g, product(input.shape)), g.sizes(input.shape))
    positions.shape = input.shape
    places = diagonal(g, positions, offset, dim1, dim2)
    out = g.ScatterElements(flat(g, input), flat(g, places), flat(g, src), axis=0)
    return g.Reshape(out, g.sizes(input.shape))


def diagonal(g: Any, input: Any, offset: int, dim1: int, dim2: int) -> Any:
    dim1, dim2 = dim1 % input.ndim, dim2 % input.ndim
    rows, columns = input.shape[dim1], input.shape[dim2]
    if isinstance(rows, FreeSize) or isinstance(columns, FreeSize):
        if not rows == columns:
            raise refuse(g, "a diagonal of two free dimensions that differ")
        length = rows - offset if offset >= 0 else rows + offset
    else:
        length = max(min(rows, columns - offset) if offset >= 0 else min(rows + offset, columns), 0)
    rest = [k for k in range(input.ndim) if k not in (dim1, dim2)]
    plane = g.Reshape(g.Transpose(input, perm=[*rest, dim1, dim2]), g.sizes([*(input.shape[k] for k in rest), -1]))
    first = offset if offset >= 0 else columns * -offset
    steps = g.Mul(arange(g, length), g.ref(columns + 1, dv.int64))
    return g.Gather(plane, g.Add(steps, g.ref(first, dv.int64)), axis=len(rest))


def unfold_dim(g: Any, input: Any, dim: int, size: int, step: int) -> Any:
    if not input.ndim:
        return g.Reshape(input, [1])
    dim %= input.ndim
    count = (input.shape[dim] - size) // step + 1
    index = g.Add(g.Unsqueeze(g.Mul(arange(g, count), step), [1]), arange(g, size))
    found = g.Gather(input, index, axis=dim)
    order = [k for k in range(input.ndim + 1) if k != dim + 1] + [dim + 1]
    return g.Transpose(found, perm=order)
