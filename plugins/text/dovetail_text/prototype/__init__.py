"""torchtext's prototypes, of which there is one: ``generate``."""

from __future__ import annotations

from . import generate as generate

__all__ = ["generate"]
