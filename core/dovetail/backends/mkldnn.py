"""``backends.mkldnn``: oneDNN is not used."""

from __future__ import annotations

__all__ = ["is_available"]


def is_available() -> bool:
    """False: oneDNN is not used.

    >>> import dovetail as dv
    >>> dv.backends.mkldnn.is_available()
    False
    """
    return False
