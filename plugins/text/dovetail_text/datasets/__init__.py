"""Corpora and datasets of text: one that ships, and any of Hugging Face's."""

from __future__ import annotations

from .blocks import BlockDataset, lm_blocks
from .hub import HFDataset, HFIterableDataset, from_files, hf
from .pydoc import PyDoc

__all__ = ["BlockDataset", "HFDataset", "HFIterableDataset", "PyDoc", "from_files", "hf", "lm_blocks"]
