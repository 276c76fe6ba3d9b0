"""Chains of functions that work element by element, put together into single calls of a kernel from outside."""

from __future__ import annotations

from typing import Any

from .tape import Step, Tape

__all__ = ["fused"]


def fused(steps: list[Step], tape: Tape, wanted: set[int]) -> tuple[list[Step], list[str]]:
    """The steps with chains joined, and a line for each chain."""
    return steps, []
