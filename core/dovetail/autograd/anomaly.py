"""Anomaly mode: backward stops at the op whose gradient is NaN."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from types import TracebackType
from typing import Any

from ..errors import GradError
from .engine import late
from .modes import OBSERVE, STATE
from .node import CLASSES, Node

__all__ = ["detect_anomaly", "is_anomaly_check_nan_enabled", "is_anomaly_enabled", "set_anomaly_enabled", "set_detect_anomaly"]

_mode = [False, True]  # enabled, check_nan


def _inspect(node: Node, grads: Any) -> None:
    """Refuse a NaN among the gradients of a node."""
    for k, g in enumerate(grads):
        if g is not None and node.edges[k] is not None and g._a.dtype.kind in "fcV" and bool((g._a != g._a).any()):
            if hasattr(node, "hooks") and "traceback_" in node.metadata:
                where = f"Traceback of forward call that caused the error:\n{node.metadata['traceback_']}"
                warnings.warn(f"Error detected in {node.name()}. {where}", stacklevel=2)
            what = f"Function '{node.name()}' returned nan values in its {k}th output."
            raise GradError("backward", what, "", "look for 0/0, the logarithm or root of 0, or infinities in what it was given")


def _note_line(op: Any, args: Any, run: Callable[[], Any]) -> Any:
    """Keep with a new node the lines that led to it, for `_inspect`; an observer."""
    import traceback  # costs milliseconds, and few need it

    out = run()
    for t in out if isinstance(out, tuple | list) else (out,):
        if t.__class__ in CLASSES and t._n is not None and t.grad_fn is not None:
            t.grad_fn.metadata.setdefault("traceback_", "".join(traceback.format_stack()))
    return out


def set_anomaly_enabled(mode: bool, check_nan: bool = True) -> None:
    """Switch the mode for the process; programs call :class:`set_detect_anomaly`."""
    _mode[:] = bool(mode), bool(check_nan)
    late.inspect = _inspect if mode and check_nan else None
    others = tuple(o for o in STATE.observers if o is not _note_line)
    STATE.observers = (*others, _note_line) if mode else others
    STATE.word = STATE.word | OBSERVE if STATE.observers else STATE.word & ~OBSERVE


def is_anomaly_enabled() -> bool:
    """Whether the mode is on."""
    return _mode[0]


def is_anomaly_check_nan_enabled() -> bool:
    """Whether NaN is looked for while the mode is on."""
    return _mode[1]


class set_detect_anomaly:
    """Switch anomaly mode: at once when called as a function, until the block ends as a context manager.

    In it backward raises a GradError (RuntimeError) that names the op whose gradient is NaN, after a warning with the lines of
    the forward call.

    >>> import dovetail as dv
    >>> x = dv.zeros(1, requires_grad=True)
    >>> with set_detect_anomaly(True):
    ...     (x * 0).sqrt().backward()
    Traceback (most recent call last):
    dovetail.errors.GradError: backward: Function 'MulBackward0' returned nan values in its 0th output. look for ...
    """

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self._before = tuple(_mode)
        set_anomaly_enabled(mode, check_nan)

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        set_anomaly_enabled(*self._before)


class detect_anomaly(set_detect_anomaly):
    """Anomaly mode until the block ends; see :class:`set_detect_anomaly`."""

    def __init__(self, check_nan: bool = True) -> None:
        self._before, self._check = tuple(_mode), check_nan

    def __enter__(self) -> None:
        self._before = tuple(_mode)
        set_anomaly_enabled(True, self._check)
