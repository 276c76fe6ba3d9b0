"""``backends.mps``: Apple's GPUs are not used."""

from __future__ import annotations

__all__ = ["is_available", "is_built"]


def is_available() -> bool:
    """False: Apple's GPUs are not used.

    >>> import dovetail as dv
    >>> dv.backends.mps.is_available()
    False
    """
    return False


def is_built() -> bool:
    """False, likewise."""
    return False
