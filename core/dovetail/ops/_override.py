"""Arguments that say themselves what a function makes of them: PyTorch's ``__torch_function__``, asked where no array was found."""

from __future__ import annotations

import inspect
import sys
from typing import Any

from ..autograd.node import ASKED, CLASSES, Tensor
from ..errors import TypeMismatch
from ._plan import parameter_names

__all__ = ["OtherTensor", "asking", "of_plugin", "overridden"]


class OtherTensor(Tensor):
    """A Tensor whose elements are not one array, as a sparse one's.

    A subclass says in ``__torch_function__(function, types, args, kwargs)`` what the functions of `dovetail` make of it, and has
    attributes and methods of its own. What stands for the array has its `shape` and NumPy `dtype`, so that the tensor can be a
    gradient, and raises a NotATensor for all else that is looked for in it.

    >>> import dovetail as dv
    >>> class Row(OtherTensor):
    ...     @classmethod
    ...     def __torch_function__(cls, function, types, args=(), kwargs=None):
    ...         return f"{function.__name__} of a row"
    >>> dv.exp(Row(None))
    'exp of a row'
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Unlike other subclasses of Tensor, these are none of the classes whose array an op may take."""

    __torch_function__: Any = None  # that of a subclass

    def __init__(self, array: Any) -> None:
        self._a, self._n, self._v = array, None, [0, 0, None, None]


CLASSES.discard(OtherTensor)


def of_plugin(name: str, namespace: str = "sparse") -> Any:
    """A function of a namespace that a plugin brings; an AttributeError that says which where it is missing."""
    from ..plugins.namespaces import resolve

    return getattr(resolve(namespace), name)


def _kinds(args: Any, kwargs: Any) -> list[type]:
    return [type(y) for x in (*args, *kwargs.values()) for y in (x if isinstance(x, tuple | list) else (x,))]


def _public(function: Any, count: int, home: Any) -> Any:
    """The function that programs know by an op's name, where it takes the op's first arguments by position."""
    found: Any = getattr(home, function.op.name.lstrip("_"), function)
    return found if parameter_names(inspect.unwrap(found))[:count] == function.op.params[:count] else function


def asking(args: Any, kwargs: Any) -> bool:
    """Whether an argument is a tensor of a subclass that has a ``__torch_function__`` of its own."""
    return bool(ASKED) and any(kind in ASKED and kind not in CLASSES for kind in _kinds(args, kwargs))  # most programs have none


def overridden(function: Any, error: Exception, args: Any, kwargs: Any) -> Any:
    """What the first argument that has ``__torch_function__`` makes of the call, subclasses before their bases; `error` where none has.

    Raises a TypeMismatch (TypeError) where every answer is NotImplemented.
    """
    able = tuple(dict.fromkeys(kind for kind in _kinds(args, kwargs) if kind not in CLASSES and getattr(kind, "__torch_function__", None)))
    if hasattr(function, "op") and not any(issubclass(kind, OtherTensor) for kind in able):  # others compare it with what the program calls
        function = _public(function, len(args), sys.modules["dovetail"] if ASKED.isdisjoint(able) else Tensor)
    for kind in sorted(able, key=lambda kind: -len(kind.__mro__)):
        found = kind.__torch_function__(function, able, tuple(args), dict(kwargs))
        if found is not NotImplemented:
            return found
        names = ", ".join(kind.__name__ for kind in able)
        error = TypeMismatch(f"{function.__name__}()", f"no implementation found on types that implement __torch_function__: {names}")
    raise error
