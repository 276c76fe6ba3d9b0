"""The names of PyTorch's compiler of Python, ``jit``: here functions and modules are what they were, since there is nothing to compile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from .absent import later
from .autograd.node import Tensor
from .errors import TypeMismatch
from .nn.module import Module

__getattr__, __dir__ = later(__name__)
__all__ = ["ScriptModule", "ignore", "script"]

if TYPE_CHECKING:
    from dovetail_torch.faces.jit import *  # noqa: F403

Unchanged = TypeVar("Unchanged")


class ScriptModule(Module):
    """A Module; no module is an instance of it but those of its subclasses."""


def script(obj: Unchanged, optimize: Any = None, _frames_up: int = 0, _rcb: Any = None, example_inputs: Any = None) -> Unchanged:
    """The function, class, module, list or dict itself. Raises a TypeError for what PyTorch could not compile: a number, a tensor.

    >>> import dovetail as dv
    >>> dv.jit.script(len) is len
    True
    """
    if not (callable(obj) or isinstance(obj, list | dict)) or isinstance(obj, Tensor):
        expected = "module, class, method, function, list or dict was expected"
        raise TypeMismatch("jit.script", f"obj is of type {type(obj).__name__}", expected, "pass a function or an nn.Module")
    return obj


def ignore(drop: Any = False, **_: Any) -> Any:
    """A decorator that leaves the function as it is; also ``@ignore(drop=True)``."""
    return drop if callable(drop) else lambda function: function
