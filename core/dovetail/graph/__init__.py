"""Recorded runs: what export, pictures and the compiler stand on."""

from __future__ import annotations

from .graph import Call, Graph, Value
from .trace import trace

__all__ = ["Call", "Graph", "Value", "trace"]
