"""``backends.mkl``: MKL is not called by name: NumPy brings its own BLAS."""

from __future__ import annotations

from ..absent import answers

__all__, __getattr__, __dir__ = answers(__name__)
