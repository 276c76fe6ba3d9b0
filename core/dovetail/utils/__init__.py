"""The import paths that PyTorch programs use: ``utils.data``, ``utils.checkpoint`` and kin."""

from __future__ import annotations

from ..absent import answers
from . import checkpoint, data, dlpack, hooks, model_zoo

__all__ = ["checkpoint", "data", "dlpack", "hooks", "model_zoo"]

_, __getattr__, __dir__ = answers(__name__)
