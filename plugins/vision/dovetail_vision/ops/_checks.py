"""Checks that several of the ops make."""

from __future__ import annotations

from dovetail.errors import ValueRangeError

__all__ = ["check_chance"]


def check_chance(where: str, p: float) -> None:
    """A ValueError for a probability outside 0 to 1."""
    if p < 0.0 or p > 1.0:
        raise ValueRangeError(where, f"p is {p}", "expected 0 to 1")
