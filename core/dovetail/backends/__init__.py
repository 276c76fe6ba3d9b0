"""The switches that PyTorch programs set for its libraries: accepted, and without effect, since none of those libraries is used.

Every result here is that of NumPy or CuPy; `is_available()` says honestly that cuDNN, MPS and MKL are not behind it.
"""

from __future__ import annotations

from . import cpu, cuda, cudnn, mkl, mkldnn, mps, openmp

__all__ = ["cpu", "cuda", "cudnn", "mkl", "mkldnn", "mps", "openmp"]
