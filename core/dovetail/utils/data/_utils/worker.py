"""What a worker knows of itself, under PyTorch's private path."""

from __future__ import annotations

from ....data.fetch import WorkerInfo, get_worker_info

__all__ = ["WorkerInfo", "get_worker_info"]
