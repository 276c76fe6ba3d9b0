"""``compile`` and its kin by PyTorch's names: until there is a compiler, functions and modules come back as they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .errors import GradError, TypeMismatch, ValueRangeError

__all__ = [
    "allow_in_graph", "assume_constant_result", "compile", "cudagraph_mark_step_begin", "disable", "is_compiling", "is_dynamo_compiling",
    "is_exporting", "list_backends", "reset",
]  # fmt: skip

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


def allow_in_graph(fn: Any) -> Any:
    """The function itself."""
    return fn


assume_constant_result = allow_in_graph


def is_compiling() -> bool:
    """False: nothing is ever compiled."""
    return False


is_dynamo_compiling = is_exporting = is_compiling


def list_backends(exclude_tags: Any = ()) -> list[str]:
    """The ways in which `compile` runs a function: as it is."""
    return ["eager"]


def reset() -> None:
    """Nothing is kept, so nothing is cleared."""


cudagraph_mark_step_begin = reset
