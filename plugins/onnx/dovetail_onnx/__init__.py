"""ONNX for Dovetail: a look at model files; each part is imported when it is first used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["ModelInfo", "inspect"]

__version__ = "0.2.0"


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module(f"{__name__}.summary"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
