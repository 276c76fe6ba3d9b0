"""Quantization to 8- and 16-bit integers, and products of quantized arrays; other types are the reference evaluator's."""

from __future__ import annotations

from typing import Any

import dovetail as dv
from dovetail.errors import UnsupportedError

from ..bind import leave
from ..table import operator
from ..values import dtype
from .conv import Conv

__all__: list[str] = []


def _along(one: Any, like: Any, axis: int, block_size: int = 0) -> Any:
    """A scale or zero point, spread over the axis that it belongs to."""
    if block_size:
        return one.repeat_interleave(block_size, axis).narrow(axis, 0, like.shape[axis])
    if one.ndim == 0 or one.numel() == 1:
        return one.reshape(())
    shape = [1] * like.ndim
    shape[axis] = -1
    return one.reshape(shape)


def _kind(zero_point: Any, code: int) -> Any:
    if zero_point is not None:
        return zero_point.dtype
    try:
        return dtype(code) if code else dv.uint8
    except UnsupportedError:
        raise leave() from None


@operator()
def QuantizeLinear(
    x: Any, y_scale: Any, y_zero_point: Any = None, *, axis: int = 1, block_size: int = 0, output_dtype: int = 0, precision: int = 0,
    saturate: int = 1,
) -> Any:  # fmt: skip
    kind = _kind(y_zero_point, output_dtype)
    scale = _along(y_scale, x, axis, block_size)
    info = dv.iinfo(kind)
    whole = dv.round(x.to(dtype(precision)) / scale if precision else x.to(scale.dtype) / scale if scale.is_floating_point() else x / scale)
    whole = whole.double()
    if y_zero_point is not None:
        whole = whole + _along(y_zero_point, x, axis, block_size).double()
    return dv.clamp(whole, info.min, info.max).to(kind)


@operator()
def DequantizeLinear(x: Any, x_scale: Any, x_zero_point: Any = None, *, axis: int = 1, block_size: int = 0, output_dtype: int = 0) -> Any:
    wide = x.to(dv.float32) if x.dtype is not dv.int32 else x.double()
    if x_zero_point is not None:
        wide = wide - _along(x_zero_point, x, axis, block_size).to(wide.dtype)
    out = wide * _along(x_scale, x, axis, block_size).to(wide.dtype)
    return out.to(dtype(output_dtype) if output_dtype else x_scale.dtype)


@operator()
def DynamicQuantizeLinear(x: Any) -> Any:
    low, high = dv.clamp(x.min(), max=0), dv.clamp(x.max(), min=0)
    scale = (high - low) / 255
    zero_point = dv.clamp(dv.round(-low / scale), 0, 255)
    y = dv.clamp(dv.round(x / scale) + zero_point, 0, 255)
    return y.to(dv.uint8), scale, zero_point.to(dv.uint8)


def _shifted(A: Any, zero_point: Any, axis: int) -> Any:
    """In float64, which holds products of 8-bit integers and their sums exactly."""
    if zero_point is None:
        return A.double()
    if zero_point.ndim == 1 and zero_point.numel() > 1:
        zero_point = zero_point.unsqueeze(-1 if axis == 0 else 0)
    return A.double() - zero_point.double()


@operator()
def MatMulInteger(A: Any, B: Any, a_zero_point: Any = None, b_zero_point: Any = None) -> Any:
    return (_shifted(A, a_zero_point, 0) @ _shifted(B, b_zero_point, 1)).round().to(dv.int32)


@operator()
def QLinearMatMul(a: Any, a_scale: Any, a_zero_point: Any, b: Any, b_scale: Any, b_zero_point: Any, y_scale: Any, y_zero_point: Any) -> Any:
    out = _shifted(a, a_zero_point, 0) @ _shifted(b, b_zero_point, 1)
    return _requantized(out * (a_scale.double() * b_scale.double() / y_scale.double()), y_zero_point)


@operator()
def QLinearConv(
    x: Any, x_scale: Any, x_zero_point: Any, w: Any, w_scale: Any, w_zero_point: Any, y_scale: Any, y_zero_point: Any, B: Any = None,
    **attributes: Any,
) -> Any:  # fmt: skip
    def spread(one: Any, rank: int) -> Any:
        return one.double().reshape((-1,) + (1,) * rank) if one.numel() > 1 else one.double().reshape(())

    weight = w.double() - spread(w_zero_point, w.ndim - 1)
    out = Conv(x.double() - x_zero_point.double(), weight, None if B is None else B.double(), **attributes)
    return _requantized(out * (x_scale.double() * spread(w_scale, w.ndim - 2) / y_scale.double()), y_zero_point)


def _requantized(out: Any, zero_point: Any) -> Any:
    info = dv.iinfo(zero_point.dtype)
    return dv.clamp(dv.round(out) + zero_point.double(), info.min, info.max).to(zero_point.dtype)
