"""What autocast does to a call: PyTorch's lists of what runs in the lower type, in float32, or as it is, and the recorded casts."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from ..autograd.modes import AUTOCAST, STATE
from ..autograd.node import CLASSES
from ..device import device_of
from ..dtypes import HALF, from_numpy_dtype

__all__ = ["alike", "autocasting", "cast_for", "state_without"]

# On the CPU, by op; on a GPU the category stands in the op's own declaration.
_LOWER = set("addmm attention convolution convolution_input_grad einsum linear lstm_layer matmul prelu rnn_layer".split())
_FULL = set(
    "binary_cross_entropy binary_cross_entropy_with_logits cross_entropy ctc fft_c2c fft_c2r fft_r2c huber_loss l1_loss linalg_cholesky "
    "linalg_eigh linalg_inv linalg_lstsq linalg_qr linalg_solve linalg_svd mse_loss prod smooth_l1_loss trace view_as_complex".split()
)
# Functions composed of ops that PyTorch lists as a whole.
_WHOLE = set(
    "adaptive_avg_pool3d adaptive_max_pool3d avg_pool3d cdist cosine_embedding_loss ctc_loss eigh eigvalsh fft fft2 fftn grid_sample "
    "hinge_embedding_loss ifft ifft2 ifftn inv inverse irfft irfft2 irfftn kl_div lstsq margin_ranking_loss max_pool3d max_unpool1d "
    "max_unpool2d max_unpool3d multi_margin_loss multilabel_margin_loss nanquantile nll_loss pinverse poisson_nll_loss qr quantile rfft "
    "rfft2 rfftn soft_margin_loss solve svd svdvals triplet_margin_loss".split()
)
_LOWERED = set(
    "conv1d conv2d conv3d conv_tbc conv_transpose1d conv_transpose2d conv_transpose3d inner prelu scaled_dot_product_attention".split()
)
_AS_IT_IS = set("addmv addr bilinear dot ger lstm_cell mv outer vdot".split())
_SINGLE = np.dtype(np.float32)


def cast_for(op: Any, args: Any) -> Any:
    """The arguments of an op with its floating tensors (float64 stays) in the type that its category asks for."""
    device = next((device_of(t._a).type for t in args if t.__class__ in CLASSES), "cpu")
    lower = STATE.autocast.get(device)
    if lower is None:
        return args
    if device == "cpu":
        category = "lower" if op.name in _LOWER else "float32" if op.name in _FULL else "own" if op.name == "gru_layer" else None
    else:
        category = op.autocast
    if category is None or (op.name == "einsum" and len(args[1]) < 2):
        return args
    return _cast(args, lower if category == "lower" else _SINGLE if category == "float32" else _own_type(args, lower))


def alike(a: Any, b: Any) -> bool:
    """Whether two arrays have one type, or get one from autocast."""
    casts = STATE.word & AUTOCAST and device_of(a).type in STATE.autocast
    return a.dtype == b.dtype or bool(casts and {a.dtype, b.dtype} <= {_SINGLE, *HALF})


def _own_type(args: Any, lower: Any) -> Any:
    """The type in which a GRU or a cell runs: the lower one where its input has it, else float32; None for float64, which stays."""
    dtype = next((t._a.dtype for t in args if t.__class__ in CLASSES), None)
    return lower if dtype == lower else _SINGLE if dtype in {_SINGLE, *HALF} else None


def _cast(value: Any, dtype: Any) -> Any:
    if value.__class__ in CLASSES:
        own = value._a.dtype
        return value.to(from_numpy_dtype(dtype)) if dtype is not None and own != dtype and own in {_SINGLE, *HALF} else value
    if value.__class__ in (tuple, list):
        return value.__class__(_cast(v, dtype) for v in value)
    return value


class state_without:
    """A block in which autocast is off, whatever is around it."""

    def __enter__(self) -> None:
        self._before, STATE.autocast = STATE.autocast, {}
        STATE.word &= ~AUTOCAST

    def __exit__(self, *_: Any) -> None:
        STATE.autocast = self._before
        STATE.word |= AUTOCAST if self._before else 0


def autocasting(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as autocast treats it as a whole, where PyTorch lists it; itself otherwise."""
    name = function.__name__
    full, lowered = name in _WHOLE or name == "pad", name in _LOWERED
    if not full and not lowered and name not in _AS_IT_IS:
        return function

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if not STATE.word & AUTOCAST:
            return function(*args, **kwargs)
        given = (*args, *kwargs.values())
        device = next((device_of(t._a).type for t in given if t.__class__ in CLASSES), "cpu")
        lower = STATE.autocast.get(device)
        dtype = lower if lowered else _own_type(given, lower) if name == "lstm_cell" else _SINGLE
        if lowered or name == "lstm_cell" or (full and (name != "pad" or {"reflect", "replicate"} & {kwargs.get("mode"), *args[2:3]})):
            args = _cast(args, dtype)
            kwargs = {key: _cast(value, dtype) for key, value in kwargs.items()}
        with state_without():
            return function(*args, **kwargs)

    return call
