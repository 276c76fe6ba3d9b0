"""The import paths that PyTorch programs use: ``utils.data``, ``utils.checkpoint`` and kin."""

from __future__ import annotations

import importlib
from typing import Any

from . import checkpoint, data, dlpack, hooks, model_zoo

__all__ = ["checkpoint", "data", "dlpack", "hooks", "model_zoo"]


def __getattr__(name: str) -> Any:
    if name != "_pytree":  # which programs reach without an import of its own
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module(f"{__name__}.{name}")
