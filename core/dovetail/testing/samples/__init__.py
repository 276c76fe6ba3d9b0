"""Sample rows of the ops: what each is called with, its reference, and what is claimed of it. One file a family."""

from __future__ import annotations

from .calls import BROKEN, ROWS
from .row import AUTO, B, I, Row, Spec, T

__all__ = ["AUTO", "BROKEN", "ROWS", "B", "I", "Row", "Spec", "T"]
