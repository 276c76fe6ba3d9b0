"""One program in many processes, by MPI: ``dovetail.distributed``, ``DistributedDataParallel``, `dovetail launch`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .checkpointer import ShardedCheckpointer
    from .distributed.optim import ZeroRedundancyOptimizer
    from .errors import DistBackendError, DistError, DistNetworkError
    from .norm import sync_batch_norm
    from .parallel import DistributedDataParallel

__all__ = [
    "DistBackendError", "DistError", "DistNetworkError", "DistributedDataParallel", "ShardedCheckpointer", "ZeroRedundancyOptimizer",
    "sync_batch_norm",
]  # fmt: skip

_HOMES = {  # each is imported when a name of it is first asked for
    "checkpointer": ("ShardedCheckpointer",), "distributed.optim": ("ZeroRedundancyOptimizer",), "norm": ("sync_batch_norm",),
    "errors": ("DistBackendError", "DistError", "DistNetworkError"), "parallel": ("DistributedDataParallel",),
}  # fmt: skip


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__]
