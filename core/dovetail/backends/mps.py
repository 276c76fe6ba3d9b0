"""``backends.mps``: Apple's GPUs are not used."""

from __future__ import annotations

from ..absent import answers

__all__, __getattr__, __dir__ = answers(__name__)
