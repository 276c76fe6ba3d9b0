"""Lowerings for whole numbers: divisors, shifts of bits, counts, and places."""

from __future__ import annotations

from typing import Any

import numpy as np

import dovetail as dv

from ._common import flat, reduce, refuse
from .arithmetic import floor_divide

__all__: list[str] = []


def _euclid() -> Any:
    """The body of the loop: (a, b) becomes (b, a mod b) wherever b is not 0; it goes on while any b is left."""
    from onnx import TensorProto, helper

    kinds = {"turn": TensorProto.INT64, "more": TensorProto.BOOL, "a": TensorProto.INT64, "b": TensorProto.INT64}
    nodes = [
        helper.make_node("Equal", ["b", "zero"], ["done"]),
        helper.make_node("Where", ["done", "one", "b"], ["safe"]),
        helper.make_node("Mod", ["a", "safe"], ["rest"]),
        helper.make_node("Where", ["done", "a", "b"], ["next_a"]),
        helper.make_node("Where", ["done", "zero", "rest"], ["next_b"]),
        helper.make_node("ReduceMax", ["next_b"], ["largest"], keepdims=0),
        helper.make_node("Greater", ["largest", "zero"], ["go_on"]),
    ]
    inputs = [helper.make_tensor_value_info(name, kind, [] if name in ("turn", "more") else None) for name, kind in kinds.items()]
    outputs = [helper.make_tensor_value_info("go_on", TensorProto.BOOL, [])]
    outputs += [helper.make_tensor_value_info(name, TensorProto.INT64, None) for name in ("next_a", "next_b")]
    numbers = [helper.make_tensor(name, TensorProto.INT64, [], [value]) for name, value in (("zero", 0), ("one", 1))]
    return helper.make_graph(nodes, "euclid", inputs, outputs, numbers)


def gcd(g: Any, input: Any, other: Any) -> Any:
    a, b = (g.Abs(g.cast(x, dv.int64)) for x in (input, other))
    both = g.Mul(g.Add(a, b), 0)
    start = g.const(True)
    divisor, _ = g.node("Loop", None, start, g.Add(a, both), g.Add(b, both), outputs=2, dtype=dv.int64, body=_euclid())
    return g.cast(divisor, input.dtype)


def lcm(g: Any, input: Any, other: Any) -> Any:
    a, b, divisor = (g.cast(x, dv.int64) for x in (input, other, gcd(g, input, other)))
    return g.cast(g.Abs(g.Mul(g.Div(a, g.Max(divisor, 1)), b)), input.dtype)


def _powers(g: Any, count: Any) -> list[Any]:
    """2^count as a product of two powers: the 63rd alone is no int64."""
    half = g.Div(count, 2)
    return [g.cast(g.Pow(g.const(2.0, dv.float64), g.cast(part, dv.float64)), dv.int64) for part in (half, g.Sub(count, half))]


def bitwise_left_shift(g: Any, input: Any, other: Any) -> Any:
    out, count = g.cast(input, dv.int64), g.cast(other, dv.int64)
    bits = 8 * input.dtype.itemsize
    for power in _powers(g, g.Clip(count, g.const(0, dv.int64), g.const(63, dv.int64))):
        out = g.Mul(out, power)
    beyond = g.Or(g.Less(count, 0), g.Not(g.Less(count, bits)))
    return g.cast(g.Where(beyond, g.const(0, dv.int64), out), input.dtype)


def bitwise_right_shift(g: Any, input: Any, other: Any) -> Any:
    """The sign is kept: division towards minus infinity, by all bits where the count is out of range."""
    out, count = g.cast(input, dv.int64), g.cast(other, dv.int64)
    count = g.Where(g.Less(count, 0), g.const(63, dv.int64), g.Min(count, 63))
    for power in _powers(g, count):
        out = floor_divide(g, out, power)
    return g.cast(out, input.dtype)


def bincount(g: Any, input: Any, weights: Any, minlength: Any) -> Any:
    kind = g.call.outputs[0].dtype
    places = g.cast(input, dv.int64)
    length = g.Max(g.Add(g.ReduceMax(places, keepdims=1), 1), g.const([int(minlength)], dv.int64))
    added = g.Expand(g.const(1, kind), g.Shape(input)) if weights is None else g.cast(weights, kind)
    return g.ScatterElements(g.Expand(g.const(0, kind), length), places, added, axis=0, reduction="add")


def histc(g: Any, input: Any, bins: int, min: float, max: float) -> Any:
    """How many elements lie at or above each edge; what is not above the next one lies between, and the last interval is closed."""
    if not min < max:
        raise refuse(g, "histc over the range of the data", "give min and max")
    edges = np.linspace(min, max, bins + 1).astype(input.dtype.np)
    line = g.Unsqueeze(flat(g, input), [1])
    above = g.GreaterOrEqual(line, g.const(edges[:-1]))
    counts = g.ReduceSum(g.cast(above, dv.int64), [0], keepdims=0)
    beyond = g.ReduceSum(g.cast(g.Greater(line, g.const(edges[-1:])), dv.int64), [0], keepdims=0)
    return g.cast(g.Sub(counts, g.Concat(g.Slice(counts, [1], [bins], [0]), beyond, axis=0)), input.dtype)


def unravel_index(g: Any, indices: Any, steps: Any) -> tuple[Any, ...]:
    return tuple(g.Mod(floor_divide(g, indices, g.ref(step, indices.dtype)), g.ref(n, indices.dtype)) for step, n in steps)


def _spread(g: Any, repeats: Any) -> Any:
    """The place of each result is how many of the running sums lie at or before it."""
    counts = g.cast(repeats, dv.int64)
    total = g.ReduceSum(counts, [0], keepdims=0)
    places = g.Unsqueeze(g.Range(g.const(0, dv.int64), total, g.const(1, dv.int64)), [1])
    before = g.Not(g.Greater(g.CumSum(counts, g.const(0, dv.int64)), places))
    return g.ReduceSum(g.cast(before, dv.int64), [1], keepdims=0)


def mode(g: Any, input: Any, dim: int, keepdim: bool) -> tuple[Any, Any]:
    """Each element is compared with all others: the commonest, of these the smallest, and its last place."""
    if not input.ndim:
        return input, g.const(0, dv.int64)
    axis = dim % input.ndim
    same = g.Equal(g.Unsqueeze(input, [axis + 1]), g.Unsqueeze(input, [axis]))
    counts = g.ReduceSum(g.cast(same, dv.int32), [axis + 1], keepdims=0)
    counts.shape = input.shape
    top = g.Equal(counts, reduce(g, "ReduceMax", counts, axis, True))
    largest = dv.finfo(input.dtype).max if input.dtype.is_floating_point else dv.iinfo(input.dtype).max
    some = g.Where(top, input, g.const(largest, input.dtype))
    some.shape = input.shape
    value = reduce(g, "ReduceMin", some, axis, True)
    place = g.ArgMax(g.cast(g.Equal(input, value), dv.int32), axis=axis, keepdims=int(keepdim), select_last_index=1)
    return value if keepdim else g.Squeeze(value, [axis]), place


def as_strided(g: Any, input: Any, size: Any, stride: Any, offset: Any, steps: Any) -> Any:
    """The places in the flattened tensor, as a constant."""
    numbers = [*input.shape, *size, *stride, offset, *steps]
    if not all(isinstance(n, int | np.integer) for n in numbers):
        raise refuse(g, "as_strided of a free dimension", "unfold and reshape follow the sizes")
    rows = [int(np.prod(input.shape[k + 1 :])) for k in range(input.ndim)]
    places = np.full(tuple(size), int(offset))
    for axis, step in enumerate(stride):
        places = places + np.arange(size[axis]).reshape([-1 if k == axis else 1 for k in range(len(size))]) * step
    packed = all(n == 1 or s == r for n, s, r in zip(input.shape, steps, rows, strict=True))
    if not packed or (places.size and not 0 <= places.min() <= places.max() < np.prod(input.shape)):
        raise refuse(g, "as_strided of memory that the tensor itself does not have in order", "call contiguous() before")
    return g.Gather(flat(g, input), g.const(places.astype(np.int64)), axis=0)


def fill_diagonal(g: Any, input: Any, fill_value: Any, wrap: bool) -> Any:
    if not all(isinstance(n, int) for n in input.shape):
        raise refuse(g, "fill_diagonal_ of a free dimension", "where() with an index follows the sizes")
    mask = np.zeros(input.shape, bool)
    np.fill_diagonal(mask, True, wrap)
    return g.Where(g.const(mask), g.const(fill_value, input.dtype), input)


def masked_scale(g: Any, input: Any, mask: Any, scale: float) -> Any:
    return g.Mul(g.Mul(input, g.cast(mask, input.dtype)), scale)
