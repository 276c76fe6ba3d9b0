"""The random numbers of this process: seeds, states, and a block after which they continue as if it had not been."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from .generator import default_generator
from .ops.random import get_rng_state, initial_seed, manual_seed, seed, set_rng_state

__all__ = ["default_generator", "fork_rng", "get_rng_state", "initial_seed", "manual_seed", "seed", "set_rng_state"]


@contextmanager
def fork_rng(devices: Sequence[Any] | None = None, enabled: bool = True, *_: Any, device_type: str = "cuda") -> Iterator[None]:
    """Draw and seed freely in the block; after it the CPU's random numbers continue as if nothing had been drawn.

    On a GPU the block draws from a stream of its own, since CuPy cannot copy a generator's state.

    >>> import dovetail as dv
    >>> from dovetail.random import fork_rng
    >>> _ = dv.manual_seed(0); first = dv.rand(1)
    >>> _ = dv.manual_seed(0)
    >>> with fork_rng():
    ...     _ = dv.rand(5)
    >>> bool(dv.rand(1) == first)
    True
    """
    if not enabled:
        yield
        return
    gpu = sys.modules.get(f"{__package__}.ops._random_gpu")
    kept, cuda = default_generator._get_state_array(), gpu.fork() if gpu is not None else None
    try:
        yield
    finally:
        default_generator._set_state_array(kept)
        if gpu is not None:
            gpu.restore(cuda)
