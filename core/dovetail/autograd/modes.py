"""The modes of a thread (recording, inference, tracing …), kept in one word so that an op reads them at once."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TypeVar

from ..errors import TypeMismatch

__all__ = [
    "AUTOCAST", "COLD", "GRAD", "INFERENCE", "OBSERVE", "SAVING", "STATE", "enable_grad", "inference_mode", "is_grad_enabled",
    "is_inference_mode_enabled", "no_grad", "set_grad_enabled", "set_multithreading_enabled",
]  # fmt: skip

F = TypeVar("F", bound=Callable[..., Any])
GRAD, INFERENCE, OBSERVE, COLD, AUTOCAST, SAVING = 1, 2, 4, 8, 16, 32  # an op is on its fast path while the word is 0 or GRAD


class _State(threading.local):
    """The word, and what its bits refer to. COLD: kernels from plugins have not been looked for in this thread."""

    word: int = GRAD | COLD
    walk: Any = None  # the backward that runs
    saving: tuple[Any, ...] = ()  # pairs of pack and unpack while SAVING is set
    autocast: dict[str, Any] = {}  # device type → the lower type, while AUTOCAST is set
    observers: tuple[Any, ...] = ()  # called around every op while OBSERVE is set: tracer, profiler, NaN hunt


STATE = _State()


class _Switch:
    """A context manager and decorator that sets some bits of the word and restores them."""

    _set = 0
    _clear = 0

    def __enter__(self) -> None:
        word = STATE.word
        self._before = [*getattr(self, "_before", ()), word & (self._set | self._clear)]
        STATE.word = (word | self._set) & ~self._clear

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        STATE.word = (STATE.word & ~(self._set | self._clear)) | self._before.pop()

    def clone(self) -> _Switch:
        """Return a fresh switch of the same kind, for one use of a decorated function."""
        return type(self)()

    def __call__(self, function: F) -> F:
        if isinstance(function, type):
            made: Any = function
            made.__init__ = self(made.__init__)
            return made
        if getattr(getattr(function, "__code__", None), "co_flags", 0) & 0x20:
            return _generator(self, function)

        @functools.wraps(function)
        def inside(*args: Any, **kwargs: Any) -> Any:
            with self.clone():
                return function(*args, **kwargs)

        return inside  # type: ignore[return-value]


def _generator(switch: _Switch, function: Any) -> Any:
    """Run each step of a generator inside the switch, and its consumer outside."""

    @functools.wraps(function)
    def inside(*args: Any, **kwargs: Any) -> Any:
        steps, sent = function(*args, **kwargs), None
        try:
            while True:
                with switch.clone():
                    item = steps.send(sent)
                try:
                    sent = yield item
                except GeneratorExit:
                    raise
                except BaseException as error:
                    with switch.clone():
                        item = steps.throw(error)
                    sent = yield item
        except StopIteration as end:
            return end.value
        finally:
            steps.close()

    return inside


class no_grad(_Switch):
    """Record nothing inside: results do not require gradients. Also a decorator.

    >>> import dovetail as dv
    >>> x = dv.ones(2, requires_grad=True)
    >>> with dv.no_grad():
    ...     (x * 2).requires_grad
    False
    """

    _clear = GRAD

    def __new__(cls, function: Any = None) -> Self:
        made: Any = super().__new__(cls)
        return made if function is None else made(function)

    def __init__(self, function: Any = None) -> None:
        pass


class enable_grad(no_grad):
    """Record inside, also within ``no_grad``. Also a decorator.

    >>> import dovetail as dv
    >>> with dv.no_grad(), dv.enable_grad():
    ...     dv.is_grad_enabled()
    True
    """

    _set, _clear = GRAD, 0


class set_grad_enabled(_Switch):
    """Record or not, by a flag: at once when called as a function, and until the block ends as a context manager.

    >>> import dovetail as dv
    >>> with dv.set_grad_enabled(False):
    ...     dv.is_grad_enabled()
    False
    """

    def __init__(self, mode: bool) -> None:
        if mode.__class__ not in (bool, int):
            raise TypeMismatch("set_grad_enabled()", f"argument 'enabled' (position 1) must be bool, not {type(mode).__name__}")
        self.mode = bool(mode)
        self._previous = STATE.word & GRAD
        STATE.word = (STATE.word & ~GRAD) | (GRAD if mode else 0)

    def __enter__(self) -> None:
        STATE.word = (STATE.word & ~GRAD) | (GRAD if self.mode else 0)

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        STATE.word = (STATE.word & ~GRAD) | self._previous

    def __call__(self, function: F) -> F:
        STATE.word = (STATE.word & ~GRAD) | self._previous  # as a decorator it does not act at once
        return super().__call__(function)

    def clone(self) -> _Switch:
        return type(self)(self.mode)


class set_multithreading_enabled(_Switch):
    """Nothing to switch: a backward runs in the thread that calls it."""

    def __init__(self, mode: bool) -> None:
        self.mode = bool(mode)


class inference_mode(_Switch):
    """Record nothing and mark results, so that they can never enter a graph later: the cheapest way to evaluate.

    >>> import dovetail as dv
    >>> with dv.inference_mode():
    ...     y = dv.ones(2) * 2
    >>> y.is_inference()
    True
    """

    def __new__(cls, mode: Any = True) -> Self:
        made: Any = super().__new__(cls)
        if callable(mode):
            made.__init__(True)
            return made(mode)
        return made

    def __init__(self, mode: Any = True) -> None:
        self.mode = bool(mode)
        self._set, self._clear = (INFERENCE, GRAD) if mode else (GRAD, INFERENCE)

    def clone(self) -> _Switch:
        return type(self)(self.mode)


def is_grad_enabled() -> bool:
    """Whether operations are being recorded in this thread.

    >>> import dovetail as dv
    >>> dv.is_grad_enabled()
    True
    """
    return bool(STATE.word & GRAD)


def is_inference_mode_enabled() -> bool:
    """Whether this thread is inside ``inference_mode``.

    >>> import dovetail as dv
    >>> dv.is_inference_mode_enabled()
    False
    """
    return bool(STATE.word & INFERENCE)


class observing:
    """Call an observer around every op of this thread inside the block: ``observer(op, args, run) -> result``."""

    def __init__(self, observer: Any) -> None:
        self.observer = observer

    def __enter__(self) -> Any:
        self._before = STATE.observers
        STATE.observers = (*self._before, self.observer)
        STATE.word |= OBSERVE
        return self.observer

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        STATE.observers = self._before
        if not self._before:
            STATE.word &= ~OBSERVE
