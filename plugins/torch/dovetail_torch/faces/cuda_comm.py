"""``dovetail.cuda.comm``: tensors copied to GPUs and gathered from them, by ``to`` and ``cat``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dovetail as dv

__all__ = ["broadcast", "broadcast_coalesced", "gather", "reduce_add", "reduce_add_coalesced", "scatter"]


def _there(device: Any) -> Any:
    return dv.device("cuda", device) if isinstance(device, int) else device


def broadcast(tensor: Any, devices: Sequence[Any] | None = None, *, out: Sequence[Any] | None = None) -> tuple[Any, ...]:
    """A copy on each device."""
    if out is not None:
        return tuple(one.copy_(tensor) for one in out)
    return tuple(tensor.to(_there(device)) for device in devices or ())


def broadcast_coalesced(tensors: Sequence[Any], devices: Sequence[Any], buffer_size: int = 0) -> list[tuple[Any, ...]]:
    """Copies of several tensors on each device."""
    return [tuple(t.to(_there(device)) for t in tensors) for device in devices]


def scatter(
    tensor: Any, devices: Sequence[Any], chunk_sizes: Sequence[int] | None = None, dim: int = 0, streams: Any = None
) -> tuple[Any, ...]:
    """Pieces of a tensor, one on each device."""
    parts = tensor.split(list(chunk_sizes), dim) if chunk_sizes else tensor.chunk(len(devices), dim)
    return tuple(part.to(_there(device)) for part, device in zip(parts, devices, strict=False))


def gather(tensors: Sequence[Any], dim: int = 0, destination: Any = None, *, out: Any = None) -> Any:
    """Pieces joined on one device, by default the current GPU."""
    where = _there(dv.cuda.current_device() if destination is None else destination)
    joined = dv.cat([t.to(where) for t in tensors], dim)
    return joined if out is None else out.copy_(joined)


def reduce_add(inputs: Sequence[Any], destination: Any = None) -> Any:
    """The sum of tensors, on one device, by default the current GPU."""
    where = _there(dv.cuda.current_device() if destination is None else destination)
    first, *rest = (t.to(where) for t in inputs)
    return sum(rest, first)


def reduce_add_coalesced(inputs: Sequence[Sequence[Any]], destination: Any = None, buffer_size: int = 0) -> tuple[Any, ...]:
    """`reduce_add` for each place in several lists of tensors."""
    return tuple(reduce_add(same, destination) for same in zip(*inputs, strict=True))
