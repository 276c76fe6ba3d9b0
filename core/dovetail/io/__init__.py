"""Reading and writing: save and load, crash-safe files, and formats that plugins bring."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..absent import later
from .formats import decode
from .store import load, save

__all__ = ["decode", "load", "save"]


if not TYPE_CHECKING:
    __getattr__, __dir__ = later(__name__)  # io.checkpoint, which a plugin brings
