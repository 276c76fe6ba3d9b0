"""Functions that are composed of ops say which argument is no tensor, where they would trip over its missing array."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import FunctionType
from typing import Any, TypeVar

from ..autograd.node import ASKED, CLASSES, Tensor
from ..errors import DovetailError, NotATensor, TypeMismatch, as_tensor_remedy
from ._autocast import autocasting
from ._keywords import keyed
from ._live import exhausted
from ._override import asking, overridden
from ._plan import parameter_names

__all__ = ["guarded", "placed", "public_function"]

F = TypeVar("F", bound=Callable[..., Any])
_WORDS = ("invalid literal for int()", "could not convert string to float")  # what int('a') and float('a') say
_TENSORS = ("input", "tensors", "x1", "x2")  # parameters that are tensors without saying so


@functools.cache
def guarded(function: Callable[..., Any], first: int = 0, every: bool = False) -> Callable[..., Any]:
    """The function, telling of an argument that is no tensor; itself if (unless `every`) it takes none from argument `first` on."""
    if not isinstance(function, FunctionType) or hasattr(function, "op"):
        return function
    inner = function
    while hasattr(inner, "__wrapped__"):
        inner = inner.__wrapped__
    names, variadic = parameter_names(inner), inner.__code__.co_flags & 0x04 and not first
    notes = function.__annotations__
    if not (every or variadic or any("Tensor" in str(notes.get(n)) or n in _TENSORS for n in names[first:])):
        return function

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if ASKED and asking(args, kwargs):  # asked twice: a call less on the way of every function
            return overridden(public, TypeMismatch(f"{function.__name__}()", "no argument answers"), args, kwargs)
        try:
            return function(*args, **kwargs)
        except ValueError as error:
            if isinstance(error, DovetailError) or not str(error).startswith(_WORDS):
                raise
            raise TypeMismatch(f"{function.__name__}()", f"an argument must be a number: {error}") from None
        except MemoryError as error:
            raise exhausted(function.__name__, error, args) from None
        except TypeMismatch as error:
            return overridden(public, error, args, kwargs)
        except AttributeError as error:
            if error.obj.__class__ in CLASSES or not hasattr(Tensor, error.name or ""):
                raise
            given = next((n for n, v in [*zip(names, args, strict=False), *kwargs.items()] if v is error.obj), None)
            if given is None and error.name != "_a":
                raise
            kind, remedy = type(error.obj).__name__, as_tensor_remedy(error.obj)
        what = f"{f'argument {given!r}' if given else 'an argument'} must be Tensor, not {kind}"
        missing = NotATensor(f"{function.__name__}()", what, "", remedy)
        return overridden(public, missing, args, kwargs)

    public = autocasting(call)
    return public


def public_function(function: F, name: str = "") -> F:
    """The function as it stands in a namespace of `dovetail`: with `axis=`, `keepdims=` and `out=`, telling of what is no tensor."""
    made: Any = guarded(keyed(name or function.__name__, function), every=True)
    return made


def placed(module: str, functions: dict[str, Any]) -> dict[str, Any]:
    """The same functions, of which those that are wrapped say where they are reached, so that pickle finds them."""
    for name, function in functions.items():
        if hasattr(function, "__wrapped__") and not hasattr(function, "op"):
            function.__module__, function.__qualname__ = module, name
    return functions
