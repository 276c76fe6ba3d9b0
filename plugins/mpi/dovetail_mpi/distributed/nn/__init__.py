"""``dovetail.distributed.nn``: collectives that gradients pass through."""

from __future__ import annotations

from . import functional
from .functional import all_gather, all_reduce, all_to_all, broadcast, reduce, reduce_scatter

__all__ = ["all_gather", "all_reduce", "all_to_all", "broadcast", "functional", "reduce", "reduce_scatter"]
