"""What distributions share: parameters that broadcast, probabilities from logits and back, lazy attributes."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Number
from typing import Any

import dovetail as dv
import dovetail.nn.functional as F
from dovetail import Tensor
from dovetail.errors import ValueRangeError

__all__ = ["broadcast_all", "clamp_probs", "lazy_property", "logits_to_probs", "probs_to_logits", "sum_rightmost"]


def broadcast_all(*values: Any) -> tuple[Tensor, ...]:
    """Give tensors of one shape: numbers take the type and device of the tensors among the values, or the default type.

    Raises a ValueError for what is neither a number nor a tensor.

    >>> [t.shape for t in broadcast_all(dv.zeros(3), 1.0)]
    [dovetail.Size([3]), dovetail.Size([3])]
    """
    if not all(isinstance(v, Tensor | Number) for v in values):
        kinds = ", ".join(type(v).__name__ for v in values)
        raise ValueRangeError("broadcast_all", f"got {kinds}", "expected numbers and tensors")
    model = next((v for v in values if isinstance(v, Tensor)), None)
    options = {"dtype": dv.get_default_dtype()} if model is None else {"dtype": model.dtype, "device": model.device}
    return dv.broadcast_tensors(*(v if isinstance(v, Tensor) else dv.tensor(v, **options) for v in values))


def clamp_probs(probs: Tensor) -> Tensor:
    """Keep probabilities a rounding step away from 0 and 1, so that their logarithms are finite."""
    eps = dv.finfo(probs.dtype).eps
    return probs.clamp(min=eps, max=1 - eps)


def logits_to_probs(logits: Tensor, is_binary: bool = False) -> Tensor:
    """Probabilities of logits: their sigmoid, or their softmax over the last dimension."""
    return dv.sigmoid(logits) if is_binary else F.softmax(logits, dim=-1)


def probs_to_logits(probs: Tensor, is_binary: bool = False) -> Tensor:
    """Logits of probabilities: ``log(p / (1 - p))``, or ``log p``."""
    p = clamp_probs(probs)
    return dv.log(p) - dv.log1p(-p) if is_binary else dv.log(p)


def sum_rightmost(value: Tensor, dims: int) -> Tensor:
    """Sum over the last ``dims`` dimensions."""
    return value if dims == 0 else value.reshape(value.shape[: value.dim() - dims] + (-1,)).sum(-1)


class lazy_property:
    """An attribute that is computed when it is first read, with gradients recorded."""

    def __init__(self, wrapped: Callable[[Any], Any]) -> None:
        self.wrapped = wrapped
        self.__doc__ = wrapped.__doc__

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        with dv.enable_grad():
            value = self.wrapped(instance)
        setattr(instance, self.wrapped.__name__, value)
        return value
