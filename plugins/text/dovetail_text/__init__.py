"""Text for Dovetail: tokenizers, vocabularies, transforms, collators, datasets, models, generation, each imported when first used."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

__all__ = [
    "data",
    "datasets",
    "functional",
    "generation",
    "lora",
    "models",
    "pipelines",
    "prototype",
    "schedules",
    "tokenizers",
    "transforms",
    "vocab",
]

__version__ = "0.2.0"


def __getattr__(name: str) -> ModuleType:
    if name in __all__:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
