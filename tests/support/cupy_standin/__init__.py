"""A strict stand-in for CuPy 14: tests of the CUDA path run on it without a GPU.

``install()`` puts it into ``sys.modules``; the pytest fixture ``standin`` does so for one test. It has CuPy's names and no others,
CuPy's signatures, CuPy's type resolution; it refuses implicit conversion, NumPy arrays and ``np.*`` calls, and counts host copies.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import pytest

from .modules import build
from .state import HostCopyError, no_host_copies, state

__all__ = ["HostCopyError", "Standin", "install", "no_host_copies", "standin"]


class Standin:
    """What a test holds: the module, the counters, and the guard."""

    def __init__(self, modules: dict[str, ModuleType]) -> None:
        self.cupy, self.cupyx = modules["cupy"], modules["cupyx"]

    host_copies = property(lambda self: state.host_copies, doc="Copies from the GPU to the host since installation.")
    uploads = property(lambda self: state.uploads, doc="Copies of host arrays and lists to the GPU since installation.")
    synchronizations = property(lambda self: state.synchronizations, doc="Other waits for the GPU: masks, nonzero, synchronize().")
    no_host_copies = staticmethod(no_host_copies)


@contextmanager
def install(devices: int = 1) -> Iterator[Standin]:
    """Let ``import cupy`` give the stand-in, of a machine with this many GPUs; restore what was there before.

    >>> with install() as standin:
    ...     import cupy
    ...     print(cupy.arange(3).sum().shape, standin.host_copies)
    () 0
    """
    before = {path: sys.modules.pop(path) for path in list(sys.modules) if path.split(".")[0] in ("cupy", "cupyx")}
    state.reset(devices)
    modules: dict[str, Any] = build()
    sys.modules.update(modules)
    try:
        yield Standin(modules)
    finally:
        for path in modules:
            sys.modules.pop(path, None)
        sys.modules.update(before)


@pytest.fixture
def standin() -> Iterator[Standin]:
    """The stand-in, installed as ``cupy`` for one test."""
    with install() as installed:
        yield installed
