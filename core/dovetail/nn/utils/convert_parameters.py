"""All parameters as one vector, and back."""

from __future__ import annotations

from collections.abc import Iterable

from ...autograd.node import CLASSES, Tensor
from ...errors import TypeMismatch
from .._ops import dv

__all__ = ["parameters_to_vector", "vector_to_parameters"]


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
