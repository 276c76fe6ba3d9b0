"""``backends.mkl``: MKL is not called by name; NumPy brings its own BLAS."""

from __future__ import annotations

__all__ = ["is_available"]


def is_available() -> bool:
    """False: MKL is not called by name; NumPy brings its own BLAS.

    >>> import dovetail as dv
    >>> dv.backends.mkl.is_available()
    False
    """
    return False
