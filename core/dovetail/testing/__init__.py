"""What tests of plugins need: the conformance kit, its pytest plugin, and the scaffold of a new plugin."""

from __future__ import annotations

from . import conformance
from .comparison import assert_close

__all__ = ["assert_close", "conformance"]
