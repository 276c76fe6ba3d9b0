"""The kernels, each named as in the manifest: a forward on raw arrays, which returns NotImplemented where the reference is to serve.

A native function whose name ends in an underscore writes over its first array: it serves the in-place form.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

import dovetail
from dovetail.extend import Array, Kernel, on_num_threads

from . import _native

NAMES = (
    "matmul matmul_nt matmul_tn matmul_folded_tn linear linear_grad neg abs square sqrt rsqrt reciprocal exp log tanh sigmoid relu silu "
    "add sub mul div maximum minimum tanh_grad sigmoid_grad relu_grad silu_grad erf gelu gelu_grad batch_norm "
    "batch_norm_grad batch_norm_infer layer_norm layer_norm_grad avg_pool avg_pool_grad softmax softmax_grad log_softmax "
    "log_softmax_grad logsumexp cross_entropy cross_entropy_grad sum mean sum_to embedding embedding_grad sgd_update adam_update "
    "lstm_layer lstm_layer_grad attention attention_grad cat gru_layer gru_layer_grad binary_cross_entropy "
    "binary_cross_entropy_with_logits mse_loss prelu cumsum add_scaled addcmul addcdiv lerp sign sgn tril triu gather gather_grad index "
    "index_select getitem_grad"
).split()
_native.set_num_threads(dovetail.get_num_threads())
on_num_threads(_native.set_num_threads)
if (_limit := os.environ.get("DOVETAIL_CPU_CACHE", "")).isdecimal():
    _native.set_cache_limit(int(_limit))


def _on_copy(into: Callable[..., Any]) -> Kernel:
    """The kernel of an op that changes its first array: out of place, a copy of that."""

    def forward(input: Array, *rest: Any) -> Any:
        out = np.array(input, order="C")
        return NotImplemented if into(out, *rest) is NotImplemented else out

    return Kernel(forward, into=into)


_ADD, _WRITE, _MOST, _LEAST, _TIMES = range(5)  # as in picking.h
_REDUCTIONS = {"sum": _ADD, "mean": _ADD, "amax": _MOST, "amin": _LEAST, "prod": _TIMES}


def _scatter_add(input: Any, dim: int, index: Any, src: Any) -> Any:
    return _native.scatter_(input, dim, index, src, _ADD)


def _scatter_reduce(input: Any, dim: int, index: Any, src: Any, reduce: str, include_self: bool = True) -> Any:
    """In place; what one of the calls declines the first one has declined."""
    how = _REDUCTIONS.get(reduce)
    if how is None or not hasattr(src, "dtype"):
        return NotImplemented
    if not include_self:
        start = src if how in (_MOST, _LEAST) else np.full(src.shape, how == _TIMES, src.dtype)
        if _native.scatter_(input, dim, index, start, _WRITE) is NotImplemented:
            return NotImplemented
    if _native.scatter_(input, dim, index, src, how) is NotImplemented:
        return NotImplemented
    if reduce == "mean":
        count = np.full(input.shape, include_self, input.dtype)
        _native.scatter_(count, dim, index, np.ones(src.shape, src.dtype), _ADD)
        return np.divide(input, np.maximum(count, 1, out=count), out=input)
    return input


index_add, scatter_add, scatter_reduce = _on_copy(_native.index_add_), _on_copy(_scatter_add), _on_copy(_scatter_reduce)

_POWERS: dict[Any, Callable[[Array], Any]] = {  # as the reference has them, product by product
    2: _native.square,
    3: lambda x: _native.mul_(_native.square(x), x),
    0.5: _native.sqrt,
    -0.5: _native.rsqrt,
    -1: _native.reciprocal,
    -2: lambda x: _native.reciprocal(_native.square(x)),
}


def _pow(input: Any, exponent: Any) -> Any:
    short = None if hasattr(exponent, "dtype") else _POWERS.get(exponent)
    return NotImplemented if short is None else short(input)


pow = Kernel(_pow)


def __getattr__(name: str) -> Kernel:
    """A kernel by its op's name: the native function of that name is its forward."""
    if name not in NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return Kernel(getattr(_native, name), into=getattr(_native, f"{name}_", None))
