"""Streams and events of the CPU, on which all has been done: ``dovetail.cpu.streams``, ``dovetail.Stream``, ``dovetail.Event``."""

from __future__ import annotations

import functools
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from ..device import CPU, Device
from ..errors import ValueRangeError

__all__ = ["Event", "Stream", "StreamContext", "current_stream", "stream"]


class Stream:
    """A queue of work. The CPU's is always empty; ``Stream("cuda")`` is a ``cuda.Stream``.

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

    def __init__(self, device: Any = None, *args: Any, **kwargs: Any) -> None:
        """All options are let pass."""

    def query(self) -> bool:
        """Whether all has been done: True."""
        return True

    def synchronize(self, *_: Any) -> Any:
        """Nothing is left to wait for."""

    record_event = wait_event = wait_stream = wait = record = synchronize

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *error: Any) -> None:
        """The block ran like any other."""


class Event(Stream):
    """A moment in a stream. On the CPU it has passed; ``Event("cuda")`` is a ``cuda.Event``."""

    def elapsed_time(self, end_event: Any) -> float:
        """Always a ValueError: the CPU's events hold no time."""
        raise ValueRangeError("elapsed_time", "Both events must be created with argument 'enable_timing=True'", "", "use time.perf_counter")


@functools.cache
def _only() -> Stream:
    return Stream()


def current_stream(device: Any = None) -> Stream:
    """The CPU's stream."""
    return _only()


StreamContext = nullcontext


def stream(stream: Any) -> AbstractContextManager[Any]:
    """A block like any other."""
    return nullcontext()
