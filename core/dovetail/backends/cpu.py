"""``backends.cpu``: what the processor can do is NumPy's to find out."""

from __future__ import annotations

from ..absent import answers

__all__, __getattr__, __dir__ = answers(__name__)
