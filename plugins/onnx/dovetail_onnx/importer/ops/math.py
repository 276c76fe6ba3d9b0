"""Arithmetic, comparison, logic and products."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import dovetail as dv
from dovetail.nn import functional as F

from ..table import operator
from ..values import integers, number

__all__: list[str] = []


def _unary(name: str, function: Callable[..., Any]) -> None:
    operator(name)(lambda X: function(X))


for _name, _function in {
    "Abs": dv.abs, "Acos": dv.acos, "Acosh": dv.acosh, "Asin": dv.asin, "Asinh": dv.asinh, "Atan": dv.atan, "Atanh": dv.atanh,
    "BitwiseNot": dv.bitwise_not, "Ceil": dv.ceil, "Cos": dv.cos, "Cosh": dv.cosh, "Det": dv.linalg.det, "Erf": dv.erf, "Exp": dv.exp,
    "Floor": dv.floor, "IsNaN": dv.isnan, "Log": dv.log, "Neg": dv.neg, "Not": dv.logical_not, "Reciprocal": dv.reciprocal,
    "Round": dv.round, "Sign": dv.sign, "Sin": dv.sin, "Sinh": dv.sinh, "Sqrt": dv.sqrt, "Tan": dv.tan, "Tanh": dv.tanh,
}.items():  # fmt: skip
    _unary(_name, _function)


def aligned(A: Any, B: Any, axis: int | None, broadcast: int) -> Any:
    """B as the opsets before 7 broadcast it: its dimensions begin at ``axis`` of A."""
    if broadcast and axis is not None:
        axis += A.ndim if axis < 0 else 0
        return B.reshape(tuple(B.shape) + (1,) * (A.ndim - axis - B.ndim))
    return B


def _binary(name: str, function: Callable[..., Any]) -> None:
    @operator(name)
    def call(A: Any, B: Any, *, axis: int | None = None, broadcast: int = 0) -> Any:
        return function(A, aligned(A, B, axis, broadcast))


def _div(A: Any, B: Any) -> Any:
    return dv.div(A, B) if A.is_floating_point() else dv.div(A, B, rounding_mode="trunc")


def _pow(A: Any, B: Any) -> Any:
    return dv.pow(A, B).to(A.dtype)


_BINARY: dict[str, Callable[..., Any]] = {
    "Add": dv.add, "Sub": dv.sub, "Mul": dv.mul, "Div": _div, "Pow": _pow, "And": dv.logical_and, "Or": dv.logical_or,
    "Xor": dv.logical_xor, "Equal": dv.eq, "Less": dv.lt, "LessOrEqual": dv.le, "Greater": dv.gt, "GreaterOrEqual": dv.ge,
    "BitwiseAnd": dv.bitwise_and, "BitwiseOr": dv.bitwise_or, "BitwiseXor": dv.bitwise_xor,
}  # fmt: skip
for _name, _two in _BINARY.items():
    _binary(_name, _two)


@operator()
def Mod(A: Any, B: Any, *, fmod: int = 0) -> Any:
    return dv.fmod(A, B) if fmod else dv.remainder(A, B)


@operator()
def BitShift(X: Any, Y: Any, *, direction: str) -> Any:
    return dv.bitwise_left_shift(X, Y) if direction == "LEFT" else dv.bitwise_right_shift(X, Y)


@operator()
def Max(*data: Any) -> Any:
    return reduce(dv.maximum, data)


@operator()
def Min(*data: Any) -> Any:
    return reduce(dv.minimum, data)


@operator()
def Sum(*data: Any) -> Any:
    return reduce(dv.add, data)


@operator()
def Mean(*data: Any) -> Any:
    return reduce(dv.add, data) / len(data)


@operator()
def Clip(input: Any, min: Any = None, max: Any = None, *, fixed: Any = ()) -> Any:
    if min is None and max is None:
        return input
    stored = all(at in fixed or isinstance(bound, float) for at, bound in ((1, min), (2, max)))
    if stored and min is not None and max is not None and input.is_floating_point() and number(min) < number(max):
        return F.hardtanh(input, number(min), number(max))  # exporters write ReLU6 so, whose gradient at the bounds is 0
    return dv.clamp(input, min, max)


@operator()
def Where(condition: Any, X: Any, Y: Any) -> Any:
    return dv.where(condition, X, Y)


@operator()
def IsInf(X: Any, *, detect_negative: int = 1, detect_positive: int = 1) -> Any:
    found = dv.isinf(X)
    if not detect_negative:
        found = found & (X > 0)
    return found if detect_positive else found & (X < 0)


@operator()
def MatMul(A: Any, B: Any) -> Any:
    return dv.matmul(A, B)


@operator()
def Gemm(
    A: Any, B: Any, C: Any = None, *, alpha: float = 1.0, beta: float = 1.0, transA: int = 0, transB: int = 0, broadcast: int = 0
) -> Any:
    if transB and not transA and alpha == beta == 1 and A.is_floating_point() and (C is None or C.ndim == 1):
        return F.linear(A, B, C)
    out = (A.t() if transA else A) @ (B.t() if transB else B)
    out = out if alpha == 1 else (out * alpha).to(out.dtype)
    if C is None:
        return out
    return out + (C if beta == 1 else (C * beta).to(out.dtype))


@operator()
def Einsum(*Inputs: Any, equation: str) -> Any:
    return dv.einsum(equation, *Inputs)


def _running(function: Callable[..., Any], start: int) -> Callable[..., Any]:
    def call(x: Any, axis: Any, *, exclusive: int = 0, reverse: int = 0) -> Any:
        dim = integers(axis)[0]
        x = dv.flip(x, [dim]) if reverse else x
        if exclusive:
            first = dv.full_like(x.narrow(dim, 0, 1), start)
            x = dv.cat([first, x.narrow(dim, 0, x.shape[dim] - 1)], dim)
        out = function(x, dim).to(x.dtype)
        return dv.flip(out, [dim]) if reverse else out

    return call


operator("CumSum")(_running(dv.cumsum, 0))
operator("CumProd")(_running(dv.cumprod, 1))


@operator()
def Range(start: Any, limit: Any, delta: Any) -> Any:
    if start.is_floating_point():
        import math

        first, last, step = (number(one) for one in (start, limit, delta))
        count = max(math.ceil((last - first) / step), 0)
        return (first + step * dv.arange(count, dtype=dv.float64)).to(start.dtype).to(start.device)
    return dv.arange(number(start), number(limit), number(delta), dtype=start.dtype, device=start.device)
