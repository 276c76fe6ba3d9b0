"""The classes of :mod:`~dovetail_vision.transforms` by the module that torchvision keeps them in."""

from __future__ import annotations

from typing import Any

from dovetail_vision import transforms as home

from . import _helpers

__all__: list[str] = []


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(_helpers if name.startswith("_") else home, name)


def __dir__() -> list[str]:
    return list(home.__all__)
