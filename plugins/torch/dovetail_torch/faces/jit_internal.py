"""Decorators of ``torch._jit_internal`` for a compiler of modules, which change nothing."""

from __future__ import annotations

from typing import TypeVar

__all__: list[str] = []

Unchanged = TypeVar("Unchanged")


def _copy_to_script_wrapper(fn: Unchanged) -> Unchanged:
    """The method, as it is."""
    return fn


_overload = _overload_method = _copy_to_script_wrapper
