"""Ops whose reference runs block by block on a CPU."""

from __future__ import annotations

from typing import Any

from dovetail_numerics.blockwise import blockwise

__all__ = ["in_blocks"]


def in_blocks(made: Any) -> Any:
    """Let the forward of an op run `blockwise`; it stands above ``@op``."""
    record = made.op
    record.forward = record.reference.forward = blockwise(record.forward)
    return made
