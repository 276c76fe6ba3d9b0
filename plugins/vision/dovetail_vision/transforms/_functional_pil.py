"""The name by which programs import torchvision's functions on PIL images, which are those of ``transforms.functional`` here."""

from __future__ import annotations

from typing import Any

from . import functional

__all__: list[str] = []


def __getattr__(name: str) -> Any:
    return getattr(functional, name)
