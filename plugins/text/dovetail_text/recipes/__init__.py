"""Trainings from beginning to end, each a module to run: ``python -m dovetail_text.recipes.pydoc_gpt``."""

from __future__ import annotations

__all__: list[str] = []
