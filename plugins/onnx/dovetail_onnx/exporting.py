"""Whether a model is being exported, which models ask on every call: nothing else is loaded for it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

__all__ = ["exporting", "is_in_onnx_export"]

_INSIDE = ContextVar("exporting", default=False)


def is_in_onnx_export() -> bool:
    """Whether `export` is running the model, for code that is written otherwise then.

    >>> is_in_onnx_export()
    False
    """
    return _INSIDE.get()


@contextlib.contextmanager
def exporting() -> Iterator[None]:
    """A block in which :func:`is_in_onnx_export` is true."""
    token = _INSIDE.set(True)
    try:
        yield
    finally:
        _INSIDE.reset(token)
