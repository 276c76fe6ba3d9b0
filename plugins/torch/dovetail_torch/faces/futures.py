"""``dovetail.futures``: a value that will be there; `fork` computes it at once, since Python runs one thing at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from dovetail.errors import GradError

__all__ = ["Future", "collect_all", "fork", "wait", "wait_all"]

FutureValue = TypeVar("FutureValue")


class Future(Generic[FutureValue]):
    """A value that somebody sets, once.

    >>> f = Future()
    >>> g = f.then(lambda f: f.value() + 1)
    >>> f.set_result(1); g.wait()
    2
    """

    def __init__(self, *, devices: Any = None) -> None:
        self._ready, self._lock, self._calls = threading.Event(), threading.Lock(), list[Callable[[Any], Any]]()
        self._value: Any = None
        self._error: BaseException | None = None

    def done(self) -> bool:
        """Whether the value, or an error, is there."""
        return self._ready.is_set()

    def wait(self) -> FutureValue:
        """Wait for the value. Raises the error that was set in its place."""
        self._ready.wait()
        return self.value()

    def value(self) -> FutureValue:
        """The value, which must be there."""
        if not self.done():
            raise GradError("Future.value", "the value is not there yet", "", "wait() for it")
        if self._error is not None:
            raise self._error
        value: FutureValue = self._value
        return value

    def set_result(self, result: FutureValue) -> None:
        """Set the value. Raises a RuntimeError where there is one."""
        self._set(result, None)

    def set_exception(self, result: BaseException) -> None:
        """Set an error in place of the value."""
        self._set(None, result)

    def _set(self, value: Any, error: BaseException | None) -> None:
        with self._lock:
            if self.done():
                raise GradError("Future", "Future can only be marked completed once")
            self._value, self._error = value, error
            self._ready.set()
            calls, self._calls = self._calls, []
        for call in calls:
            call(self)

    def add_done_callback(self, callback: Callable[[Future[FutureValue]], Any]) -> None:
        """Call this with the future when its value is there; at once where it is."""
        with self._lock:
            if not self.done():
                self._calls.append(callback)
                return
        callback(self)

    def then(self, callback: Callable[[Future[FutureValue]], Any]) -> Future[Any]:
        """A future of what a function of this one gives."""
        made: Future[Any] = Future()

        def call(done: Future[FutureValue]) -> None:
            try:
                made.set_result(callback(done))
            except Exception as error:
                made.set_exception(error)

        self.add_done_callback(call)
        return made


def collect_all(futures: list[Future[Any]]) -> Future[list[Future[Any]]]:
    """A future of these futures, ready when all of them are."""
    made: Future[list[Future[Any]]] = Future()
    left, lock = [len(futures)], threading.Lock()

    def one(_: Any) -> None:
        with lock:
            left[0] -= 1
            last = left[0] == 0
        if last:
            made.set_result(futures)

    if not futures:
        made.set_result(futures)
    for future in futures:
        future.add_done_callback(one)
    return made


def wait_all(futures: list[Future[Any]]) -> list[Any]:
    """The values of all."""
    return [future.wait() for future in collect_all(futures).wait()]


def fork(func: Callable[..., Any], *args: Any, **kwargs: Any) -> Future[Any]:
    """Call a function now, and give its result as a future: ``jit.fork``."""
    made: Future[Any] = Future()
    made.set_result(func(*args, **kwargs))
    return made


def wait(future: Future[Any]) -> Any:
    """The value of a future: ``jit.wait``."""
    return future.wait()
