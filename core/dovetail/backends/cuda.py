"""``backends.cuda``: whether CUDA can be used, and switches that change nothing."""

from __future__ import annotations

import importlib.util

from ..absent import answers

__all__, __getattr__, __dir__ = answers(__name__)
__all__ = ["is_built", *__all__]  # noqa: PLE0604


def is_built() -> bool:
    """Whether CuPy is installed; `dovetail.cuda.is_available()` says whether there is a GPU too.

    >>> import dovetail as dv
    >>> dv.backends.cuda.is_built() or not dv.cuda.is_available()
    True
    """
    return importlib.util.find_spec("cupy") is not None
