"""The generators, one file a family; `GENERATORS` maps an operator to the function that writes its kernel."""

from __future__ import annotations

from .table import generators

__all__ = ["generators"]
