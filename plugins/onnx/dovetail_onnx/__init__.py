"""ONNX for Dovetail: models written as ONNX files, and a look into such files; each part is imported when it is first used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["ExportMismatch", "MissingLowerings", "ModelInfo", "Unlowered", "Unsolved", "explain_export", "export", "inspect"]

__version__ = "0.2.0"


_WHERE = {"ModelInfo": "summary", "inspect": "summary"}


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module(f"{__name__}.{_WHERE.get(name, 'exporter')}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
