"""Native kernels for CPUs; the core finds them by the manifest, so programs need not import this.

>>> import dovetail_cpu
>>> dovetail_cpu.instruction_set() in ("avx512", "avx2", "baseline")
True
"""

from __future__ import annotations

from typing import Any

__all__ = ["empty_cache", "instruction_set", "memory_stats", "reset_peak_memory_stats", "set_cache_limit"]


def instruction_set() -> str:
    """The set that serves: "avx512", "avx2" or "baseline". The environment variable DOVETAIL_CPU_ISA chooses another at start."""
    from . import _native

    return _native.instruction_set()


def memory_stats() -> dict[str, int]:
    """Of the memory of arrays that kernels made: bytes `allocated` now, `cached` for reuse, `peak`; requests that were `hits` and `misses`.

    What is allocated counts as it was asked for, in blocks of what size it may lie.

    >>> import dovetail_cpu
    >>> sorted(dovetail_cpu.memory_stats())
    ['allocated', 'cached', 'hits', 'misses', 'peak']
    """
    from . import _native

    return _native.memory_stats()


def reset_peak_memory_stats() -> None:
    """Count `peak` of :func:`memory_stats` from what is allocated now.

    >>> import dovetail_cpu
    >>> dovetail_cpu.reset_peak_memory_stats()
    """
    from . import _native

    _native.reset_peak()


def empty_cache() -> None:
    """Give memory that waits for reuse back to the system.

    >>> import dovetail_cpu
    >>> dovetail_cpu.empty_cache()
    >>> dovetail_cpu.memory_stats()["cached"]
    0
    """
    from . import _native

    _native.empty_cache()


def set_cache_limit(limit: int) -> None:
    """Keep at most this many bytes for reuse (1 GiB at first); 0 switches the cache off. DOVETAIL_CPU_CACHE says it at start.

    Raises a ValueError for a negative number.
    """
    from . import _native

    if limit < 0:
        raise ValueError(f"set_cache_limit: limit is {limit}; expected a number of bytes, 0 for no cache")
    _native.set_cache_limit(limit)


def __getattr__(name: str) -> Any:
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; there is {', '.join(__all__)}")
