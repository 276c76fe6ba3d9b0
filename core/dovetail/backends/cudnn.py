"""``backends.cudnn``: cuDNN is not used, so that its switches change nothing."""

from __future__ import annotations

__all__ = ["allow_tf32", "benchmark", "deterministic", "enabled", "is_available", "version"]

enabled = True
benchmark = False
deterministic = False
allow_tf32 = True


def is_available() -> bool:
    """False: convolutions are this project's own.

    >>> import dovetail as dv
    >>> dv.backends.cudnn.is_available()
    False
    """
    return False


def version() -> int | None:
    """None: no cuDNN is loaded."""
    return None
