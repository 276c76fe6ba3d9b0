"""Linear maps, and layers that only change the shape."""

from __future__ import annotations

import math
from typing import Any

from ..autograd.node import Tensor
from ..errors import TypeMismatch
from . import functional as F
from . import init
from ._make import Layer, need, parameters
from ._ops import dv
from .module import Module
from .parameter import Parameter

__all__ = ["Bilinear", "Flatten", "Identity", "Linear", "Unflatten"]


class Identity(Module):
    """Return the input; any arguments are ignored.

    >>> import dovetail as dv
    >>> dv.nn.Identity(54, unused=True)(dv.tensor([1.]))
    tensor([1.])
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Tensor) -> Tensor:
        return input


class Linear(Layer, shows="in_features out_features ?bias"):
    """y = x Aᵀ + b for x (*, in_features), y (*, out_features), A (out_features, in_features).

    Weights and bias start from U(-k, k), k = 1 / √in_features.

    >>> import dovetail as dv
    >>> dv.nn.Linear(3, 2)(dv.ones(5, 3)).shape
    dovetail.Size([5, 2])
    """

    weight: Parameter
    bias: Parameter | None

    def __init__(self, in_features: int, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None) -> None:
        self._keep(in_features=in_features, out_features=out_features)
        parameters(self, device, dtype, weight=(out_features, in_features), bias=(out_features,) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial weights."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in, _ = init._calculate_fan_in_and_fan_out(self.weight)
            bound = 1 / math.sqrt(fan_in) if fan_in > 0 else 0
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(input, self.weight, self.bias)


class NonDynamicallyQuantizableLinear(Linear):
    """A Linear under the name that PyTorch gives the output projection of attention."""


class Bilinear(Layer, shows="in1_features in2_features out_features ?bias"):
    """y = x₁ᵀ A x₂ + b for x₁ (*, in1), x₂ (*, in2), A (out, in1, in2).

    >>> import dovetail as dv
    >>> dv.nn.Bilinear(3, 4, 2)(dv.ones(5, 3), dv.ones(5, 4)).shape
    dovetail.Size([5, 2])
    """

    def __init__(
        self, in1_features: int, in2_features: int, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        need(in1_features > 0, "Bilinear", f"in1_features must be > 0, but got {in1_features}")
        self._keep(in1_features=in1_features, in2_features=in2_features, out_features=out_features)
        parameters(self, device, dtype, weight=(out_features, in1_features, in2_features), bias=(out_features,) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial weights from U(-k, k), k = 1 / √in1_features."""
        bound = 1 / math.sqrt(self.weight.shape[1])
        for p in self.parameters():
            init.uniform_(p, -bound, bound)

    def forward(self, input1: Tensor, input2: Tensor) -> Tensor:
        return F.bilinear(input1, input2, self.weight, self.bias)


class Flatten(Layer, calls=dv.flatten):
    """Join the dimensions from ``start_dim`` to ``end_dim`` into one: (N, C, H, W) → (N, C·H·W).

    >>> import dovetail as dv
    >>> dv.nn.Flatten()(dv.ones(2, 3, 4)).shape
    dovetail.Size([2, 12])
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self._keep(start_dim=start_dim, end_dim=end_dim)


class Unflatten(Layer, calls=dv.unflatten):
    """Split one dimension into several.

    Raises a TypeError where the sizes are not whole numbers.

    >>> import dovetail as dv
    >>> dv.nn.Unflatten(1, (3, 4))(dv.ones(2, 12)).shape
    dovetail.Size([2, 3, 4])
    """

    def __init__(self, dim: int, unflattened_size: Any) -> None:
        what = "unflattened_size must be tuple of ints, but found"
        sized = not isinstance(dim, str) and isinstance(unflattened_size, tuple | list)
        need(sized, "Unflatten", f"{what} type {type(unflattened_size).__name__}", kind=TypeMismatch)
        for at, n in enumerate(unflattened_size):
            need(isinstance(n, int), "Unflatten", f"{what} element of type {type(n).__name__} at pos {at}", kind=TypeMismatch)
        self._keep(dim=dim, unflattened_size=unflattened_size)
