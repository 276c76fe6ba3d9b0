"""Sharing memory with other libraries, under PyTorch's path."""

from __future__ import annotations

from typing import Any

from ..ops.create import from_dlpack

__all__ = ["from_dlpack", "to_dlpack"]


def to_dlpack(tensor: Any) -> Any:
    """The tensor's memory as a DLPack capsule. Raises a BufferError for a tensor that requires a gradient."""
    return tensor.__dlpack__()
