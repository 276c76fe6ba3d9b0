"""Names for the types of sizes, which programs import for their annotations."""

from __future__ import annotations

__all__ = ["_size_1_t", "_size_2_t", "_size_3_t", "_size_any_t"]

_size_1_t = int | tuple[int]
_size_2_t = int | tuple[int, int]
_size_3_t = int | tuple[int, int, int]
_size_any_t = int | tuple[int, ...]
