"""Reading and writing: save and load, crash-safe files."""

from __future__ import annotations

from .store import load, save

__all__ = ["load", "save"]
