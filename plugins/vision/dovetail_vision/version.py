"""The version, by the module that programs ask for torchvision's."""

from __future__ import annotations

from . import __version__

__all__ = ["__version__", "cuda", "git_version", "hip"]

git_version = "unknown"
cuda: str | None = None
hip: str | None = None
