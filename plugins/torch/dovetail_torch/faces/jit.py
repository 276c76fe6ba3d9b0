"""What programs seldom take from ``jit``, whose home is the core.

Saved programs of TorchScript cannot be loaded; what else compiles changes speed, not answers.
"""

from __future__ import annotations

import builtins
import types
import typing
from collections import namedtuple
from collections.abc import Callable
from typing import Any, Final, TypeVar

from dovetail.errors import UnsupportedError

__all__ = [
    "Attribute", "CompilationUnit", "Error", "Final", "ScriptFunction", "TracerWarning", "annotate", "freeze", "isinstance", "load",
    "optimize_for_inference", "save",
]  # fmt: skip

Unchanged = TypeVar("Unchanged")
Attribute = namedtuple("Attribute", ["value", "type"])


class Error(Exception):
    """What a compiled program raises: none does here."""


class TracerWarning(Warning):
    """What a tracer says of a branch that it cannot see: it is there to be filtered, and none is given."""


class ScriptFunction:
    """A compiled function: no function is one."""


class CompilationUnit:
    """Programs as text. Always an UnsupportedError (RuntimeError)."""

    def __init__(self, lang: Any = None, *_: Any, **__: Any) -> None:
        raise UnsupportedError("jit.CompilationUnit", "TorchScript is not compiled from text", "", "write it as a Python function")


def freeze(mod: Unchanged, *_: Any, **__: Any) -> Unchanged:
    """The module itself, which must be in eval mode. Raises an UnsupportedError (RuntimeError) for one that trains."""
    if getattr(mod, "training", False):
        raise UnsupportedError("jit.freeze", "freezing a module in training mode is not supported", "", "call .eval() first")
    return mod


optimize_for_inference: Callable[..., Any] = freeze


def annotate(the_type: Any, the_value: Unchanged) -> Unchanged:
    """The value itself."""
    return the_value


def isinstance(obj: Any, target_type: Any) -> bool:
    """Python's isinstance that looks into containers as well: ``isinstance([1], list[int])``.

    >>> import dovetail as dv
    >>> dv.jit.isinstance([1], list[int]), dv.jit.isinstance((1, "a"), tuple[int, int])
    (True, False)
    """
    kind, inside = typing.get_origin(target_type), typing.get_args(target_type)
    if kind in (typing.Union, types.UnionType):
        return any(isinstance(obj, one) for one in inside)
    if kind is None or not builtins.isinstance(obj, kind):
        return kind is None and builtins.isinstance(obj, target_type or type(None))
    if kind is tuple:
        return len(obj) == len(inside) and all(map(isinstance, obj, inside))
    return all(map(isinstance, obj, inside * len(obj))) and all(isinstance(obj[key], inside[-1]) for key in obj if kind is dict)


def save(m: Any, f: Any, *_: Any, **__: Any) -> None:
    """Refused: there is no TorchScript to save. Raises an UnsupportedError (RuntimeError)."""
    raise UnsupportedError("jit.save", "TorchScript programs cannot be written", "", "save m.state_dict() with dovetail.save")


def load(f: Any, *_: Any, **__: Any) -> Any:
    """Refused: TorchScript is not Python. Raises an UnsupportedError (RuntimeError)."""
    raise UnsupportedError("jit.load", "TorchScript programs cannot be read", "", "build the module and load its state dict")
