"""The CUDA device, as thin truths about CuPy: what there is, and what it holds.

Without CuPy or a GPU the questions have honest answers (`is_available()` is False, `device_count()` is 0), and what
needs a GPU raises the one error that says what is missing.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections import OrderedDict
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

from ..absent import answers
from ..device import Device, cupy
from ..errors import DeviceError, ValueRangeError
from ..errors import OutOfMemory as OutOfMemoryError
from ..tensor_legacy import CUDA_CLASSES

__all__ = [
    "OutOfMemoryError", "can_device_access_peer", "current_device", "device", "device_count", "device_of", "empty_cache",
    "get_arch_list", "get_device_capability", "get_device_name", "get_device_properties", "init", "initial_seed", "ipc_collect",
    "is_available", "is_bf16_supported", "is_initialized", "is_tf32_supported", "manual_seed", "manual_seed_all",
    "max_memory_allocated", "max_memory_cached", "max_memory_reserved", "mem_get_info", "memory_allocated", "memory_cached",
    "memory_reserved", "memory_stats", "memory_summary", "reset_max_memory_allocated", "reset_max_memory_cached",
    "reset_peak_memory_stats", "seed", "seed_all", "set_device", "set_per_process_memory_fraction", "synchronize",
]  # fmt: skip
_MODULES = ("amp", "memory", "random")
_PROPERTIES = {  # PyTorch's name: CUDA's
    "major": "major", "minor": "minor", "total_memory": "totalGlobalMem", "multi_processor_count": "multiProcessorCount",
    "warp_size": "warpSize", "is_integrated": "integrated", "L2_cache_size": "l2CacheSize",
}  # fmt: skip


def is_available() -> bool:
    """Whether CuPy is installed and finds a GPU.

    >>> import dovetail as dv
    >>> dv.cuda.is_available() == (dv.cuda.device_count() > 0)
    True
    """
    return device_count() > 0


_NAMES, _find, _ = answers(__name__, is_available)
__all__ += [*CUDA_CLASSES, *_NAMES]  # noqa: PLE0604


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
    index = where if isinstance(where, int | None) else Device(where).index
    if not isinstance(where, int | None) and Device(where).type != "cuda":
        raise ValueRangeError("cuda", f"Expected a cuda device, but got: {where}")
    return current_device() if index is None else index


def set_device(device: Any) -> None:
    """Make new tensors on this GPU. Raises a DeviceError without one."""
    if _index(device) >= 0:
        cupy().cuda.runtime.setDevice(_index(device))


class device:
    """A block within which new tensors are made on this GPU; a negative number changes nothing."""

    def __init__(self, device: Any) -> None:
        self.idx = _index(device)

    def __enter__(self) -> None:
        self._inside = cupy().cuda.Device(self.idx) if self.idx >= 0 else nullcontext()
        self._inside.__enter__()

    def __exit__(self, *error: Any) -> None:
        self._inside.__exit__(*error)


class device_of(device):
    """A block on the GPU of a tensor; one of the CPU's changes nothing."""

    def __init__(self, obj: Any) -> None:
        super().__init__(obj.get_device())


def synchronize(device: Any = None) -> None:
    """Wait until the GPU has finished. Raises a NoDevice without one."""
    cupy().cuda.Device(_index(device)).synchronize()


def get_device_properties(device: Any = None) -> Any:
    """What CUDA knows of a GPU: ``name``, ``major``, ``minor``, ``total_memory`` … Raises a NoDevice without one."""
    known = cupy().cuda.runtime.getDeviceProperties(_index(device))
    return SimpleNamespace(name=known["name"].decode(), **{mine: known.get(name) for mine, name in _PROPERTIES.items()})


def get_device_name(device: Any = None) -> str:
    """The GPU's name. Raises a NoDevice without one."""
    return str(get_device_properties(device).name)


def get_device_capability(device: Any = None) -> tuple[int, int]:
    """The major and minor number of what the GPU can do. Raises a NoDevice without one."""
    known = get_device_properties(device)
    return known.major, known.minor


def get_arch_list() -> list[str]:
    """The kinds of GPU that there are, such as ``sm_90``: CuPy compiles for what it finds."""
    return ["sm_{}{}".format(*get_device_capability(i)) for i in range(device_count())]


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """Whether bfloat16 can be used on the GPU: natively, or at all.

    >>> import dovetail as dv
    >>> dv.cuda.is_bf16_supported() == dv.cuda.is_available()
    True
    """
    return is_available() and (including_emulation or get_device_capability() >= (8, 0))


def is_tf32_supported() -> bool:
    """Whether the GPU has TensorFloat-32."""
    return is_bf16_supported(False)


def can_device_access_peer(device: Any, peer_device: Any) -> bool:
    """Whether one GPU reads another's memory. Raises a NoDevice without one."""
    return bool(cupy().cuda.runtime.deviceCanAccessPeer(_index(device), _index(peer_device)))


def init() -> None:
    """Nothing to prepare. Raises a NoDevice without a GPU."""
    cupy()


ipc_collect = init


def is_initialized() -> bool:
    """Whether CuPy has been loaded."""
    return "cupy" in sys.modules and is_available()


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


def mem_get_info(device: Any = None) -> tuple[int, int]:
    """Free and total memory of a GPU, in bytes. Raises a NoDevice without one."""
    with cupy().cuda.Device(_index(device)):
        return tuple(cupy().cuda.runtime.memGetInfo())  # type: ignore[return-value]


def memory_reserved(device: Any = None) -> int:
    """Bytes that the memory pool holds on the GPU; 0 without one."""
    return int(cupy().get_default_memory_pool().total_bytes()) if is_available() else 0


def max_memory_allocated(device: Any = None) -> int:
    """The peak of what the memory pool held: CuPy records no finer peak."""
    return memory_reserved(device)


def reset_peak_memory_stats(device: Any = None) -> None:
    """Give back what is cached, so that the peak starts from what is in use."""
    empty_cache()


max_memory_reserved = max_memory_cached = memory_cached = memory_reserved
reset_max_memory_allocated = reset_max_memory_cached = reset_peak_memory_stats


def memory_stats(device: Any = None) -> OrderedDict[str, int]:
    """What the memory pool counts, by PyTorch's names; empty without a GPU."""
    counts = {"allocated": memory_allocated(device), "reserved": memory_reserved(device)} if is_available() else {}
    return OrderedDict((f"{what}_bytes.all.{when}", counts[what]) for what in counts for when in ("current", "peak"))


def memory_summary(device: Any = None, abbreviated: bool = False) -> str:
    """The same in lines to read."""
    return "\n".join(f"{name}: {count:,}" for name, count in memory_stats(device).items())


def set_per_process_memory_fraction(fraction: float, device: Any = None) -> None:
    """Let the memory pool grow to this part of the GPU's memory. Raises a NoDevice without one."""
    with cupy().cuda.Device(_index(device)):
        cupy().get_default_memory_pool().set_limit(fraction=fraction)


def manual_seed(seed: int) -> None:
    """Seed the GPU's random stream; remembered until there is a GPU."""
    from ..ops import _random_gpu

    _random_gpu.seed(seed)


manual_seed_all = manual_seed


def seed() -> None:
    """Seed the GPU's random stream by the operating system."""
    manual_seed(int.from_bytes(os.urandom(7), "little"))


seed_all = seed


def initial_seed() -> int:
    """The seed with which the GPU's random stream began. Raises a NoDevice without one."""
    from ..ops import _random_gpu

    return _random_gpu.stream().seed


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    return CUDA_CLASSES[name] if name in CUDA_CLASSES else _find(name)
