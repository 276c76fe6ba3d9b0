"""The cross-entropy of a linear layer, as one function and as one layer. Under ``dovetail.nn`` and its ``functional``, as PyTorch's."""

from __future__ import annotations

import math
from typing import Any

from dovetail import Tensor
from dovetail.errors import NotATensor, ShapeError, as_tensor_remedy
from dovetail.nn import Linear, Module
from dovetail.nn import functional as F

__all__ = ["LinearCrossEntropyLoss", "linear_cross_entropy"]


def linear_cross_entropy(
    input: Any, linear_weight: Any, target: Any, *, linear_bias: Any = None, weight: Any = None, reduction: str = "mean",
    ignore_index: int | None = None, label_smoothing: float = 0.0, options: Any = None,
) -> Any:  # fmt: skip
    """:func:`cross_entropy` of ``input @ linear_weightᵀ + linear_bias``, (N, F) and (C, *d, F) giving scores (N, C, *d).

    >>> import dovetail as dv
    >>> dv.nn.functional.linear_cross_entropy(dv.ones(1, 2), dv.zeros(3, 2), dv.tensor([1]))
    tensor(1.0986)
    """
    for name, given in (("input", input), ("linear_weight", linear_weight), ("target", target)):
        if not isinstance(given, Tensor):
            what = f"argument {name!r} must be Tensor, not {type(given).__name__}"
            raise NotATensor("linear_cross_entropy()", what, "", as_tensor_remedy(given))
    rows, size = input.shape[:-1], linear_weight.shape
    shape, bias = (*rows, *size[:-1]), linear_bias
    ok = len(size) >= 2 and (len(rows) == 1 or len(rows) + len(size) == 2) and (bias is None or bias.shape == size[:-1])
    if not ok or (target.shape == shape and ignore_index is not None):
        what = f"input is {list(input.shape)}, linear_weight {list(size)}, target {list(target.shape)}"
        raise ShapeError("linear_cross_entropy", f"{what}, ignore_index {ignore_index}", "expected (N, F), (C, F) and (N,)")
    scores = F.linear(input, linear_weight.reshape(-1, size[-1]), bias if bias is None else bias.reshape(-1)).reshape(shape)
    return F.cross_entropy(scores, target, weight, None, -100 if ignore_index is None else ignore_index, None, reduction, label_smoothing)


class LinearCrossEntropyLoss(Module):
    """CrossEntropyLoss of a linear layer, ``self.linear``, on (N, in_features) and classes (N, *out_features).

    ``options`` are PyTorch's trade-offs of memory and time, which do not change the result; they are kept and not used.

    >>> import dovetail as dv
    >>> dv.nn.LinearCrossEntropyLoss(4, 3)(dv.zeros(2, 4), dv.tensor([0, 2])).detach()
    tensor(1.0986)
    """

    def __init__(
        self, in_features: int, num_classes: int, *, out_features: tuple[int, ...] = (), bias: bool = False, device: Any = None,
        dtype: Any = None, reduction: str = "mean", weight: Tensor | None = None, ignore_index: int | None = None,
        label_smoothing: float = 0.0, options: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.num_classes, self.out_features, self.reduction = num_classes, out_features, reduction
        self.ignore_index, self.label_smoothing, self.options = ignore_index, label_smoothing, options
        self.register_buffer("weight", weight)
        self.linear = Linear(in_features, math.prod(out_features, start=num_classes), bias, device, dtype)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        shape, bias = (self.num_classes, *self.out_features), self.linear.bias
        return linear_cross_entropy(
            input, self.linear.weight.reshape(*shape, self.linear.in_features), target, weight=self.weight, reduction=self.reduction,
            linear_bias=bias if bias is None else bias.reshape(shape), ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
        )  # fmt: skip

    def extra_repr(self) -> str:
        sizes = f"in_features={self.linear.in_features}, num_classes={self.num_classes}, out_features={self.out_features}"
        how = f"reduction={self.reduction}, ignore_index={self.ignore_index}, label_smoothing={self.label_smoothing}"
        return f"{sizes}, bias={self.linear.bias is not None}, {how}, options={self.options}"
