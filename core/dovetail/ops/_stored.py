"""Ops that are defined by how they write into an array: their in-place form need not make the whole result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["stored", "stores"]


def stores(function: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare how an op writes its result into its first array: ``@stores(index_add)`` on ``store(array, *arguments)``."""

    def attach(store: Callable[..., Any]) -> Callable[..., Any]:
        function.op.store = store
        return store

    return attach


def stored(function: Any, input: Any, *rest: Any) -> Any:
    """The forward of such an op: do it to a copy."""
    out = input.copy()
    function.op.store(out, *rest)
    return out
