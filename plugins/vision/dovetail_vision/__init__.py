"""Vision for Dovetail: datasets, transforms and models, each imported when it is first used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["datasets", "io", "metrics", "models", "ops", "transforms", "tv_tensors", "utils"]

__version__ = "0.2.0"


_BACKENDS = (
    "disable_beta_transforms_warning", "get_image_backend", "get_video_backend", "set_image_backend", "set_video_backend",
)  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _BACKENDS:
        return getattr(import_module(f"{__name__}._backends"), name)
    if name in __all__ or name in ("extension", "version"):
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__, *_BACKENDS])
