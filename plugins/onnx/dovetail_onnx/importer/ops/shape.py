"""Shapes, types, joining, cutting and padding."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import dovetail as dv
from dovetail.errors import ShapeError, UnsupportedError, ValueRangeError
from dovetail.nn import functional as F

from ..bind import leave
from ..host import Host
from ..table import operator
from ..values import dtype, integers, number, tensors

__all__: list[str] = []


@operator(any_type=True)
def Identity(input: Any) -> Any:
    return input


@operator()
def Cast(input: Any, *, to: int | str, saturate: int = 1, round_mode: str = "up") -> Any:
    try:
        kind = dtype(to)
    except UnsupportedError:
        raise leave() from None
    return input.to(kind)


@operator()
def CastLike(input: Any, target_type: Any, *, saturate: int = 1, round_mode: str = "up") -> Any:
    return input.to(target_type.dtype)


@operator()
def BitCast(input: Any, *, to: int) -> Any:
    from onnx import helper

    bits = np.ascontiguousarray(input.detach().cpu().numpy()).view(helper.tensor_dtype_to_np_dtype(to))
    return tensors(bits.reshape(tuple(input.shape)))


@operator(any_type=True)
def Shape(data: Any, *, start: int = 0, end: int | None = None) -> Any:
    return Host(np.array(list(data.shape)[start:end], np.int64))


@operator(any_type=True)
def Size(data: Any) -> Any:
    return Host(np.int64(math.prod(data.shape)))


@operator(any_type=True)
def Reshape(data: Any, shape: Any, *, allowzero: int = 0) -> Any:
    sizes = integers(shape)
    if not allowzero:
        sizes = [data.shape[at] if size == 0 else size for at, size in enumerate(sizes)]
    if -1 in sizes and 0 in sizes:
        raise ShapeError("Reshape", f"the shape is {sizes}", "-1 cannot be told beside 0")
    return data.reshape(sizes)


@operator()
def Flatten(input: Any, *, axis: int = 1) -> Any:
    axis += input.ndim if axis < 0 else 0
    return input.reshape(math.prod(input.shape[:axis]), math.prod(input.shape[axis:]))


@operator()
def Squeeze(data: Any, axes: Any = None) -> Any:
    dims = [dim for dim, size in enumerate(data.shape) if size == 1] if axes is None else [axis % data.ndim for axis in integers(axes)]
    if any(data.shape[dim] != 1 for dim in dims):
        raise ShapeError("Squeeze", f"axes {dims} of the shape {tuple(data.shape)} are not all 1", "expected sizes of 1")
    return data.reshape([size for dim, size in enumerate(data.shape) if dim not in dims])


@operator(any_type=True)
def Unsqueeze(data: Any, axes: Any) -> Any:
    rank = data.ndim + len(integers(axes))
    dims = {axis + rank if axis < 0 else axis for axis in integers(axes)}
    if len(dims) + data.ndim != rank or not all(0 <= dim < rank for dim in dims):
        raise ShapeError("Unsqueeze", f"axes are {integers(axes)}", f"expected different ones below {rank}")
    sizes = iter(data.shape)
    return data.reshape([1 if dim in dims else next(sizes) for dim in range(rank)])


@operator()
def Transpose(data: Any, *, perm: Any = None) -> Any:
    return data.permute(list(range(data.ndim))[::-1] if perm is None else list(perm))


@operator()
def Expand(input: Any, shape: Any) -> Any:
    return input.expand(dv.broadcast_shapes(tuple(input.shape), tuple(integers(shape))))


@operator("Tile", since=6)
def Tile(input: Any, repeats: Any) -> Any:
    return input.repeat(*integers(repeats)) if input.ndim else input


@operator("Tile", since=1)
def Tile_1(input: Any, tiles: Any, axis: Any) -> Any:
    """Opset 1 repeats along one axis."""
    times = [1] * input.ndim
    times[integers(axis)[0]] = integers(tiles)[0]
    return input.repeat(*times)


@operator()
def Concat(*inputs: Any, axis: int = 1) -> Any:
    return dv.cat(list(inputs), axis)


@operator()
def Split(input: Any, split: Any = None, *, axis: int = 0, num_outputs: int | None = None, n_outputs: int) -> Any:
    if split is not None:
        sizes = integers(split)
    else:
        size, parts = input.shape[axis], num_outputs or n_outputs
        each = -(-size // parts)
        sizes = [max(min(each, size - at * each), 0) for at in range(parts)]
    return tuple(dv.split(input, sizes, axis))


@operator()
def Slice(data: Any, starts: Any, ends: Any, axes: Any = None, steps: Any = None) -> Any:
    first, last = integers(starts), integers(ends)
    dims = list(range(len(first))) if axes is None else integers(axes)
    for start, end, dim, step in zip(first, last, dims, [1] * len(first) if steps is None else integers(steps)):
        size = data.shape[dim]
        if step == 0:
            raise ValueRangeError("Slice", "a step is 0", "expected another number")
        at = range(*slice(start, end, step).indices(size)) if step > 0 else _backwards(start, end, step, size)
        if step == 1:
            data = data.narrow(dim, at.start if len(at) else 0, len(at))
        else:
            data = data.index_select(dim, dv.tensor(list(at), dtype=dv.int64, device=data.device))
    return data


def _backwards(start: int, end: int, step: int, size: int) -> range:
    """ONNX clamps the end of a backward slice to -1 after adding the size to negative ones; Python would count from the end again."""
    start = min(start + size if start < 0 else start, size - 1)
    end = max(end + size if end < 0 else end, -1)
    return range(start, end, step)


@operator()
def Pad(
    data: Any,
    pads: Any = None,
    constant_value: Any = None,
    axes: Any = None,
    *,
    mode: str = "constant",
    value: float = 0.0,
    paddings: Any = None,
) -> Any:
    amounts = integers(paddings if pads is None else pads)
    dims = list(range(data.ndim)) if axes is None else [axis % data.ndim for axis in integers(axes)]
    fill = value if constant_value is None else number(constant_value)
    begin, end = dict(zip(dims, amounts)), dict(zip(dims, amounts[len(dims) :]))
    if mode == "constant":
        flat = [amount for dim in reversed(range(data.ndim)) for amount in (begin.get(dim, 0), end.get(dim, 0))]
        return F.pad(data, flat, value=fill)
    kind = {"reflect": "reflect", "edge": "edge", "wrap": "wrap"}[mode]
    for dim in dims:
        data = _extended(data, dim, begin[dim], end[dim], kind)
    return data


def _extended(data: Any, dim: int, begin: int, end: int, mode: str) -> Any:
    size = data.shape[dim]
    if begin < 0 or end < 0:
        data = data.narrow(dim, max(-begin, 0), size - max(-begin, 0) - max(-end, 0))
        begin, end, size = max(begin, 0), max(end, 0), data.shape[dim]
    at = np.pad(np.arange(size), (begin, end), mode=mode)  # type: ignore[call-overload]
    return data.index_select(dim, dv.from_numpy(at).to(data.device))


@operator()
def CenterCropPad(input_data: Any, shape: Any, *, axes: Any = None) -> Any:
    for dim, wanted in zip(range(input_data.ndim) if axes is None else axes, integers(shape)):
        size = input_data.shape[dim]
        if wanted < size:
            input_data = input_data.narrow(dim, (size - wanted) // 2, wanted)
        elif wanted > size:
            at = dim % input_data.ndim
            before = (wanted - size) // 2
            input_data = F.pad(input_data, [0, 0] * (input_data.ndim - 1 - at) + [before, wanted - size - before])
    return input_data


@operator()
def ConstantOfShape(input: Any, *, value: Any = None) -> Any:
    value = dv.zeros(1) if value is None else value
    return dv.full(integers(input), value.item(), dtype=value.dtype, device=input.device)


@operator()
def EyeLike(input: Any, *, k: int = 0, dtype: int | None = None) -> Any:
    from ..values import dtype as kind

    rows, columns = input.shape
    eye = np.eye(rows, columns, k)
    return dv.from_numpy(eye).to(input.dtype if dtype is None else kind(dtype)).to(input.device)


@operator()
def Trilu(input: Any, k: Any = 0, *, upper: int = 1) -> Any:
    return (dv.triu if upper else dv.tril)(input, int(number(k)))


@operator()
def DepthToSpace(input: Any, *, blocksize: int, mode: str = "DCR") -> Any:
    n, c, *sizes = input.shape
    rank, inner = len(sizes), c // blocksize ** len(sizes)
    blocks = [blocksize] * rank
    if mode == "DCR":
        split, channel, block = [n, *blocks, inner, *sizes], rank + 1, 1
    else:
        split, channel, block = [n, inner, *blocks, *sizes], 1, 2
    order = [0, channel]
    for at in range(rank):
        order += [2 + rank + at, block + at]
    return input.reshape(split).permute(order).reshape([n, inner, *(size * blocksize for size in sizes)])


@operator()
def SpaceToDepth(input: Any, *, blocksize: int, mode: str = "DCR") -> Any:
    n, c, *sizes = input.shape
    rank = len(sizes)
    split = [n, c]
    for size in sizes:
        split += [size // blocksize, blocksize]
    blocks = [3 + 2 * at for at in range(rank)]
    order = [0, *blocks, 1] if mode == "DCR" else [0, 1, *blocks]
    order += [2 + 2 * at for at in range(rank)]
    return input.reshape(split).permute(order).reshape([n, c * blocksize**rank, *(size // blocksize for size in sizes)])
