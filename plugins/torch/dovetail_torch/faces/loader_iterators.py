"""Classes of ``torch.utils.data.dataloader`` that programs name in annotations and ask iterators about."""

from __future__ import annotations

__all__: list[str] = []


class _BaseDataLoaderIter:
    """An iterator of PyTorch's loader: those here are generators, and none is one."""


class _SingleProcessDataLoaderIter(_BaseDataLoaderIter):
    """One that loads in the process itself."""


class _MultiProcessingDataLoaderIter(_BaseDataLoaderIter):
    """One that loads in worker processes."""
