"""torchtext's prototypes, of which there is one: ``generate``."""

from __future__ import annotations

__all__ = ["generate"]
