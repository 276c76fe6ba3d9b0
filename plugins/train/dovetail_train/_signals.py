"""SIGTERM and Ctrl-C: the first asks the training to stop after its step, the second does what it always did."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

__all__ = ["AGAIN", "CAUGHT", "Signals"]

#: The exit code of a training that was stopped by a signal and saved what it had: EX_TEMPFAIL of sysexits.h, "run it again".
AGAIN = 75
CAUGHT = ("", "SIGTERM", "SIGINT")  # what `Signals.caught` may be


class Signals:
    """While the block runs, the first SIGTERM or SIGINT is kept in ``caught``, by name; only in the main thread, where Python has them."""

    def __init__(self, wanted: bool = True) -> None:
        self.caught = ""
        self._wanted, self._process = wanted, os.getpid()
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if self._wanted and threading.current_thread() is threading.main_thread():
            self._process = os.getpid()
            self._before = {number: signal.signal(number, self._handle) for number in (signal.SIGTERM, signal.SIGINT)}
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._restore()

    def _restore(self) -> None:
        for number, before in self._before.items():
            signal.signal(number, signal.SIG_DFL if before is None else before)
        self._before = {}

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._process:  # a worker that was forked: the terminal's Ctrl-C is the parent's business, SIGTERM is its end
            if number == signal.SIGTERM:
                signal.signal(number, signal.SIG_DFL)
                os.kill(os.getpid(), number)
            return
        if self.caught:
            self._restore()
            os.kill(os.getpid(), number)
        else:
            self.caught = signal.Signals(number).name
