"""The generator that tensors draw from: PyTorch's CPU stream for the same seed, one for each thread that loads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakSet

from dovetail_numerics.generator import MersenneTwister

from .errors import DeviceError, UnsupportedError

__all__ = ["Generator", "alive", "current", "default_generator", "thread_generator"]


class Generator(MersenneTwister):
    """A source of random numbers that gives PyTorch's CPU stream for the same seed.

    Making one costs nothing: NumPy's random module is imported, and the engine seeded, at the first draw. The state is
    this object's own; NumPy's global random state is neither read nor changed. Not thread-safe: give each thread its own.

    >>> import dovetail as dv
    >>> dv.rand(2, generator=Generator().manual_seed(0))
    tensor([0.4963, 0.7682])
    """

    def __init__(self, device: Any = "cpu") -> None:
        kind = getattr(device, "type", None) or str(device).partition(":")[0]
        if kind != "cpu":
            expected = "'cpu' is the device whose stream is PyTorch's"
            raise DeviceError("Generator", f"device {device!r} has no generator", expected, "use Generator(device='cpu')")
        self._device = device
        super().__init__()
        alive.add(self)

    @property
    def device(self) -> Any:
        """The device that this generator serves: always the CPU."""
        from .device import Device  # kept out of the module: this file needs errors and numpy alone

        return Device(self._device)

    def get_offset(self) -> int:
        """Raise: only a counter-based generator (a GPU's) has an offset."""
        raise UnsupportedError("get_offset", "a CPU generator has no offset", "", "use get_state")

    def set_offset(self, offset: int) -> None:
        """Raise: only a counter-based generator (a GPU's) has an offset."""
        raise UnsupportedError("set_offset", f"a CPU generator has no offset (offset={offset!r})", "", "use set_state")

    def __reduce__(self) -> tuple[Any, ...]:
        return Generator, (self._device,), self._get_state_array()


alive: WeakSet[Generator] = WeakSet()  # all of them, for what must know whether anybody drew
default_generator = Generator()
default_generator.seed()  # PyTorch's, too, differs from process to process until manual_seed


class _Thread(threading.local):
    """A loader's worker thread draws from a generator of its own, so that threads never share a stream."""

    generator: Generator | None = None


_THREAD = _Thread()


def current(generator: Generator | None = None) -> Generator:
    """The generator to draw from: the one given, this worker thread's own, or the default one."""
    return generator if generator is not None else _THREAD.generator or default_generator


@contextmanager
def thread_generator(source: int | Generator) -> Iterator[Generator]:
    """Give this thread a generator of its own within the block: one with this seed, or the one given."""
    made = source if isinstance(source, Generator) else Generator().manual_seed(source)
    before, _THREAD.generator = _THREAD.generator, made
    try:
        yield made
    finally:
        _THREAD.generator = before
