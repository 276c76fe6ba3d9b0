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

_WHERE = {
    "DistributedDataParallel": "parallel", "ShardedCheckpointer": "checkpointer", "ZeroRedundancyOptimizer": "distributed.optim",
    "sync_batch_norm": "norm",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module(f"{__name__}.{_WHERE.get(name, 'errors')}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__]
