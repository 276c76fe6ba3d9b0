"""Whether a model is being exported, for models that ask."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

__all__ = ["exporting", "is_in_onnx_export"]

_EXPORTING: ContextVar[bool] = ContextVar("exporting", default=False)


def is_in_onnx_export() -> bool:
    """Whether `export` or `explain_export` is running the model; in this thread.

    >>> import dovetail as dv
    >>> from dovetail.onnx import export, load
    >>> model = export(lambda x: x * 2 if is_in_onnx_export() else x * 3, dv.ones(1))
    >>> is_in_onnx_export(), float(load(model)(dv.ones(1)))
    (False, 2.0)
    """
    return _EXPORTING.get()


@contextlib.contextmanager
def exporting() -> Iterator[None]:
    """A block in which `is_in_onnx_export` is true."""
    before = _EXPORTING.set(True)
    try:
        yield
    finally:
        _EXPORTING.reset(before)
