"""``dovetail.cuda.streams``: streams and events of a GPU, as CuPy has them. Without a GPU each is a NoDevice (RuntimeError)."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from ..cpu import streams as cpu
from ..device import Device, cupy

__all__ = ["Event", "Stream", "StreamContext", "current_stream", "default_stream", "set_stream", "stream"]


class _OfCuPy:
    raw: Any

    def query(self) -> bool:
        """Whether all before it is done."""
        return bool(self.raw.done)

    def synchronize(self) -> None:
        """Wait until all before it is done."""
        self.raw.synchronize()


class Stream(_OfCuPy, cpu.Stream):
    """A queue of work on a GPU, which ``with stream(s):`` fills; ``raw`` is CuPy's."""

    def __init__(self, device: Any = None, priority: int = 0, *, raw: Any = None, **kwargs: Any) -> None:
        where = cupy().cuda.Device(Device("cuda" if device is None else device).index)
        with where:
            self.raw = raw or cupy().cuda.Stream(non_blocking=True)
        self.device, self.cuda_stream = Device("cuda", where.id), self.raw.ptr

    def wait_event(self, event: Any) -> None:
        """Let what is queued from now on wait for an event."""
        self.raw.wait_event(event.raw)

    def wait_stream(self, stream: Any) -> None:
        """Let what is queued from now on wait for what another stream holds now."""
        self.wait_event(stream.record_event())

    def record_event(self, event: Any = None) -> Any:
        """Put an event, or a new one, behind what is queued, and return it."""
        event = event or Event()
        event.record(self)
        return event

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stream) and self.cuda_stream == other.cuda_stream

    def __hash__(self) -> int:
        return hash(self.cuda_stream)

    def __enter__(self) -> Any:
        self.raw.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self.raw.__exit__(*error)


class Event(_OfCuPy, cpu.Event):
    """A moment in the work of a GPU, with its time where ``enable_timing`` is set; ``raw`` is CuPy's."""

    def __init__(self, device: Any = None, blocking: bool = False, *_: Any, enable_timing: bool = False, **kwargs: Any) -> None:
        self.raw = cupy().cuda.Event(blocking, not (enable_timing or device is True))  # cuda.Event(True) is one with a time

    def record(self, stream: Any = None) -> None:
        """Put it behind what is queued in a stream, by default the current one."""
        self.raw.record((stream or current_stream()).raw)

    def wait(self, stream: Any = None) -> None:
        """Let what a stream queues from now on wait for it."""
        (stream or current_stream()).wait_event(self)

    def elapsed_time(self, end_event: Any) -> float:
        """Milliseconds from this event to another, both with ``enable_timing``."""
        return float(cupy().cuda.get_elapsed_time(self.raw, end_event.raw))


def current_stream(device: Any = None) -> Stream:
    """The stream into which work goes now."""
    return Stream(device, raw=cupy().cuda.get_current_stream())


def default_stream(device: Any = None) -> Stream:
    """The stream into which work goes unless another was chosen."""
    return Stream(device, raw=cupy().cuda.Stream.null)


def set_stream(stream: Any) -> None:
    """Let work go into this stream from now on."""
    if stream is not None:
        stream.raw.use()


def stream(stream: Any) -> AbstractContextManager[Any]:
    """A block whose work goes into this stream; None leaves it where it goes."""
    return nullcontext() if stream is None else stream


StreamContext = stream
