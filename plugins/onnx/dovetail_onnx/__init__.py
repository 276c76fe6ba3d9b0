"""ONNX for Dovetail: models written as ONNX files and read as trainable modules, a look into such files; all imported when used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = [
    "CProgram", "ExportMismatch", "MissingLowerings", "ModelInfo", "OnnxModule", "Unlowered", "UnsupportedNodes", "Unsolved",
    "explain_export", "export", "inspect", "is_in_onnx_export", "load", "operators", "to_c", "to_web",
]  # fmt: skip

__version__ = "0.2.0"

_WHERE = {
    "ModelInfo": "summary", "inspect": "summary", "is_in_onnx_export": "state",
    "OnnxModule": "importer", "load": "importer", "operators": "importer",
    "CProgram": "c99", "UnsupportedNodes": "c99", "to_c": "c99", "to_web": "web",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module(f"{__name__}.{_WHERE.get(name, 'exporter')}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
