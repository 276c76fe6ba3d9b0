"""The names of ``torch._C``, internal to PyTorch, that programs with tensors of their own classes use: all else there is refused."""

from __future__ import annotations

from typing import Any

from dovetail.linalg import LinAlgError as _LinAlgError  # noqa: F401 - what programs catch

from .overrides import DisableTorchFunctionSubclass

__all__ = ["DisableTorchFunction", "DisableTorchFunctionSubclass"]

DisableTorchFunction = DisableTorchFunctionSubclass


def _disabled_torch_function_impl(func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
    """What a class writes as its ``__torch_function__`` so that nobody asks it: its tensors are plain ones to every function."""
    return func(*args, **(kwargs or {}))


def __getattr__(name: str) -> Any:
    raise AttributeError(f"torch._C.{name}: this is internal to PyTorch; use a public name")
