"""The named tuples that functions of several results return, such as ``max(x, 0)``."""

from __future__ import annotations

from . import linalg  # noqa: F401 - it has some of its own
from .ops._results import KINDS

__all__ = sorted(KINDS)  # noqa: PLE0605
globals().update(KINDS)
