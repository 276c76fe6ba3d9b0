"""The gradients of convolutions as functions: by the input, of which only the size is needed, or by the weight."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..autograd.functional import grad
from ..autograd.modes import enable_grad
from ..ops.conv import conv1d, conv2d, conv3d
from ..ops.create import zeros

__all__ = ["conv1d_input", "conv1d_weight", "conv2d_input", "conv2d_weight", "conv3d_input", "conv3d_weight"]


def _input(conv: Callable[..., Any]) -> Callable[..., Any]:
    def gradient(
        input_size: Any, weight: Any, grad_output: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
    ) -> Any:
        with enable_grad():
            x = zeros(tuple(input_size), dtype=weight.dtype, device=weight.device, requires_grad=True)
            return grad(conv(x, weight.detach(), None, stride, padding, dilation, groups), x, grad_output.detach())[0]

    gradient.__doc__ = "The gradient of a convolution by its input, of this size."
    return gradient


def _weight(conv: Callable[..., Any]) -> Callable[..., Any]:
    def gradient(
        input: Any, weight_size: Any, grad_output: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
    ) -> Any:
        with enable_grad():
            w = zeros(tuple(weight_size), dtype=input.dtype, device=input.device, requires_grad=True)
            return grad(conv(input.detach(), w, None, stride, padding, dilation, groups), w, grad_output.detach())[0]

    gradient.__doc__ = "The gradient of a convolution by its weight, of this size."
    return gradient


conv1d_input, conv2d_input, conv3d_input = map(_input, (conv1d, conv2d, conv3d))
conv1d_weight, conv2d_weight, conv3d_weight = map(_weight, (conv1d, conv2d, conv3d))
