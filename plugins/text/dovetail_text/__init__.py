"""Text for Dovetail: tokenizers, vocabularies, transforms, collators, datasets, models, generation, each imported when first used."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

__all__ = [
    "data",
    "datasets",
    "disable_torchtext_deprecation_warning",
    "functional",
    "generation",
    "lora",
    "models",
    "nn",
    "pipelines",
    "prototype",
    "schedules",
    "tokenizers",
    "transforms",
    "utils",
    "vocab",
]

__version__ = "0.2.0"


def disable_torchtext_deprecation_warning() -> None:
    """Nothing to switch off: torchtext 0.18 warned of its end when it was imported, and programs call this before they go on."""


def __getattr__(name: str) -> ModuleType:
    if name in __all__:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
