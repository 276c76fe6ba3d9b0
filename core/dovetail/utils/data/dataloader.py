"""The loader under PyTorch's path."""

from __future__ import annotations

from ...data import DataLoader, default_collate, default_convert, get_worker_info
from .dataset import Dataset, IterableDataset
from .sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler

__all__ = [
    "BatchSampler", "DataLoader", "Dataset", "IterableDataset", "RandomSampler", "Sampler", "SequentialSampler", "default_collate",
    "default_convert", "get_worker_info",
]  # fmt: skip
