"""Rows of the random ops: what has a gradient there. The numbers are in tests/core/test_random.py."""

from __future__ import annotations

from .row import Row, T

ROWS = [Row("drawn", [T(3, 4), T(3, 4, grad=False)], ref=lambda x, values: values)]
