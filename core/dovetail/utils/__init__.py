"""The import paths that PyTorch programs use: ``utils.data``."""

from __future__ import annotations

from . import data

__all__ = ["data"]
