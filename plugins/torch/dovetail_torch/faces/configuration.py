"""``torch.__config__``: what the library was built with, as programs read it, which look for ``USE_MKL=ON`` and its like."""

from __future__ import annotations

import os

import dovetail as dv

from .collect_env import get_pretty_env_info

__all__ = ["parallel_info", "show"]


def show() -> str:
    """What `utils.collect_env` says, and PyTorch's build settings: the parts that it may have and that are not here are off.

    >>> "USE_MKL=OFF" in show()
    True
    """
    cuda = "ON" if dv.cuda.is_available() else "OFF"
    parts = ", ".join(f"USE_{part}=OFF" for part in ("CUDNN", "MKL", "MKLDNN", "MPI", "NCCL", "NNPACK", "OPENMP", "ROCM"))
    return f"Dovetail:\n{get_pretty_env_info()}\nBuild settings: USE_CUDA={cuda}, {parts}\n"


def parallel_info() -> str:
    """How many threads operations use.

    >>> parallel_info().splitlines()[1].startswith("at::get_num_threads() : ")
    True
    """
    said = [f"at::get_num_threads() : {dv.get_num_threads()}", f"at::get_num_interop_threads() : {dv.get_num_interop_threads()}"]
    variables = [f"{name} : {os.environ.get(name, '[not set]')}" for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")]
    return "\n".join(["Dovetail:", *said, f"hardware_concurrency() : {os.cpu_count()}", "Environment variables:", *variables, ""])


def _cxx_flags() -> str:
    """Nothing: extensions are not compiled against this library."""
    return ""
