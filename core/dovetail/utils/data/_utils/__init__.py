"""What programs take from PyTorch's private folder."""

from __future__ import annotations

from . import collate, worker

__all__ = ["collate", "worker"]
