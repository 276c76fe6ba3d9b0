"""Ranks with other numbers of batches, by PyTorch's path: ``dovetail.distributed.algorithms.join``."""

from ...join import Join, Joinable, JoinHook

__all__ = ["Join", "JoinHook", "Joinable"]
