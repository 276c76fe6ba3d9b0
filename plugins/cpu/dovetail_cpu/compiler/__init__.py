"""compile: a run is recorded once, made into rows of kernel calls with fused chains, and replayed."""

from __future__ import annotations

from typing import Any

__all__ = ["make"]


def make(fn: Any, strict: bool = False) -> Any:
    """The callable that replays `fn`; `strict` refuses what cannot be replayed instead of running it."""
    from .compiled import Compiled

    return Compiled(fn, strict)
