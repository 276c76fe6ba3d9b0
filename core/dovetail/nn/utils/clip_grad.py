"""Bounding the gradients of all parameters together."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

from ...autograd.modes import no_grad
from ...autograd.node import CLASSES, Tensor
from ...errors import NonFiniteError
from ...ops.norms import vector_norm
from .._ops import dv

__all__ = ["clip_grad_norm", "clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_", "get_total_norm"]

Tensors = Tensor | Iterable[Tensor]


def _list(tensors: Tensors) -> list[Any]:
    return [tensors] if tensors.__class__ in CLASSES else list(tensors)


def _gradients(parameters: Tensors) -> list[Any]:
    return [p.grad for p in _list(parameters) if p.grad is not None]


@no_grad()
def get_total_norm(tensors: Tensors, norm_type: float = 2.0, error_if_nonfinite: bool = False, foreach: bool | None = None) -> Tensor:
    """The norm of all elements of all tensors. Raises a RuntimeError if asked to and it is not finite.

    >>> import dovetail as dv
    >>> get_total_norm([dv.tensor([3.]), dv.tensor([4.])])
    tensor(5.)
    """
    tensors = _list(tensors)
    if not tensors:
        return dv.tensor(0.0)
    kind, device = float(norm_type), tensors[0].device
    total = vector_norm(dv.stack([vector_norm(t, kind).to(device) for t in tensors]), kind)
    if error_if_nonfinite and not bool(dv.isfinite(total)):
        what = f"The total norm of order {kind} for gradients from `parameters` is non-finite, so it cannot be clipped ({total.item()})"
        raise NonFiniteError("clip_grad_norm_", what, "", "set error_if_nonfinite=False to scale by it anyway")
    return total


@no_grad()
def clip_grads_with_norm_(parameters: Tensors, max_norm: float, total_norm: Tensor, foreach: bool | None = None) -> None:
    """Scale the gradients by max_norm / total_norm, if that is less than one."""
    factor = (float(max_norm) / (total_norm + 1e-6)).clamp(max=1.0)
    for grad in _gradients(parameters):
        grad.mul_(factor.to(grad.device))


def clip_grad_norm_(
    parameters: Tensors, max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False, foreach: bool | None = None
) -> Tensor:
    """Scale the gradients in place so that their total norm is at most ``max_norm``; return what it was.

    >>> import dovetail as dv
    >>> w = dv.zeros(2, requires_grad=True)
    >>> w.grad = dv.tensor([3., 4.])
    >>> clip_grad_norm_([w], 1.0), w.grad
    (tensor(5.), tensor([0.6000, 0.8000]))
    """
    parameters = _list(parameters)
    total = get_total_norm(_gradients(parameters), norm_type, error_if_nonfinite)
    clip_grads_with_norm_(parameters, max_norm, total)
    return total


def clip_grad_norm(
    parameters: Tensors, max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False, foreach: bool | None = None
) -> Tensor:
    """The old name of clip_grad_norm_."""
    warnings.warn("`nn.utils.clip_grad_norm` is now deprecated in favor of `nn.utils.clip_grad_norm_`.", FutureWarning, stacklevel=2)
    return clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite)


@no_grad()
def clip_grad_value_(parameters: Tensors, clip_value: float, foreach: bool | None = None) -> None:
    """Hold every element of the gradients between -clip_value and clip_value, in place.

    >>> import dovetail as dv
    >>> w = dv.zeros(2, requires_grad=True)
    >>> w.grad = dv.tensor([3., -0.5])
    >>> clip_grad_value_([w], 1.0)
    >>> w.grad
    tensor([ 1.0000, -0.5000])
    """
    bound = float(clip_value)
    for grad in _gradients(parameters):
        grad.clamp_(min=-bound, max=bound)
