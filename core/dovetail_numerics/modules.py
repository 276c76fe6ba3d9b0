"""The one place that knows NumPy from CuPy, and from what computes without memory."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from . import memoryless

__all__ = ["xp"]

_NDARRAY = np.ndarray


def xp(array: Any) -> Any:
    """Return the module that computes on this array: ``numpy``, ``cupy`` for one on a GPU, what stands for NumPy on ``meta``."""
    if array.__class__ is _NDARRAY:
        return np
    if array.__class__ is memoryless.Memoryless:
        return memoryless.numpy
    module = sys.modules.get("cupy")
    if module is not None and isinstance(array, module.ndarray):
        return module
    return np
