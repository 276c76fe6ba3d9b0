"""``compile`` and its kin by PyTorch's names: until there is a compiler, functions and modules come back as they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .absent import answers
from .errors import GradError, TypeMismatch, ValueRangeError

_NAMES, __getattr__, __dir__ = answers(__name__)
__all__ = ["compile", "disable", "substitute_in_graph", *_NAMES]  # noqa: PLE0604

_MODES = (None, "default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs")


def compile(
    model: Callable[..., Any] | None = None, *, fullgraph: bool = False, dynamic: bool | None = None, backend: Any = "inductor",
    mode: str | None = None, options: dict[str, Any] | None = None, disable: bool = False, **_: Any,
) -> Any:  # fmt: skip
    """The function or module itself, which runs as Python does; also a decorator, with or without arguments.

    A module keeps the names of its state dict: there is no ``_orig_mod.`` before them. Raises a RuntimeError when `mode` and `options`
    are both given, as PyTorch does.

    >>> import dovetail as dv
    >>> @dv.compile(mode="reduce-overhead")
    ... def double(x):
    ...     return x * 2
    >>> double(dv.ones(1))
    tensor([2.])
    """
    if mode is not None and options is not None:
        raise GradError("compile", "Either mode or options can be specified, but both can't be specified at the same time.")
    if mode not in _MODES:
        raise ValueRangeError("compile", f"mode is {mode!r}", f"expected one of {', '.join(map(repr, _MODES))}")
    if model is None:
        return lambda function: compile(function, mode=mode, options=options)
    if not callable(model):
        raise TypeMismatch("compile", f"model is {type(model).__name__}", "expected a function or a module")
    return model


def disable(fn: Any = None, recursive: bool = True, *, reason: str | None = None) -> Any:
    """The function itself; also a decorator with arguments."""
    return fn if fn is not None else lambda function: function


def substitute_in_graph(original_fn: Any, **_: Any) -> Any:
    """A decorator that leaves the function as it is."""
    return disable()
