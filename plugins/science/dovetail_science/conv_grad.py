"""The gradients of convolutions as functions: by the input, of which only the size is needed, or by the weight."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dovetail as dv

__all__ = ["conv1d_input", "conv1d_weight", "conv2d_input", "conv2d_weight", "conv3d_input", "conv3d_weight"]


def _input(conv: Callable[..., Any]) -> Callable[..., Any]:
    def gradient(
        input_size: Any, weight: Any, grad_output: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
    ) -> Any:
        with dv.enable_grad():
            x = dv.zeros(tuple(input_size), dtype=weight.dtype, device=weight.device, requires_grad=True)
            return dv.autograd.grad(conv(x, weight.detach(), None, stride, padding, dilation, groups), x, grad_output.detach())[0]

    gradient.__doc__ = "The gradient of a convolution by its input, of this size."
    return gradient


def _weight(conv: Callable[..., Any]) -> Callable[..., Any]:
    def gradient(
        input: Any, weight_size: Any, grad_output: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
    ) -> Any:
        with dv.enable_grad():
            w = dv.zeros(tuple(weight_size), dtype=input.dtype, device=input.device, requires_grad=True)
            return dv.autograd.grad(conv(input.detach(), w, None, stride, padding, dilation, groups), w, grad_output.detach())[0]

    gradient.__doc__ = "The gradient of a convolution by its weight, of this size."
    return gradient


conv1d_input, conv2d_input, conv3d_input = map(_input, (dv.conv1d, dv.conv2d, dv.conv3d))
conv1d_weight, conv2d_weight, conv3d_weight = map(_weight, (dv.conv1d, dv.conv2d, dv.conv3d))
