"""``backends.cuda``: whether CUDA can be used, and switches that change nothing."""

from __future__ import annotations

import importlib.util

__all__ = [
    "enable_cudnn_sdp", "enable_flash_sdp", "enable_math_sdp", "enable_mem_efficient_sdp", "is_built", "matmul",
]  # fmt: skip


class matmul:
    """Switches of matrix products on a GPU, where CuPy decides."""

    allow_tf32 = False
    allow_fp16_reduced_precision_reduction = True
    allow_bf16_reduced_precision_reduction = True


def is_built() -> bool:
    """Whether CuPy is installed; `dovetail.cuda.is_available()` says whether there is a GPU too.

    >>> import dovetail as dv
    >>> dv.backends.cuda.is_built() or not dv.cuda.is_available()
    True
    """
    return importlib.util.find_spec("cupy") is not None


def enable_flash_sdp(enabled: bool) -> None:
    """Nothing: attention has one algorithm."""


enable_mem_efficient_sdp = enable_math_sdp = enable_cudnn_sdp = enable_flash_sdp
