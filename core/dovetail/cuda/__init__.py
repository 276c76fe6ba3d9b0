"""The CUDA device, as thin truths about CuPy: what there is, and what it holds.

Without CuPy or a GPU the questions have honest answers (`is_available()` is False, `device_count()` is 0), and what
needs a GPU raises the one error that says what is missing.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import Any

from ..device import Device, cupy
from ..errors import DeviceError

__all__ = [
    "current_device", "device", "device_count", "empty_cache", "get_device_name", "is_available", "manual_seed", "manual_seed_all",
    "max_memory_allocated", "memory_allocated", "memory_reserved", "reset_peak_memory_stats", "set_device", "synchronize",
]  # fmt: skip


def is_available() -> bool:
    """Whether CuPy is installed and finds a GPU.

    >>> import dovetail as dv
    >>> dv.cuda.is_available() == (dv.cuda.device_count() > 0)
    True
    """
    return device_count() > 0


def device_count() -> int:
    """How many GPUs there are; 0 where CuPy is not installed.

    >>> import dovetail as dv
    >>> dv.cuda.device_count() >= 0
    True
    """
    if "cupy" not in sys.modules and importlib.util.find_spec("cupy") is None:
        return 0
    try:
        return int(cupy().cuda.runtime.getDeviceCount())
    except DeviceError:
        return 0


def current_device() -> int:
    """The number of the GPU on which new tensors are made. Raises a DeviceError without one."""
    return int(cupy().cuda.runtime.getDevice())


def _index(where: Any) -> int:
    index = where if isinstance(where, int) else Device(where).index
    return current_device() if index is None else index


def set_device(device: Any) -> None:
    """Make new tensors on this GPU. Raises a DeviceError without one."""
    if _index(device) >= 0:
        cupy().cuda.runtime.setDevice(_index(device))


class device:
    """A block within which new tensors are made on this GPU."""

    def __init__(self, device: Any) -> None:
        self.idx = _index(device)

    def __enter__(self) -> None:
        self._inside = cupy().cuda.Device(self.idx)
        self._inside.__enter__()

    def __exit__(self, *error: Any) -> None:
        self._inside.__exit__(*error)


def synchronize(device: Any = None) -> None:
    """Wait until the GPU has finished. Raises a DeviceError without one."""
    cupy().cuda.Device(current_device() if device is None else _index(device)).synchronize()


def get_device_name(device: Any = None) -> str:
    """The GPU's name. Raises a DeviceError without one."""
    index = current_device() if device is None else _index(device)
    name: bytes = cupy().cuda.runtime.getDeviceProperties(index)["name"]
    return name.decode()


def empty_cache() -> None:
    """Give cached memory back to the GPU; nothing to do without one.

    >>> import dovetail as dv
    >>> dv.cuda.empty_cache()
    """
    if is_available():
        cupy().get_default_memory_pool().free_all_blocks()


def memory_allocated(device: Any = None) -> int:
    """Bytes held by tensors on the GPU; 0 without one.

    >>> import dovetail as dv
    >>> dv.cuda.memory_allocated() >= 0
    True
    """
    return int(cupy().get_default_memory_pool().used_bytes()) if is_available() else 0


def memory_reserved(device: Any = None) -> int:
    """Bytes that the memory pool holds on the GPU; 0 without one."""
    return int(cupy().get_default_memory_pool().total_bytes()) if is_available() else 0


def max_memory_allocated(device: Any = None) -> int:
    """The peak of what the memory pool held: CuPy records no finer peak."""
    return memory_reserved(device)


def reset_peak_memory_stats(device: Any = None) -> None:
    """Give back what is cached, so that the peak starts from what is in use."""
    empty_cache()


def manual_seed(seed: int) -> None:
    """Seed the GPU's random stream; remembered until there is a GPU."""
    from ..ops import _random_gpu

    _random_gpu.seed(seed)


manual_seed_all = manual_seed


def __getattr__(name: str) -> Any:
    if name != "amp":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module(f"{__name__}.amp")
