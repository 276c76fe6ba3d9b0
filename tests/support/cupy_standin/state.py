"""What the stand-in counts and which device is current."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["HostCopyError", "State", "no_host_copies", "state"]


class HostCopyError(AssertionError):
    """An array was copied to the host where the test forbade it."""


class State:
    """The counters and the emulated machine; ``reset`` begins a test."""

    def __init__(self) -> None:
        self.reset()

    def reset(self, devices: int = 1) -> None:
        """Forget all counts and emulate a machine with this many GPUs."""
        self.host_copies = self.uploads = self.synchronizations = 0
        self.devices, self.device, self.forbidden = devices, 0, 0
        self.linalg = "ignore"

    def host_copy(self, what: str) -> None:
        """Count one copy from the GPU to the host."""
        self.host_copies += 1
        if self.forbidden:
            raise HostCopyError(f"{what} copies an array from the GPU to the host, inside no_host_copies()")


state = State()


@contextmanager
def no_host_copies() -> Iterator[None]:
    """Fail on any copy from the GPU to the host: ``float(x)``, ``bool(x)``, ``x.item()``, ``x.get()``, ``repr(x)`` …"""
    state.forbidden += 1
    try:
        yield
    finally:
        state.forbidden -= 1
