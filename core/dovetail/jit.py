"""The names of PyTorch's compiler of Python, ``jit``: here functions and modules are what they were, since there is nothing to compile.

Saved programs of TorchScript cannot be loaded; what else compiles changes speed, not answers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

from .errors import UnsupportedError
from .nn.module import Module

__all__ = [
    "Final", "ScriptModule", "annotate", "export", "freeze", "ignore", "interface", "is_scripting", "is_tracing", "load",
    "optimize_for_inference", "save", "script", "script_if_tracing", "script_method", "trace", "trace_module", "unused",
]  # fmt: skip

T = TypeVar("T")


class ScriptModule(Module):
    """A Module; no module is an instance of it but those of its subclasses."""


def script(obj: T, *_: Any, **__: Any) -> T:
    """The function, class or module itself, unchanged: Python runs it, with the answers that the compiled one would give.

    >>> import dovetail as dv
    >>> dv.jit.script(lambda x: x + 1)(dv.ones(1))
    tensor([2.])
    """
    return obj


def trace(func: T, example_inputs: Any = None, *_: Any, **__: Any) -> T:
    """The function or module itself. PyTorch's trace freezes the branches that the example takes; here each call takes its own."""
    return func


def trace_module(mod: T, inputs: Any = None, *_: Any, **__: Any) -> T:
    """The module itself; see :func:`trace`."""
    return mod


def ignore(drop: Any = False, **_: Any) -> Any:
    """A decorator that leaves the function as it is; also ``@ignore(drop=True)``."""
    return drop if callable(drop) else lambda function: function


def unused(fn: T) -> T:
    """The function itself."""
    return fn


export = script_method = script_if_tracing = interface = unused


def freeze(mod: T, *_: Any, **__: Any) -> T:
    """The module itself, which must be in eval mode. Raises an UnsupportedError (RuntimeError) for one that trains."""
    if getattr(mod, "training", False):
        raise UnsupportedError("jit.freeze", "freezing a module in training mode is not supported", "", "call .eval() first")
    return mod


optimize_for_inference: Callable[..., Any] = freeze


def annotate(the_type: Any, the_value: T) -> T:
    """The value itself."""
    return the_value


def is_scripting() -> bool:
    """False: nothing is ever compiled."""
    return False


def is_tracing() -> bool:
    """False: nothing is ever frozen."""
    return False


def save(m: Any, f: Any, *_: Any, **__: Any) -> None:
    """Refused: there is no TorchScript to save. Raises an UnsupportedError (RuntimeError)."""
    raise UnsupportedError("jit.save", "TorchScript programs cannot be written", "", "save m.state_dict() with dovetail.save")


def load(f: Any, *_: Any, **__: Any) -> Any:
    """Refused: TorchScript is not Python. Raises an UnsupportedError (RuntimeError)."""
    raise UnsupportedError("jit.load", "TorchScript programs cannot be read", "", "build the module and load its state dict")
