"""Anomaly mode: backward stops at the op whose gradient is NaN."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from ..errors import GradError
from .engine import late
from .node import Node

__all__ = ["detect_anomaly", "is_anomaly_check_nan_enabled", "is_anomaly_enabled", "set_anomaly_enabled", "set_detect_anomaly"]

_mode = [False, True]  # enabled, check_nan


def _inspect(node: Node, grads: Any) -> None:
    """Refuse a NaN among the gradients of a node."""
    for k, g in enumerate(grads):
        if g is not None and node.edges[k] is not None and g._a.dtype.kind in "fcV" and bool((g._a != g._a).any()):
            what = f"Function '{node.name()}' returned nan values in its {k}th output."
            raise GradError("backward", what, "", "look for 0/0, the logarithm or root of 0, or infinities in what it was given")


def set_anomaly_enabled(mode: bool, check_nan: bool = True) -> None:
    """Switch the mode for the process; programs call :class:`set_detect_anomaly`."""
    _mode[:] = bool(mode), bool(check_nan)
    late.inspect = _inspect if mode and check_nan else None


def is_anomaly_enabled() -> bool:
    """Whether the mode is on."""
    return _mode[0]


def is_anomaly_check_nan_enabled() -> bool:
    """Whether NaN is looked for while the mode is on."""
    return _mode[1]


class set_detect_anomaly:
    """Switch anomaly mode: at once when called as a function, until the block ends as a context manager.

    In it backward raises a GradError (RuntimeError) that names the op whose gradient is NaN; the line of the forward call,
    which PyTorch prints, is not kept.

    >>> import dovetail as dv
    >>> x = dv.zeros(1, requires_grad=True)
    >>> with set_detect_anomaly(True):
    ...     (x * 0).sqrt().backward()
    Traceback (most recent call last):
    dovetail.errors.GradError: backward: Function 'MulBackward0' returned nan values in its 0th output.; look for ...
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
