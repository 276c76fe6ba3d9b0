"""``dovetail.cuda.nvtx``: ranges and marks that NVIDIA's profiler shows, by CuPy. Without a GPU each is a NoDevice (RuntimeError)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dovetail.device import cupy
from dovetail.errors import UnsupportedError

__all__ = ["mark", "range", "range_end", "range_pop", "range_push", "range_start"]


def _nvtx() -> Any:
    cupy()
    from cupy.cuda import nvtx

    return nvtx


def range_push(msg: str) -> None:
    """Begin a range."""
    _nvtx().RangePush(msg)


def range_pop() -> None:
    """End the range that was begun last."""
    _nvtx().RangePop()


def mark(msg: str) -> None:
    """Mark a moment."""
    _nvtx().Mark(msg)


@contextmanager
def range(msg: str, *args: Any, **kwargs: Any) -> Iterator[None]:
    """A block that is a range."""
    range_push(msg.format(*args, **kwargs))
    try:
        yield
    finally:
        range_pop()


def range_start(msg: str) -> int:
    """Always an error: CuPy has ranges that nest, not others."""
    cupy()
    raise UnsupportedError("nvtx.range_start", "CuPy has no ranges that end in any order", "", "use range_push and range_pop")


def range_end(range_id: int) -> None:
    """Always an error, as `range_start`."""
    range_start("")
