"""What the losses share: reductions, their older arguments, and shape checks."""

from __future__ import annotations

import warnings
from typing import Any

from ..errors import GradError, ValueRangeError
from ._windows import listing

__all__ = ["reduced", "reduction_of", "refuse_gradient", "warn_sizes"]


def reduction_of(where: str, size_average: bool | None, reduce: bool | None, reduction: str) -> str:
    """The reduction that is meant; `size_average` and `reduce` are its older spelling. A ValueError for an unknown one."""
    if size_average is not None or reduce is not None:
        total = size_average is None or size_average
        reduction = "none" if reduce is False else "mean" if total else "sum"
        text = f"size_average and reduce args will be deprecated, please use reduction='{reduction}' instead."
        warnings.warn(text, stacklevel=3)
    if reduction not in ("none", "mean", "sum"):
        raise ValueRangeError(where, f"{reduction} is not a valid value for reduction", "expected none, mean or sum")
    return reduction


def reduced(loss: Any, reduction: str) -> Any:
    """The loss of a batch: each element's, their mean or their sum; for tensors and bare arrays."""
    if reduction == "none":
        return loss
    return loss.mean() if reduction == "mean" else loss.sum()


def warn_sizes(where: str, input: Any, target: Any) -> None:
    """Warn where input and target broadcast, which is rarely meant."""
    a, b = input._a.shape, target._a.shape
    if a != b:
        warnings.warn(
            f"{where}: Using a target size ({listing(b)}) that is different to the input size ({listing(a)}). "
            "This will likely lead to incorrect results due to broadcasting. Please ensure they have the same size.",
            stacklevel=3,
        )


def refuse_gradient(where: str, **tensors: Any) -> None:
    """Refuse arguments that PyTorch does not differentiate but that require a gradient."""
    for name, t in tensors.items():
        if t is not None and t._n is not None:
            text = f"The function '{where}' is not differentiable with respect to argument '{name}'"
            raise GradError(where, text, "This input cannot have requires_grad True.", "detach() it")
