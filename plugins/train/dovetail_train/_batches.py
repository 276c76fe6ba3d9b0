"""Batches of any form: how many samples they have, and a copy on another device."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import dovetail as dv

__all__ = ["described", "length", "moved", "size"]


def moved(value: Any, device: Any) -> Any:
    """A batch with its tensors on a device; as it is for the device None."""
    if device is None:
        return value
    if isinstance(value, dv.Tensor):
        return value.to(device)
    if isinstance(value, Mapping):
        return {name: moved(part, device) for name, part in value.items()}
    if isinstance(value, list | tuple):
        parts = [moved(part, device) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    return value


def size(batch: Any) -> int:
    """How many samples a batch has: the length of its first tensor."""
    if isinstance(batch, dv.Tensor):
        return batch.shape[0] if batch.ndim else 1
    parts: Iterable[Any] = batch.values() if isinstance(batch, Mapping) else batch if isinstance(batch, list | tuple) else ()
    return next((found for found in map(size, parts) if found), 0)


def length(loader: Any) -> int | None:
    """How many batches a pass has, or None for a stream that does not know."""
    try:
        return len(loader)
    except TypeError:
        return None


def described(batch: Any) -> str:
    """What a batch is, for messages."""
    return f"a {type(batch).__name__} of {len(batch)}" if isinstance(batch, list | tuple | dict) else f"a {type(batch).__name__}"
