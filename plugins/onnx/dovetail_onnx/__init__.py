"""ONNX for Dovetail: models read as trainable modules, and a look at model files; each part is imported when it is first used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["ModelInfo", "OnnxModule", "inspect", "load", "operators"]

__version__ = "0.2.0"

_WHERE = {"ModelInfo": "summary", "inspect": "summary", "OnnxModule": "importer", "load": "importer", "operators": "importer"}


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
