"""The version, and what PyTorch's programs ask of a build."""

from __future__ import annotations

from . import __version__

__all__ = ["__version__", "cuda", "debug", "git_version", "hip", "rocm", "xpu"]

debug = False
cuda: str | None = None  # nothing is built for a version of CUDA: CuPy brings its own
hip = rocm = xpu = git_version = None
