"""Reading and writing: save and load, crash-safe files, and formats that plugins bring."""

from __future__ import annotations

from .formats import decode
from .store import load, save

__all__ = ["decode", "load", "save"]
