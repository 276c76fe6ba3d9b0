"""Signals: the windows of `torch.signal.windows`, as ``dovetail.signal.windows``."""

from __future__ import annotations

from . import windows

__all__ = ["windows"]
