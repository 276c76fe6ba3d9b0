"""Memory and kin of the accelerator, by PyTorch's device-neutral names, which stand in ``dovetail.accelerator``."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any

from dovetail import cuda
from dovetail.device import Device, cupy
from dovetail.dtypes import TYPES

__all__ = [
    "Graph", "device_index", "empty_cache", "empty_host_cache", "get_device_capability", "get_device_module", "get_memory_info",
    "max_memory_allocated", "max_memory_reserved", "memory_allocated", "memory_reserved", "memory_stats",
    "reset_accumulated_memory_stats", "reset_peak_memory_stats",
]  # fmt: skip

get_memory_info = cuda.mem_get_info
Graph, reset_accumulated_memory_stats = cuda.CUDAGraph, cuda.reset_accumulated_memory_stats


def get_device_module(device: Any = None) -> Any:
    """The module of a device's type, `cpu` or `cuda`; by default of the accelerator where there is one. Raises a DeviceError for others.

    >>> import dovetail as dv
    >>> dv.get_device_module("cpu") is dv.cpu
    True
    """
    kind = Device(device).type if device is not None else "cuda" if cuda.is_available() else "cpu"
    return importlib.import_module(f"dovetail.{kind}")


def device_index(device: int | None) -> Any:
    """A block within which new tensors are made on this GPU; None changes nothing."""
    return cuda.device(-1 if device is None else device)


def get_device_capability(device: Any = None) -> dict[str, Any]:
    """The element types that the GPU takes. Raises a NoDevice without one."""
    cupy()
    return {"supported_dtypes": set(TYPES.values())}


def _needing(function: Callable[..., Any]) -> Callable[..., Any]:
    """What answers 0 or nothing under ``cuda`` without a GPU raises here."""

    @functools.wraps(function)
    def needing(*args: Any, **kwargs: Any) -> Any:
        cupy()
        return function(*args, **kwargs)

    return needing


memory_allocated, memory_stats, empty_cache = _needing(cuda.memory_allocated), _needing(cuda.memory_stats), _needing(cuda.empty_cache)
max_memory_allocated = max_memory_reserved = memory_reserved = _needing(cuda.memory_reserved)
reset_peak_memory_stats = empty_host_cache = empty_cache
