"""``backends.openmp``: OpenMP is not used."""

from __future__ import annotations

__all__ = ["is_available"]


def is_available() -> bool:
    """False: OpenMP is not used.

    >>> import dovetail as dv
    >>> dv.backends.openmp.is_available()
    False
    """
    return False
