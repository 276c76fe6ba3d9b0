"""The kernels, each named as in the manifest: a forward on raw arrays, which returns NotImplemented where the reference is to serve."""

from __future__ import annotations

import os

import dovetail
from dovetail.extend import Kernel, on_num_threads

from . import _native

__all__ = ["linear", "matmul", "matmul_folded_tn", "matmul_nt", "matmul_tn"]

_native.set_num_threads(dovetail.get_num_threads())
on_num_threads(_native.set_num_threads)
if (_limit := os.environ.get("DOVETAIL_CPU_CACHE", "")).isdecimal():
    _native.set_cache_limit(int(_limit))

matmul = Kernel(_native.matmul)
matmul_nt = Kernel(_native.matmul_nt)
matmul_tn = Kernel(_native.matmul_tn)
matmul_folded_tn = Kernel(_native.matmul_folded_tn)
linear = Kernel(_native.linear)
