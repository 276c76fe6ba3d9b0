"""The switches that PyTorch programs set for its libraries: accepted, and without effect, since none of those libraries is used.

Every result here is that of NumPy or CuPy; `is_available()` says honestly that cuDNN, MPS and MKL are not behind it.
"""

from __future__ import annotations

from ..absent import answers
from . import cpu, cuda, cudnn, cusparselt, mha, mkl, mkldnn, mps, nnpack, openmp, opt_einsum, quantized

_NAMES, __getattr__, __dir__ = answers(__name__)
__all__ = ["cpu", "cuda", "cudnn", "cusparselt", "mha", "mkl", "mkldnn", "mps", "nnpack", "openmp", "opt_einsum", "quantized"]
__all__ += _NAMES  # noqa: PLE0605
