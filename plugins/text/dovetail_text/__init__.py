"""Text for Dovetail: tokenizers, language models and generation, each imported when it is first used."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

__all__ = ["generation", "models", "tokenizers"]

__version__ = "0.1.1"


def __getattr__(name: str) -> ModuleType:
    if name in __all__:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
