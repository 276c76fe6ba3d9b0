"""``dovetail.overrides``: functions that objects and modes take over, and questions about that."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from dovetail import Tensor
from dovetail.autograd.node import ASKED, CLASSES
from dovetail.errors import TypeMismatch
from dovetail.graph.raw import observing

__all__ = [
    "DisableTorchFunctionSubclass", "TorchFunctionMode", "handle_torch_function", "has_torch_function", "is_tensor_like",
    "is_tensor_method_or_property", "of_plain",
]  # fmt: skip


class DisableTorchFunctionSubclass:
    """A block in which tensors of subclasses are plain tensors to every function: no ``__torch_function__`` is asked, results are plain.

    It holds for all threads, PyTorch's for the one that enters it.

    >>> import dovetail as dv
    >>> class Loud(dv.Tensor):
    ...     @classmethod
    ...     def __torch_function__(cls, func, types, args=(), kwargs=None):
    ...         print(func.__name__)
    ...         with DisableTorchFunctionSubclass():
    ...             return func(*args, **(kwargs or {}))
    >>> type(dv.ones(2).as_subclass(Loud) + 1).__name__
    add
    'Tensor'
    """

    def __enter__(self) -> None:
        self._plain = ASKED - CLASSES
        CLASSES.update(self._plain)

    def __exit__(self, *error: Any) -> None:
        CLASSES.difference_update(self._plain)


def of_plain(cls: type, func: Callable[..., Any], types: Iterable[type], args: Any = (), kwargs: Any = None) -> Any:
    """What ``Tensor.__torch_function__`` is: `func` as of plain tensors, with the tensors of its result made ones of ``cls``.

    NotImplemented where one of the types is no base of ``cls``.
    """
    if not all(issubclass(cls, kind) for kind in types):
        return NotImplemented
    with DisableTorchFunctionSubclass():
        return _made(func(*args, **(kwargs or {})), cls)


def _made(out: Any, cls: type) -> Any:
    if isinstance(out, Tensor):
        return out if isinstance(out, cls) else out.as_subclass(cls)
    if isinstance(out, tuple | list):
        parts = [_made(part, cls) for part in out]
        return type(out)(*parts) if hasattr(out, "_fields") else type(out)(parts)
    return out


class TorchFunctionMode:
    """A block in which every operation is asked of ``__torch_function__(func, types, args, kwargs)`` of a subclass.

    `func` is called with ``func(*args, **kwargs)``, and runs outside this mode. What is written in Python of other operations is seen as
    those, with all arguments by position; PyTorch shows the functions that the program calls.

    >>> import dovetail as dv
    >>> class Names(dv.overrides.TorchFunctionMode):
    ...     def __torch_function__(self, func, types, args=(), kwargs=None):
    ...         print(func.__name__)
    ...         return func(*args, **(kwargs or {}))
    >>> with Names():
    ...     _ = dv.ones(2).sin() * 2
    sin
    mul
    """

    def __torch_function__(self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise NotImplementedError

    def __enter__(self) -> Any:
        self._block = observing(self._asked)
        self._block.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._block.__exit__(*error)

    def _asked(self, op: Any, args: Any, run: Callable[[], Any]) -> Any:
        return self.__torch_function__(op.call, (), tuple(args), {})


def has_torch_function(relevant_args: Iterable[Any]) -> bool:
    """Whether one of these, which is no plain Tensor, has ``__torch_function__``."""
    return any(type(x) not in CLASSES and hasattr(type(x), "__torch_function__") for x in relevant_args)


def handle_torch_function(public_api: Callable[..., Any], relevant_args: Iterable[Any], *args: Any, **kwargs: Any) -> Any:
    """What the first of these arguments that has ``__torch_function__`` makes of a call. Raises a TypeError where none answers."""
    able = tuple(dict.fromkeys(type(x) for x in relevant_args if has_torch_function([x])))
    for kind in able:
        found = kind.__torch_function__(public_api, able, args, kwargs)  # type: ignore[attr-defined]
        if found is not NotImplemented:
            return found
    names = ", ".join(kind.__name__ for kind in able)
    raise TypeMismatch(public_api.__name__, f"no implementation found on types that implement __torch_function__: [{names}]")


def is_tensor_like(inp: Any) -> bool:
    """Whether it is a Tensor, or has ``__torch_function__``.

    >>> import dovetail as dv
    >>> dv.overrides.is_tensor_like(dv.ones(1)), dv.overrides.is_tensor_like(1)
    (True, False)
    """
    return isinstance(inp, Tensor) or hasattr(inp, "__torch_function__")


def is_tensor_method_or_property(func: Callable[..., Any]) -> bool:
    """Whether a function is a method or attribute of Tensor."""
    return any(func is value or func is getattr(value, "fget", None) for value in vars(Tensor).values()) or func.__name__ == "__get__"
