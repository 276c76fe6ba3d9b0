"""The file of events that TensorBoard reads: written in order, and on the disk when `flush` returns."""

from __future__ import annotations

import atexit
import itertools
import os
import socket
import threading
import time
import weakref
from typing import Any

from tensorboardX.proto.event_pb2 import Event
from tensorboardX.record_writer import RecordWriter
from tensorboardX.writer import FileWriter

__all__ = ["EventFile", "Files"]

_COUNT = itertools.count()


class EventFile:
    """Events of one folder, in a file whose name no other run, process or earlier writer has.

    tensorboardX's own goes through a queue between processes, which its `flush` does not wait for, and begins a file again that was
    closed in the same second.
    """

    def __init__(self, folder: str, max_queue: int, flush_secs: float, suffix: str) -> None:
        self.folder, self.max_queue, self.flush_secs, self.suffix = folder, max_queue, flush_secs, suffix
        self.lock = threading.Lock()
        self.record: Any = None
        self.reopen()

    def reopen(self) -> None:
        """Begin a new file, if the last one was closed."""
        if self.record is not None:
            return
        os.makedirs(self.folder, exist_ok=True)
        name = f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}.{next(_COUNT)}{self.suffix}"
        self.record, self.waiting, self.flushed = RecordWriter(os.path.join(self.folder, name)), 0, time.monotonic()
        self.add_event(Event(wall_time=time.time(), file_version="brain.Event:2"))
        self.flush()

    def get_logdir(self) -> str:
        """The folder."""
        return self.folder

    def add_event(self, event: Any) -> None:
        """Write an event; to the disk when there are many, or the last time was long ago."""
        if self.record is None:
            return
        with self.lock:
            self.record.write(event.SerializeToString())
            self.waiting += 1
        if self.waiting >= self.max_queue or time.monotonic() - self.flushed > self.flush_secs:
            self.flush()

    def flush(self) -> None:
        """Wait until all events are on the disk."""
        if self.record is not None:
            with self.lock:
                self.record.flush()
                self.waiting, self.flushed = 0, time.monotonic()

    def close(self) -> None:
        """Flush, and end the file."""
        if self.record is not None:
            self.flush()
            self.record.close()
            self.record = None


class Files(FileWriter):
    """tensorboardX's writer of events and summaries, on an EventFile."""

    def __init__(self, folder: Any, max_queue: int = 10, flush_secs: float = 120, suffix: str = "") -> None:
        self.event_writer = EventFile(str(folder), max_queue, flush_secs, suffix)
        self._default_metadata: dict[str, Any] = {}
        held = weakref.ref(self.event_writer)
        atexit.register(lambda: (file := held()) and file.close())
