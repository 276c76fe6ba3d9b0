"""Reading and writing: save and load, crash-safe files, and formats that plugins bring."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .formats import decode
from .store import load, save

__all__ = ["decode", "load", "save"]


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """`io.checkpoint`, which a plugin brings."""
        from ..absent import answers

        return answers(__name__)[1](name)
