"""What distributions share: parameters that broadcast, probabilities from logits and back, lazy attributes, triangles as vectors."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from numbers import Number
from typing import Any

import dovetail as dv
import dovetail.nn.functional as F
from dovetail import Tensor
from dovetail.errors import ValueRangeError

__all__ = [
    "broadcast_all",
    "clamp_probs",
    "lazy_property",
    "logits_to_probs",
    "probs_to_logits",
    "tril_matrix_to_vec",
    "vec_to_tril_matrix",
]

euler_constant = 0.57721566490153286060


def broadcast_all(*values: Any) -> tuple[Tensor, ...]:
    """Give tensors of one shape: numbers take the type and device of the tensors among the values, or the default type.

    Raises a ValueError for what is neither a number nor a tensor.

    >>> [t.shape for t in broadcast_all(dv.zeros(3), 1.0)]
    [dovetail.Size([3]), dovetail.Size([3])]
    """
    if not all(isinstance(v, Tensor | Number) for v in values):
        kinds = ", ".join(type(v).__name__ for v in values)
        raise ValueRangeError("broadcast_all", f"Input arguments must all be instances of Number or Tensor (got {kinds})")
    model = next((v for v in values if isinstance(v, Tensor)), None)
    options = {"dtype": dv.get_default_dtype()} if model is None else {"dtype": model.dtype, "device": model.device}
    return tuple(dv.broadcast_tensors(*(v if isinstance(v, Tensor) else dv.tensor(v, **options) for v in values)))


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


def _sum_rightmost(value: Tensor, dim: int) -> Tensor:
    """Sum over the last ``dim`` dimensions."""
    return value if dim == 0 else value.reshape(value.shape[:-dim] + (-1,)).sum(-1)


def _standard_normal(shape: Any, dtype: Any, device: Any) -> Tensor:
    return dv.randn(shape, dtype=dtype, device=device)


class lazy_property:
    """An attribute that is computed when it is first read, with gradients recorded; on the class it is a property."""

    def __init__(self, wrapped: Callable[[Any], Any]) -> None:
        self.wrapped = wrapped
        update_wrapper(self, wrapped)  # type: ignore[arg-type]

    def __get__(self, instance: Any, obj_type: Any = None) -> Any:
        if instance is None:
            return _lazy_property_and_property(self.wrapped)
        with dv.enable_grad():
            value = self.wrapped(instance)
        setattr(instance, self.wrapped.__name__, value)
        return value


class _lazy_property_and_property(lazy_property, property):
    """What a class shows of a lazy property, to documentation tools and `isinstance`."""

    def __init__(self, wrapped: Callable[[Any], Any]) -> None:
        property.__init__(self, wrapped)


def _triangle(n: int, diag: int, device: Any) -> Tensor:
    arange = dv.arange(n, device=device)
    return arange < arange.view(-1, 1) + (diag + 1)


def tril_matrix_to_vec(mat: Tensor, diag: int = 0) -> Tensor:
    """The entries of square matrices ``(..., D, D)`` on and below a diagonal, row by row, as vectors.

    >>> tril_matrix_to_vec(dv.tensor([[1.0, 9.0], [2.0, 3.0]]))
    tensor([1., 2., 3.])
    """
    n = mat.shape[-1]
    if not -n <= diag < n:
        raise ValueRangeError("tril_matrix_to_vec", f"diag ({diag}) provided is outside [{-n}, {n - 1}].")
    return mat[..., _triangle(n, diag, mat.device)]


def vec_to_tril_matrix(vec: Tensor, diag: int = 0) -> Tensor:
    """Square matrices ``(..., D, D)`` with the entries of vectors on and below a diagonal, row by row.

    >>> vec_to_tril_matrix(dv.tensor([1.0, 2.0, 3.0]))
    tensor([[1., 0.],
            [2., 3.]])
    """
    skew = 1 + 2 * diag  # D solves D² + D·skew = 2·len + |diag|(diag + 1)
    n = (-skew + (skew**2 + 8 * vec.shape[-1] + 4 * abs(diag) * (diag + 1)) ** 0.5) / 2
    if round(n) - n > dv.finfo(vec.dtype).eps:
        what = f"The size of last dimension is {vec.shape[-1]} which cannot be expressed"
        raise ValueRangeError("vec_to_tril_matrix", f"{what} as the lower triangular part of a square D x D matrix.")
    mat = vec.new_zeros(vec.shape[:-1] + (round(n), round(n)))
    mat[..., _triangle(round(n), diag, vec.device)] = vec
    return mat
