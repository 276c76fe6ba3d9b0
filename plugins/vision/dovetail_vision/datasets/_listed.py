"""The base of datasets whose images a list names, one path and one target each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .folder import default_loader
from .vision import VisionDataset

__all__ = ["Listed"]


class Listed(VisionDataset):
    """Images by their paths, read by ``loader``, each with its target.

    A subclass fills ``_image_files`` and ``_labels``.
    """

    _image_files: list[Any]
    _labels: list[Any]
    loader: Callable[[Any], Any] = staticmethod(default_loader)

    @property
    def _samples(self) -> list[tuple[Any, Any]]:
        return list(zip(self._image_files, self._labels, strict=True))

    def __getitem__(self, idx: int) -> tuple[Any, Any]:
        return self._each(self.loader(self._image_files[idx]), self._labels[idx])

    def __len__(self) -> int:
        return len(self._image_files)
