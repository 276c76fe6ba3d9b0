"""Rounding to a grid of integers and back, with the gradient of the identity inside it: what training for quantization does."""

from __future__ import annotations

from typing import Any

import dovetail as dv
from dovetail import Tensor
from dovetail.autograd import Function
from dovetail.errors import GradError, ValueRangeError

__all__ = ["fake_quantize_per_channel_affine", "fake_quantize_per_tensor_affine"]


class _Fake(Function):
    @staticmethod
    def forward(ctx: Any, input: Tensor, scale: Any, zero_point: Any, quant_min: int, quant_max: int) -> Tensor:
        grid = dv.round(input * (1.0 / scale)) + zero_point
        ctx.save_for_backward((grid >= quant_min) & (grid <= quant_max))
        return ((grid.clamp(quant_min, quant_max) - zero_point) * scale).to(input.dtype)

    @staticmethod
    def backward(ctx: Any, *g: Tensor) -> Any:
        return g[0] * ctx.saved_tensors[0], None, None, None, None


def _checked(where: str, scale: Any, quant_min: int, quant_max: int) -> Tensor:
    """The scale, which is float32 for elements of any type."""
    if quant_min > quant_max:
        what = f"`quant_min` should be less than or equal to `quant_max`. (quant_min {quant_min}, quant_max {quant_max})"
        raise ValueRangeError(where, what, "", "give the smaller number first")
    if isinstance(scale, Tensor) and scale.dtype not in (dv.float32, dv.bfloat16):
        raise GradError(where, f"Scale must be Float or BFloat16, found {scale.dtype}", "", "convert it with .float()")
    return dv.as_tensor(scale, dtype=dv.float32)


def fake_quantize_per_tensor_affine(input: Tensor, scale: Any, zero_point: Any, quant_min: int, quant_max: int) -> Tensor:
    """``(clamp(round(x / scale) + zero_point, quant_min, quant_max) − zero_point)·scale``; no gradient for what is clamped.

    Raises a ValueRangeError (a RuntimeError) for a range without numbers, a GradError (a RuntimeError) for a scale that is not float32.

    >>> fake_quantize_per_tensor_affine(dv.tensor([0.26, 9.]), 0.1, 0, -8, 7)
    tensor([0.3000, 0.7000])
    """
    scale = _checked("fake_quantize_per_tensor_affine", scale, quant_min, quant_max)
    out: Tensor = _Fake.apply(input, scale, zero_point, quant_min, quant_max)
    return out


def fake_quantize_per_channel_affine(input: Tensor, scale: Tensor, zero_point: Tensor, axis: int, quant_min: int, quant_max: int) -> Tensor:
    """:func:`fake_quantize_per_tensor_affine` with a scale and a zero point for each index of the dimension `axis`.

    >>> fake_quantize_per_channel_affine(dv.ones(2, 1), dv.tensor([0.3, 0.4]), dv.zeros(2), 0, -8, 7)
    tensor([[0.9000],
            [0.8000]])
    """
    scale = _checked("fake_quantize_per_channel_affine", scale, quant_min, quant_max)
    if scale.numel() != input.size(axis) or zero_point.numel() != input.size(axis):
        what = "dimensions of scale and zero-point are not consistent with input tensor"
        sizes = f"{scale.numel()} scales, {zero_point.numel()} zero points, {input.size(axis)} along axis {axis}"
        raise ValueRangeError("fake_quantize_per_channel_affine", f"{what} ({sizes})")
    shape = [-1 if d == axis % input.dim() else 1 for d in range(input.dim())]
    out: Tensor = _Fake.apply(input, scale.view(shape), zero_point.view(shape), quant_min, quant_max)
    return out
