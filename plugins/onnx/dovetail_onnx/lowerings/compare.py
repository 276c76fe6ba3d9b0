"""Lowerings of comparisons, logic, bits and choices."""

from __future__ import annotations

from typing import Any

import dovetail as dv

from ._common import arange, plain, refuse

__all__: list[str] = []

eq = plain("Equal")


def _ordered(op: str) -> Any:
    """Less and its kin, which ONNX has for numbers alone."""

    def lowering(g: Any, input: Any, other: Any) -> Any:
        return g.node(op, *(g.cast(x, dv.int32) if x.dtype is dv.bool else x for x in (input, other)))

    return lowering


lt, le, gt, ge = (_ordered(op) for op in ("Less", "LessOrEqual", "Greater", "GreaterOrEqual"))


def ne(g: Any, input: Any, other: Any) -> Any:
    return g.Not(g.Equal(input, other))


def _floating(x: Any) -> bool:
    return bool(x.dtype.is_floating_point)


def _nowhere(g: Any, x: Any) -> Any:
    return g.Not(g.Equal(x, x))


def isnan(g: Any, input: Any) -> Any:
    return g.IsNaN(input) if _floating(input) else _nowhere(g, input)


def isinf(g: Any, input: Any) -> Any:
    return g.IsInf(input) if _floating(input) else _nowhere(g, input)


def isposinf(g: Any, input: Any) -> Any:
    return g.IsInf(input, detect_negative=0) if _floating(input) else _nowhere(g, input)


def isneginf(g: Any, input: Any) -> Any:
    return g.IsInf(input, detect_positive=0) if _floating(input) else _nowhere(g, input)


def isfinite(g: Any, input: Any) -> Any:
    return g.Not(g.Or(g.IsInf(input), g.IsNaN(input))) if _floating(input) else g.Equal(input, input)


def isreal(g: Any, input: Any) -> Any:
    return g.Or(g.Equal(input, input), g.Not(g.Equal(input, input)))


def isclose(g: Any, input: Any, other: Any, rtol: float, atol: float, equal_nan: bool) -> Any:
    kind = input.dtype if _floating(input) else dv.float64
    a, b = g.cast(input, kind), g.cast(other, kind)
    near = g.LessOrEqual(g.Abs(g.Sub(a, b)), g.Add(g.Mul(g.Abs(b), rtol), atol))
    near = g.Or(g.Equal(a, b), g.And(near, g.Not(g.IsInf(b))))
    return g.Or(near, g.And(g.IsNaN(a), g.IsNaN(b))) if equal_nan else near


def isin(g: Any, elements: Any, test_elements: Any, assume_unique: bool, invert: bool) -> Any:
    same = g.Equal(g.Unsqueeze(elements, [-1]), g.Reshape(test_elements, [-1]))
    found = g.Greater(g.ReduceSum(g.cast(same, dv.int32), [-1], keepdims=0), 0)
    return g.Not(found) if invert else found


def _bools(g: Any, *xs: Any) -> list[Any]:
    return [g.cast(x, dv.bool) for x in xs]


def logical_and(g: Any, input: Any, other: Any) -> Any:
    return g.And(*_bools(g, input, other))


def logical_or(g: Any, input: Any, other: Any) -> Any:
    return g.Or(*_bools(g, input, other))


def logical_xor(g: Any, input: Any, other: Any) -> Any:
    return g.Xor(*_bools(g, input, other))


def logical_not(g: Any, input: Any) -> Any:
    return g.Not(g.cast(input, dv.bool))


def _bits(g: Any, name: str, *xs: Any) -> Any:
    if xs[0].dtype is dv.bool:
        return g.node(name, *xs)
    if g.opset < 18:
        raise refuse(g, f"bitwise {name.lower()} of integers needs opset 18, got {g.opset}", "export with a newer opset")
    return g.node(f"Bitwise{name}", *xs, dtype=xs[0].dtype)


def bitwise_and(g: Any, input: Any, other: Any) -> Any:
    return _bits(g, "And", input, other)


def bitwise_or(g: Any, input: Any, other: Any) -> Any:
    return _bits(g, "Or", input, other)


def bitwise_xor(g: Any, input: Any, other: Any) -> Any:
    return _bits(g, "Xor", input, other)


def bitwise_not(g: Any, input: Any) -> Any:
    return _bits(g, "Not", input)


def where(g: Any, condition: Any, input: Any, other: Any) -> Any:
    return g.Where(g.cast(condition, dv.bool), input, other)


def masked_out(g: Any, input: Any, mask: Any, when: bool) -> Any:
    zero = g.const(0, input.dtype)
    return g.Where(mask, zero, input) if when else g.Where(mask, input, zero)


def masked_fill(g: Any, input: Any, mask: Any, value: Any) -> Any:
    return g.Where(mask, g.cast(g.ref(value, input.dtype), input.dtype), input)


def fill(g: Any, input: Any, value: Any) -> Any:
    return g.Expand(g.cast(g.ref(value, input.dtype), input.dtype), g.sizes(input.shape))


def searchsorted(g: Any, sorted_sequence: Any, input: Any, right: bool, small: bool, sorter: Any) -> Any:
    if sorter is not None:
        raise refuse(g, "a sorter has no lowering", "sort the sequence first")
    kind = dv.result_type(dv.zeros(1, dtype=sorted_sequence.dtype), dv.zeros(1, dtype=input.dtype))
    line, x = g.cast(sorted_sequence, kind), g.Unsqueeze(g.cast(input, kind), [-1])
    if sorted_sequence.ndim > 1:
        line = g.Unsqueeze(line, [-2])
    before = g.LessOrEqual(line, x) if right else g.Less(line, x)
    return g.ReduceSum(g.cast(before, dv.int64), [-1], keepdims=0)


def later(g: Any, rows: Any, columns: Any) -> Any:
    """Which columns come after each row: a constant, or made by the graph."""
    return g.Less(g.Unsqueeze(arange(g, rows), [1]), arange(g, columns))
