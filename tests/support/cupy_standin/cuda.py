"""The emulated machine: devices, streams and events, on which all is done at once but NCCL's calls, and pools that hold nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakValueDictionary

from .state import state

__all__ = ["CUDA", "RUNTIME", "CUDARuntimeError", "Device", "Event", "MemoryPointer", "MemoryPool", "PinnedMemoryPool", "Stream", "streams"]


class CUDARuntimeError(RuntimeError):
    """What CuPy raises for a device that is not there."""


def _check(index: int) -> int:
    if not 0 <= index < state.devices:
        raise CUDARuntimeError("cudaErrorInvalidDevice: invalid device ordinal")
    return index


class Device:
    """One emulated GPU; as a context it is the current one."""

    def __init__(self, device: Any = None) -> None:
        self.id = state.device if device is None else int(getattr(device, "id", device))
        self._before: list[int] = []

    def __repr__(self) -> str:
        return f"<CUDA Device {self.id}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __int__(self) -> int:
        return self.id

    def __enter__(self) -> Device:
        self._before.append(state.device)
        self.use()
        return self

    def __exit__(self, *error: Any) -> None:
        state.device = self._before.pop()

    def use(self) -> Device:
        """Make this the current device."""
        state.device = _check(self.id)
        return self

    def synchronize(self) -> None:
        """Wait for the device; counted."""
        state.synchronizations += 1

    compute_capability = "90"
    mem_info = (64 << 30, 80 << 30)
    pci_bus_id = property(lambda self: f"0000:{self.id:02X}:00.0")
    attributes = property(lambda self: {"MultiProcessorCount": 1, "WarpSize": 32})


class Stream:
    """A stream on which everything has been done already, but NCCL's calls: its jobs, done or not."""

    def __init__(self, null: bool = False, non_blocking: bool = False, ptds: bool = False, priority: Any = None) -> None:
        self.ptr, self.device_id, self.is_non_blocking, self.priority = 0 if null else id(self), state.device, non_blocking, priority or 0
        self.jobs: list[Any] = []
        streams[self.ptr] = self

    done = property(lambda self: all(job.done for job in self.jobs))

    def __enter__(self) -> Stream:
        _streams.append(self)
        return self

    def __exit__(self, *error: Any) -> None:
        _streams.pop()

    def use(self) -> Stream:
        """Make this the current stream."""
        _streams[-1] = self
        return self

    def synchronize(self) -> None:
        """Wait for the stream; counted."""
        state.synchronizations += 1
        for job in self.jobs:
            job.wait()

    def record(self, event: Any = None) -> Any:
        """Record an event."""
        event = event or Event()
        event.record(self)
        return event

    def wait_event(self, event: Any) -> None:
        """Let NCCL's calls to come begin after the event; all else would be done at once, and before it, which is refused."""
        if self is _streams[-1] and not event.done:
            raise NotImplementedError("the CuPy stand-in's current stream cannot wait for what NCCL does on another")
        self.jobs += event.jobs


streams: WeakValueDictionary[int, Stream] = WeakValueDictionary()  # by their addresses
Stream.null = Stream(null=True)  # type: ignore[attr-defined]
_streams: list[Stream] = [Stream.null]  # type: ignore[attr-defined]


class Event:
    """An event that has happened, once NCCL's calls before it are done."""

    done = property(lambda self: all(job.done for job in self.jobs))

    def __init__(self, block: bool = False, disable_timing: bool = False, interprocess: bool = False) -> None:
        self.ptr, self.jobs = id(self), ()  # type: int, tuple[Any, ...]

    def record(self, stream: Any = None) -> None:
        """Record on a stream."""
        self.jobs = tuple((stream or _streams[-1]).jobs)

    def synchronize(self) -> None:
        """Wait for the event; counted."""
        state.synchronizations += 1
        for job in self.jobs:
            job.wait()


class MemoryPointer:
    """``x.data``: the address of the host memory that stands for the GPU's."""

    def __init__(self, array: Any) -> None:
        self.mem, self.device_id = array._host, array._device
        self.ptr = array._host.__array_interface__["data"][0] if array._host.size else 0

    device = property(lambda self: Device(self.device_id))

    def __int__(self) -> int:
        return int(self.ptr)


class MemoryPool:
    """A pool that holds nothing: the emulated arrays are the host's."""

    def used_bytes(self) -> int:
        """Return 0."""
        return 0

    total_bytes = free_bytes = n_free_blocks = get_limit = used_bytes

    def free_all_blocks(self, stream: Any = None) -> None:
        """Free nothing."""

    def set_limit(self, size: Any = None, fraction: Any = None) -> None:
        """Set no limit."""


class PinnedMemoryPool:
    """A pool that holds nothing."""

    def n_free_blocks(self) -> int:
        """Return 0."""
        return 0

    def free_all_blocks(self) -> None:
        """Free nothing."""


@contextmanager
def errstate(*, linalg: str | None = None, **other: Any) -> Iterator[None]:
    """``cupyx.errstate``: only ``linalg`` ('ignore' or 'raise') is implemented, in CuPy as here."""
    if any(value is not None for value in other.values()) or linalg not in (None, "ignore", "raise"):
        raise NotImplementedError
    before, state.linalg = state.linalg, linalg or state.linalg
    try:
        yield
    finally:
        state.linalg = before


def _set_device(device: int) -> None:
    state.device = _check(device)


def _properties(device: int) -> dict[str, Any]:
    _check(device)
    return {"name": b"CuPy stand-in", "totalGlobalMem": 80 << 30, "major": 9, "minor": 0, "multiProcessorCount": 1, "warpSize": 32}


def _wait() -> None:
    state.synchronizations += 1


RUNTIME: dict[str, Any] = {
    "getDeviceCount": lambda: state.devices, "getDevice": lambda: state.device, "setDevice": _set_device,
    "memGetInfo": lambda: Device.mem_info,
    "getDeviceProperties": _properties, "deviceSynchronize": _wait, "runtimeGetVersion": lambda: 13000, "driverGetVersion": lambda: 13000,
    "deviceCanAccessPeer": lambda device, peer: 0, "CUDARuntimeError": CUDARuntimeError, "streamSynchronize": lambda stream: _wait(),
}  # fmt: skip
CUDA: dict[str, Any] = {
    "Device": Device, "Stream": Stream, "Event": Event, "MemoryPool": MemoryPool, "PinnedMemoryPool": PinnedMemoryPool,
    "MemoryPointer": MemoryPointer, "get_current_stream": lambda device_id=-1: _streams[-1], "get_device_id": lambda: state.device,
    "is_available": lambda: state.devices > 0, "get_elapsed_time": lambda start, end: 0.0, "get_local_runtime_version": lambda: 13000,
}  # fmt: skip
