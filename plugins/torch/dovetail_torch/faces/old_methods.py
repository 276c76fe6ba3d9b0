"""Methods of Tensor that only older programs call: functions for each element, and questions about memory. `dovetail.storage` has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dovetail as dv
from dovetail.errors import DtypeError, GradError, TypeMismatch

__all__ = ["METHODS"]


def _alone(name: str, *tensors: Any) -> None:
    """Refuse tensors that require a gradient, or that lie on a GPU."""
    if any(t.requires_grad for t in tensors):
        raise GradError(name, f"Can't call {name}() on Variable that requires grad", "", f"use x.detach().{name}()")
    if tensors[0].is_cuda:
        raise TypeMismatch(name, f"{name} is only implemented on CPU tensors")


def _mapped(callable: Callable[..., Any], target: Any, *others: Any) -> Any:
    """Write what a Python function gives for the elements of some tensors into the first."""
    rows = zip(*(t.expand_as(target).flatten().tolist() for t in (target, *others)), strict=True)
    return target.copy_(dv.tensor([callable(*row) for row in rows], dtype=target.dtype).view(target.shape))


def apply_(self: Any, callable: Callable[..., Any]) -> Any:
    """Replace every element by what a Python function gives for it: slow, and on the CPU only.

    >>> import dovetail as dv
    >>> dv.tensor([1., 2.]).apply_(lambda x: x + 1)
    tensor([2., 3.])
    """
    _alone("apply_", self)
    return _mapped(callable, self)


def map_(self: Any, tensor: Any, callable: Callable[..., Any]) -> Any:
    """Replace every element by ``callable(own, other)`` of the two tensors' elements: slow, and on the CPU only."""
    _alone("map_", self, tensor)
    if tensor.dtype != self.dtype:
        raise TypeMismatch("map_", f"expected argument of type {self.type()} (got {tensor.type()})")
    return _mapped(callable, self, tensor)


def map2_(self: Any, x: Any, y: Any, callable: Callable[..., Any]) -> Any:
    """Replace every element by ``callable(own, x, y)`` of the three tensors' elements: slow, and on the CPU only."""
    _alone("map2_", self, x, y)
    return _mapped(callable, self, x, y)


def is_set_to(self: Any, tensor: Any) -> bool:
    """Whether another tensor is the same view of the same memory."""
    return bool(self.data_ptr() == tensor.data_ptr() and self.shape == tensor.shape and self.stride() == tensor.stride())


def module_load(self: Any, other: Any, assign: bool = False) -> Any:
    """What ``load_state_dict`` puts in its place: the other tensor, or itself with the other's values."""
    return other.detach() if assign else self.copy_(other).detach()


def dim_order(self: Any, ambiguity_check: Any = False) -> tuple[int, ...]:
    """The dimensions from the outermost to the innermost in memory."""
    return tuple(sorted(range(self.ndim), key=lambda i: -self.stride(i)))


def set_(self: Any, source: Any, storage_offset: int = 0, size: Any = None, stride: Any = None) -> Any:
    """Look at a storage, or at a tensor's, from an element on, with a size and strides; without a size, at all of it.

    Raises a DtypeError (RuntimeError) for a storage of another type, a ShapeError (RuntimeError) for what lies outside it.

    >>> import dovetail as dv
    >>> dv.empty(0).set_(dv.arange(6.).storage(), 1, (2, 2), (2, 1))
    tensor([[1., 2.],
            [3., 4.]])
    """
    from .storage import TypedStorage, UntypedStorage

    if not isinstance(source, dv.Tensor | TypedStorage | UntypedStorage):
        raise TypeMismatch("set_()", f"argument 'source' must be Tensor or a storage, not {type(source).__name__}")
    memory = TypedStorage(source)._t if isinstance(source, dv.Tensor) else source._t
    if isinstance(source, UntypedStorage):
        memory = memory.view(self.dtype)
    if memory.dtype != self.dtype:
        raise DtypeError("set_", f"Expected a Storage of type {self.dtype}, but got type {memory.dtype} for argument 'storage'")
    size = (memory.numel(),) if size is None else tuple(size)
    stride = dv.empty(size, device="meta").stride() if stride is None else tuple(stride)
    return dv.Tensor.set_(self, memory.as_strided(size, stride, storage_offset))


def _make_subclass(cls: Any, data: Any, require_grad: bool = False) -> Any:
    """The same values as a leaf of a subclass: ``Tensor._make_subclass(cls, data, require_grad)``.

    >>> import dovetail as dv
    >>> class Named(dv.nn.Parameter): ...
    >>> type(dv.Tensor._make_subclass(Named, dv.ones(1), True)).__name__
    'Named'
    """
    return data.detach().as_subclass(cls).requires_grad_(require_grad)


_ALL = (_make_subclass, apply_, dim_order, is_set_to, map2_, map_, module_load, set_)
#: By name; `set_` is asked of the core's for all but a tensor as it is.
METHODS: dict[str, Callable[..., Any]] = {f.__name__: f for f in _ALL}
