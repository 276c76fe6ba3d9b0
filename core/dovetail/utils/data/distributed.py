"""The sampler of one process among several, under PyTorch's path."""

from __future__ import annotations

from ...data.sampler import DistributedSampler

__all__ = ["DistributedSampler"]
