"""Recording operations and walking back through them."""

from __future__ import annotations

from .check import gradcheck, gradgradcheck
from .function import Function, once_differentiable
from .functional import backward, grad
from .modes import enable_grad, inference_mode, is_grad_enabled, no_grad, set_grad_enabled
from .node import Tensor

__all__ = [
    "Function", "Variable", "backward", "enable_grad", "grad", "gradcheck", "gradgradcheck", "inference_mode", "is_grad_enabled",
    "no_grad", "once_differentiable", "set_grad_enabled",
]  # fmt: skip


def Variable(data: Tensor, requires_grad: bool = False, volatile: bool = False) -> Tensor:
    """The tensor itself: PyTorch's old wrapper, still found in live programs."""
    return data.detach().requires_grad_(requires_grad) if requires_grad and data._n is None else data
