"""``torch.ops``: functions by the names of PyTorch's own operators (``aten``), and those that `library.custom_op` has made."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NoReturn

import dovetail as dv
from dovetail import Tensor
from dovetail.errors import UnsupportedError

from . import internals, library

__all__ = ["aten", "load_library"]


def load_library(path: Any) -> NoReturn:
    """Refused: an UnsupportedError."""
    what = f"{path!s} was built against PyTorch"
    raise UnsupportedError("ops.load_library", what, "", "use what the package does without it, or write the op with dovetail.extend")


def _slice(input: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> Tensor:
    return input[(slice(None),) * (dim % input.ndim) + (slice(start, end, step),)]


def _index(input: Tensor, indices: list[Tensor | None]) -> Tensor:
    return input[tuple(slice(None) if i is None else i for i in indices)]


def _to_copy(input: Tensor, *, dtype: Any = None, device: Any = None, memory_format: Any = dv.preserve_format, **_: Any) -> Tensor:
    return input.to(input.device if device is None else device, dtype or input.dtype, copy=True, memory_format=memory_format)


#: Operators that have no function of their name, or one with other arguments.
_WRITTEN: dict[str, Callable[..., Any]] = {
    "_local_scalar_dense": Tensor.item,
    "_softmax": lambda input, dim, half_to_float=False: dv.softmax(input, dim),
    "_log_softmax": lambda input, dim, half_to_float=False: dv.log_softmax(input, dim),
    "_to_copy": _to_copy,
    "_pin_memory": Tensor.pin_memory,
    "_sparse_addmm": dv.addmm,
    "alias": lambda input: input.view(input.shape),
    "index": _index,
    "slice": _slice,
    "sym_size": lambda input, dim=None: input.shape if dim is None else input.shape[dim],
    "sym_numel": Tensor.numel,
}


def _aten(name: str) -> Any:
    """The function behind an operator's name: of the table, of the top, a method, or of `nn.functional`; None where there is none."""
    homes = dv, Tensor, dv.nn.functional, internals
    found = _WRITTEN.get(name) or next((getattr(home, name) for home in homes if hasattr(home, name)), None)
    return found if callable(found) and not isinstance(found, type) else None


class _Op:
    """An operator, or one of its overloads: all of them call the same function, which looks at its arguments itself."""

    def __init__(self, namespace: str, name: str, function: Callable[..., Any], packet: _Op | None = None) -> None:
        self.namespace, self.__name__, self._function = namespace, name, function
        self.overloadpacket = packet or self

    def name(self) -> str:
        """``aten::add.Tensor``."""
        return f"{self.namespace}::{self.__name__}"

    def overloads(self) -> list[str]:
        """The one that is always there; others are answered without being listed."""
        return ["default"]

    def __str__(self) -> str:
        return f"{self.namespace}.{self.__name__}"

    def __repr__(self) -> str:
        if self.overloadpacket is self:
            return f"<OpOverloadPacket(op='{self}')>"
        return f"<OpOverload(op='{self.overloadpacket}', overload='{self.__name__.rpartition('.')[2]}')>"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._function(*args, **kwargs)

    def __getattr__(self, name: str) -> _Op:
        if name.startswith("_") or self.overloadpacket is not self:
            raise AttributeError(f"torch.ops.{self} has no overload {name!r}")
        made = self.__dict__[name] = _Op(self.namespace, f"{self.__name__}.{name}", self._function, self)
        return made


class _Namespace:
    """The operators before whose names ``NAMESPACE::`` stands."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> _Op:
        mine = self.__dict__["_name"]
        function = _aten(name) if mine == "aten" and not name.startswith("__") else library._OPS.get(f"{mine}::{name}")
        if function is None:
            raise AttributeError(f"torch.ops.{mine}.{name}: there is no such operator; library.custom_op makes one")
        if mine != "aten":
            return _Op(mine, name, function)  # a later custom_op may take its name
        made = self.__dict__[name] = _Op(mine, name, function)
        return made


aten = _Namespace("aten")


@functools.cache
def __getattr__(name: str) -> _Namespace:
    if name.startswith("__"):
        raise AttributeError(f"module 'torch.ops' has no attribute {name!r}")
    return _Namespace(name)
