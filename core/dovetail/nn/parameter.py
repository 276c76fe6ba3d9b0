"""Parameter and Buffer: tensors that a module knows as its own."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Self

from .. import ops
from ..autograd.node import ASKED, CLASSES, Tensor, leaf, wrap
from ..dtypes import get_default_dtype
from ..errors import UnsupportedError, ValueRangeError
from ..ops._layout import copied

__all__ = ["Buffer", "Parameter", "UninitializedBuffer", "UninitializedParameter", "is_lazy"]


def _as(kind: type, data: Any) -> Any:
    data = ops.create.empty(0) if data is None else data
    if isinstance(data, Tensor) and data.__class__ not in CLASSES and data.__class__ not in ASKED:
        raise UnsupportedError(kind.__name__, f"the layout {data.layout} is not supported", "expected a strided tensor", "use its values()")
    out: Any = Tensor.__new__(kind)
    out._a, out._n, out._v = data._a, None, data._v
    return out


def _made(self: Tensor, *args: Any, **kwargs: Any) -> None:
    """Stands for ``__init__`` where ``__new__`` has done everything."""


class Parameter(Tensor):
    """A tensor that becomes one of a module's parameters when it is assigned to it.

    >>> import dovetail as dv
    >>> dv.nn.Parameter(dv.zeros(2)).requires_grad
    True
    """

    __slots__ = ()

    def __new__(cls, data: Tensor | None = None, requires_grad: bool = True) -> Self:
        out = _as(cls, data)
        return out.requires_grad_() if requires_grad else out

    if not TYPE_CHECKING:
        __init__ = _made

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        return "Parameter containing:\n" + Tensor.__repr__(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        if id(self) in memo:
            return memo[id(self)]
        out: Any = _as(type(self), None)
        out._a = copied(_ARRAY.__get__(self))
        if self._n is not None:
            leaf(out)
        out.__dict__.update(copy.deepcopy(self.__dict__, memo))
        memo[id(self)] = out
        return out


class Buffer(Tensor):
    """A tensor that becomes one of a module's buffers when it is assigned to it.

    >>> import dovetail as dv
    >>> dv.nn.Buffer(dv.zeros(2), persistent=False).persistent
    False
    """

    __slots__ = ()

    def __new__(cls, data: Tensor | None = None, *, persistent: bool = True) -> Self:
        out = _as(cls, data)
        out.persistent = persistent
        return out

    if not TYPE_CHECKING:
        __init__ = _made


def _placeholder(device: Any, dtype: Any) -> Tensor:
    """No elements, but the device and the type that a lazy tensor will have."""
    return ops.create.empty(0, dtype=dtype or get_default_dtype(), device=device)


class _Uninitialized:
    """A tensor of a lazy module whose shape the first input will tell."""

    __slots__ = ()

    def materialize(self, shape: Any, device: Any = None, dtype: Any = None) -> None:
        """Give it memory of this shape and make it ordinary."""
        made = ops.create.empty(shape, dtype=dtype or self.dtype, device=device or self.device)  # type: ignore[attr-defined]
        self.__class__ = self.cls_to_become
        self.data = made  # type: ignore[misc]

    @property
    def _a(self) -> Any:
        raise ValueRangeError(
            type(self).__name__,
            "Attempted to use an uninitialized parameter or buffer",
            remedy="call forward() once on each lazy layer that is not initialized, or call super().initialize_parameters() there",
        )

    @_a.setter
    def _a(self, array: Any) -> None:
        _ARRAY.__set__(self, array)

    @property
    def shape(self) -> Any:
        raise UnsupportedError(
            type(self).__name__,
            "Can't access the shape of an uninitialized parameter or buffer",
            remedy="run a dry forward first to initialize lazy modules",
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


_ARRAY: Any = Tensor.__dict__["_a"]


_NEEDS_NO_SHAPE = "dtype device type to half float double bfloat16 char short int long cuda cpu is_floating_point is_complex get_device"
for _name in _NEEDS_NO_SHAPE.split():  # those of the placeholder
    setattr(_Uninitialized, _name, property(lambda self, name=_name: getattr(wrap(_ARRAY.__get__(self)), name)))  # type: ignore[misc]


class UninitializedParameter(_Uninitialized, Parameter):  # type: ignore[misc]
    """The parameter of a lazy module before its first forward."""

    cls_to_become = Parameter

    def __new__(cls, requires_grad: bool = True, device: Any = None, dtype: Any = None) -> Any:
        out = Parameter.__new__(cls, _placeholder(device, dtype), False)
        if requires_grad:
            leaf(out)
        return out


class UninitializedBuffer(_Uninitialized, Buffer):  # type: ignore[misc]
    """The buffer of a lazy module before its first forward."""

    cls_to_become = Tensor

    def __new__(cls, device: Any = None, dtype: Any = None, persistent: bool = True) -> Any:
        return Buffer.__new__(cls, _placeholder(device, dtype), persistent=persistent)


def is_lazy(value: Any) -> bool:
    """Whether a parameter or buffer waits for its shape."""
    return isinstance(value, _Uninitialized)
