"""The CPU by the names of device modules: it is there, and what was asked of it has been done.

Where ``dovetail-cpu`` is installed, what that package offers is here too.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

from ..absent import answers
from ..device import CPU, Device
from ..errors import ValueRangeError

_NAMES, _find, _ = answers(__name__)
__all__ = ["Event", "Stream", "current_stream", "stream", *_NAMES]  # noqa: PLE0604


class Stream:
    """A queue of work. The CPU's is always empty; ``Stream("cuda")`` is a :class:`cuda.Stream`.

    >>> import dovetail as dv
    >>> with dv.Stream("cpu") as s:
    ...     s.query()
    True
    """

    device: Device = CPU

    def __new__(cls, device: Any = None, *args: Any, **kwargs: Any) -> Any:
        if cls.__module__ == __name__ and device is not None and Device(device).type == "cuda":
            from ..cuda import streams

            return object.__new__(getattr(streams, cls.__name__))
        return object.__new__(cls)

    def __init__(self, device: Any = None, **kwargs: Any) -> None:
        """All options are let pass."""

    def query(self) -> bool:
        """Whether all has been done: True."""
        return True

    def synchronize(self, *_: Any) -> None:
        """Nothing is left to wait for."""

    record_event = wait_event = wait_stream = wait = record = synchronize

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *error: Any) -> None:
        """The block ran like any other."""


class Event(Stream):
    """A moment in a stream. On the CPU it has passed; ``Event("cuda")`` is a :class:`cuda.Event`."""

    def elapsed_time(self, end_event: Any) -> float:
        """Always a ValueError: the CPU's events hold no time."""
        raise ValueRangeError("elapsed_time", "Both events must be created with argument 'enable_timing=True'", "", "use time.perf_counter")


@cache
def current_stream(device: Any = None) -> Stream:
    """The CPU's stream."""
    return Stream()


def stream(stream: Any) -> AbstractContextManager[Any]:
    """A block like any other."""
    return nullcontext()


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return _find(name)
    from ..plugins import namespaces

    return getattr(namespaces.resolve("cpu"), name)
