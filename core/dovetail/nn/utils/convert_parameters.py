"""All parameters as one vector, and back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...autograd.node import CLASSES, Tensor
from ...errors import TypeMismatch
from .. import conv
from .._ops import dv

__all__ = ["convert_conv2d_weight_memory_format", "convert_conv3d_weight_memory_format", "parameters_to_vector", "vector_to_parameters"]


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """Join all elements into one vector.

    >>> import dovetail as dv
    >>> parameters_to_vector([dv.ones(2, 1), dv.zeros(1)])
    tensor([1., 1., 0.])
    """
    return dv.cat([p.reshape(-1) for p in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Make the data of the parameters slices of a vector. Raises a TypeError if it is not a tensor.

    >>> import dovetail as dv
    >>> w = dv.zeros(2)
    >>> vector_to_parameters(dv.tensor([1., 2.]), [w])
    >>> w
    tensor([1., 2.])
    """
    if vec.__class__ not in CLASSES:
        raise TypeMismatch("vector_to_parameters", f"expected a Tensor, but got: {type(vec)}")
    at = 0
    for p in parameters:
        n = p.numel()
        p.data = vec[at : at + n].view(p.shape).data
        at += n


def _convert(module: Any, kinds: tuple[type, ...], memory_format: Any) -> Any:
    for m in module.modules():
        if isinstance(m, kinds):
            m.weight.data = m.weight.data.contiguous(memory_format=memory_format)
    return module


def convert_conv2d_weight_memory_format(module: Any, memory_format: Any) -> Any:
    """Lay the weights of all 2-d convolutions of a module out in a memory format."""
    return _convert(module, (conv.Conv2d, conv.ConvTranspose2d), memory_format)


def convert_conv3d_weight_memory_format(module: Any, memory_format: Any) -> Any:
    """Lay the weights of all 3-d convolutions of a module out in a memory format."""
    return _convert(module, (conv.Conv3d, conv.ConvTranspose3d), memory_format)
