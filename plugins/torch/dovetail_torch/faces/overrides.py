"""``dovetail.overrides``: functions that objects and modes take over, and questions about that."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from dovetail import Tensor
from dovetail.errors import TypeMismatch
from dovetail.graph.raw import observing

__all__ = ["TorchFunctionMode", "handle_torch_function", "has_torch_function", "is_tensor_like", "is_tensor_method_or_property"]


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
    return any(type(x) is not Tensor and not _is_parameter(x) and hasattr(type(x), "__torch_function__") for x in relevant_args)


def _is_parameter(x: Any) -> bool:
    from dovetail.nn import Parameter

    return type(x) is Parameter


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
