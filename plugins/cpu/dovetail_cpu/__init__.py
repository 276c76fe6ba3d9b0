"""Native kernels for CPUs; the core finds them by the manifest, so programs need not import this.

>>> import dovetail_cpu
>>> dovetail_cpu.instruction_set() in ("avx512", "avx2", "baseline")
True
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

__all__ = ["empty_cache", "instruction_set", "memory_stats", "reset_peak_memory_stats", "set_cache_limit", "warp"]


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


def warp(
    image: np.ndarray, places: np.ndarray, origin: np.ndarray, size: tuple[int, int], fill: np.ndarray | None = None, bytes: bool = False
) -> Any:
    """An image (C, H, W) read bilinearly where ``places`` says, of ``size`` (H', W'); NotImplemented for arrays that it has no code for.

    ``places`` is (H', W', 2), pairs (x, y) in -1..1 over the image's outer edges; or (3, 3): of the point (j + origin[0], i + origin[1], 1)
    of row i and column j the first two rows of it over the third, plus origin[2]. All arrays are contiguous and of the image's type,
    float32 or float64. Outside is zero, or ``fill`` (C,). With ``bytes`` the result is rounded, halves to even.

    >>> import numpy as np
    >>> image = np.array([[[0, 2], [4, 6]]], np.float32)
    >>> warp(image, np.zeros((1, 1, 2), np.float32), np.zeros(3, np.float32), (1, 1))
    array([[[3.]]], dtype=float32)
    """
    from . import _native

    return _native.warp(image, places, origin, *size, fill, bytes)


def __getattr__(name: str) -> Any:
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; there is {', '.join(__all__)}")
