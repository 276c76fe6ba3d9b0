"""Functions that PyTorch has below its layers, at the top of its package: ``torch.lstm``, ``torch.native_layer_norm``, ``sym_int``."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import dovetail as dv
from dovetail.errors import GradError, ShapeError
from dovetail.nn import functional as F
from dovetail.nn.utils.rnn import PackedSequence

__all__ = [
    "SymBool", "SymFloat", "SymInt", "autocast_decrement_nesting", "autocast_increment_nesting", "cond", "eig", "feature_dropout", "gru",
    "legacy_contiguous_format", "lstm", "lstsq", "matrix_rank", "native_batch_norm", "native_dropout", "native_group_norm",
    "native_layer_norm", "rnn_relu", "rnn_tanh", "set_autocast_cpu_dtype", "set_autocast_cpu_enabled",
    "set_autocast_gpu_dtype", "solve", "sym_float", "sym_int", "sym_ite", "sym_max", "sym_min", "sym_not", "sym_sqrt", "sym_sum",
    "symeig",
]  # fmt: skip

legacy_contiguous_format = dv.contiguous_format
_NESTING = [0]


def cond(pred: Any, true_fn: Callable[..., Any], false_fn: Callable[..., Any], operands: Any = ()) -> Any:
    """``true_fn(*operands)`` where `pred` is true, else ``false_fn(*operands)``: only the one is run.

    Raises a RuntimeError for a `pred` that is neither a bool nor a tensor of one element, and for operands not in a tuple or list.

    >>> cond(dv.tensor(True), lambda x: x + 1, lambda x: x - 1, (dv.ones(1),))
    tensor([2.])
    """
    if not isinstance(pred, bool | int | float | dv.Tensor) or (isinstance(pred, dv.Tensor) and pred.numel() != 1):
        what = f"Expected pred to be bool or single-element tensor, but got {pred}."
        raise GradError("cond", what, "", "reduce it with any() or all()")
    if not isinstance(operands, tuple | list):
        what = f"Expect operands to be a tuple of possibly nested dict/list/tuple, got {type(operands).__name__}"
        raise GradError("cond", what, "", "write (operands,)")
    return (true_fn if pred else false_fn)(*operands)


# --- recurrent layers by their weights -------------------------------------------------------------------------------


def _recurrent(kind: str, input: Any, second: Any, third: Any, *rest: Any) -> tuple[Any, ...]:
    """The layer over padded ``(input, hx, params, …, batch_first)`` or packed ``(data, batch_sizes, hx, params, …)``: out, *states."""
    packed = isinstance(rest[0], tuple | list)
    hx, params = (third, rest[0]) if packed else (second, third)
    biased, layers, dropout, train, ways, *first = rest[1:] if packed else rest
    params = list(params)
    hidden = (hx[0] if kind == "LSTM" else hx).shape[-1]
    cell = (hx[1] if kind == "LSTM" else hx).shape[-1]
    options = {"bias": biased, "dropout": dropout, "bidirectional": ways, "batch_first": bool(first and first[0])}
    if kind == "LSTM" and cell != hidden:
        options["proj_size"] = hidden
    if kind.startswith("RNN"):
        options["nonlinearity"] = kind[4:].lower()
    made = getattr(dv.nn, kind[:3] if kind.startswith("RNN") else kind)
    layer = made(params[0].shape[1], cell, layers, **options, device="meta").train(train)
    names = [name for name, _ in layer.named_parameters()]
    if len(names) != len(params):
        what = f"got {len(params)} parameters; a layer of {layers} levels has {len(names)}"
        raise ShapeError(kind.lower(), what, ", ".join(names[:4]) + ", …")
    given = PackedSequence(input, second) if packed else input
    state = tuple(hx) if kind == "LSTM" else hx
    out, states = dv.func.functional_call(layer, dict(zip(names, params, strict=True)), (given, state))
    return (out.data if packed else out, *(states if kind == "LSTM" else (states,)))


def lstm(input: Any, *args: Any) -> tuple[Any, Any, Any]:
    """An LSTM by its weights: ``lstm(input, (h, c), params, has_biases, num_layers, dropout, train, bidirectional, batch_first)``.

    Packed data: ``lstm(data, batch_sizes, (h, c), params, …)`` without the last. `params` lie in a layer's order. Gives out, h, c.

    >>> layer, x, zero = dv.nn.LSTM(2, 3), dv.ones(4, 1, 2), dv.zeros(1, 1, 3)
    >>> out, h, c = lstm(x, (zero, zero), list(layer.parameters()), True, 1, 0.0, False, False, False)
    >>> bool((out == layer(x)[0]).all())
    True
    """
    out, h, c = _recurrent("LSTM", input, *args)
    return out, h, c


def gru(input: Any, *args: Any) -> tuple[Any, Any]:
    """A GRU by its weights, with arguments as :func:`lstm` and one state. Gives out, h.

    >>> layer, x = dv.nn.GRU(2, 3), dv.ones(4, 1, 2)
    >>> gru(x, dv.zeros(1, 1, 3), list(layer.parameters()), True, 1, 0.0, False, False, False)[0].shape
    dovetail.Size([4, 1, 3])
    """
    out, h = _recurrent("GRU", input, *args)
    return out, h


def rnn_tanh(input: Any, *args: Any) -> tuple[Any, Any]:
    """An Elman network with tanh by its weights, with arguments as :func:`gru`."""
    out, h = _recurrent("RNN_TANH", input, *args)
    return out, h


def rnn_relu(input: Any, *args: Any) -> tuple[Any, Any]:
    """An Elman network with relu by its weights, with arguments as :func:`gru`."""
    out, h = _recurrent("RNN_RELU", input, *args)
    return out, h


# --- norms and dropout with what they keep ----------------------------------------------------------------------------


def _moments(x: Any, dims: Any, eps: float, keepdim: bool = False) -> tuple[Any, Any]:
    """Mean and 1 / sqrt(variance + eps), without history."""
    x = x.detach()
    return x.mean(dims, keepdim), (x.var(dims, correction=0, keepdim=keepdim) + eps).rsqrt()


def native_layer_norm(input: Any, normalized_shape: Any, weight: Any, bias: Any, eps: float) -> tuple[Any, Any, Any]:
    """``nn.functional.layer_norm`` with the mean and 1 / sqrt(variance + eps) of each row.

    >>> native_layer_norm(dv.tensor([[1., 3.]]), (2,), None, None, 0.)
    (tensor([[-1.,  1.]]), tensor([[2.]]), tensor([[1.]]))
    """
    out = F.layer_norm(input, normalized_shape, weight, bias, eps)
    dims = tuple(range(-len(tuple(normalized_shape)), 0))
    return (out, *_moments(input, dims, eps, True))


def native_group_norm(input: Any, weight: Any, bias: Any, N: int, C: int, HxW: int, group: int, eps: float) -> tuple[Any, Any, Any]:
    """``nn.functional.group_norm`` with the mean and 1 / sqrt(variance + eps) of each group, (N, group) each."""
    out = F.group_norm(input, group, weight, bias, eps)
    return (out, *_moments(input.reshape(N, group, C // group * HxW), 2, eps))


def native_batch_norm(
    input: Any, weight: Any, bias: Any, running_mean: Any, running_var: Any, training: bool, momentum: float, eps: float
) -> tuple[Any, Any, Any]:
    """``nn.functional.batch_norm`` with the batch's mean and 1 / sqrt(variance + eps) (C), which are empty outside training.

    >>> native_batch_norm(dv.tensor([[1.], [3.]]), None, None, None, None, True, 0.1, 1e-5)[1:]
    (tensor([2.]), tensor([1.0000]))
    """
    out = F.batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)
    if not training:
        return out, input.new_empty(0), input.new_empty(0)
    return (out, *_moments(input, [d for d in range(input.dim()) if d != 1], eps))


def native_dropout(input: Any, p: float, train: bool | None) -> tuple[Any, Any]:
    """Dropout with the mask of what stayed.

    >>> native_dropout(dv.ones(2), 0.5, False)
    (tensor([1., 1.]), tensor([True, True]))
    """
    kept = F.dropout(dv.ones_like(input), p, train is not False)
    return input * kept if train is not False else input.clone(), kept != 0


def feature_dropout(input: Any, p: float, train: bool) -> Any:
    """Dropout of whole channels of (N, C, *).

    >>> feature_dropout(dv.ones(1, 2, 3), 0.5, False).shape
    dovetail.Size([1, 2, 3])
    """
    if input.dim() < 2:
        raise ShapeError("feature_dropout", "Feature dropout requires at least 2 dimensions in the input", f"got {input.dim()}")
    return input * F.dropout(input.new_ones(*input.shape[:2], *[1] * (input.dim() - 2)), p, train)


# --- autocast's older switches ----------------------------------------------------------------------------------------


def set_autocast_cpu_dtype(dtype: Any) -> None:
    """``set_autocast_dtype("cpu", dtype)``."""
    dv.set_autocast_dtype("cpu", dtype)


def set_autocast_gpu_dtype(dtype: Any) -> None:
    """``set_autocast_dtype("cuda", dtype)``."""
    dv.set_autocast_dtype("cuda", dtype)


def set_autocast_cpu_enabled(enabled: bool) -> None:
    """``set_autocast_enabled("cpu", enabled)``."""
    dv.set_autocast_enabled("cpu", enabled)


def autocast_increment_nesting() -> int:
    """One more block of autocast is open, for those who write such a block themselves; how many there are."""
    _NESTING[0] += 1
    return _NESTING[0]


def autocast_decrement_nesting() -> int:
    """One block less; how many there are."""
    _NESTING[0] -= 1
    return _NESTING[0]


# --- numbers that PyTorch's compiler may not know yet: here they are numbers --------------------------------------------


class SymInt:
    """An int that a compiler has yet to learn: there are none, so nothing is an instance."""


class SymFloat:
    """A float that a compiler has yet to learn: there are none."""


class SymBool:
    """A bool that a compiler has yet to learn: there are none."""


def sym_int(a: Any) -> int:
    """``int(a)``: towards zero.

    >>> sym_int(-2.5)
    -2
    """
    return math.floor(a) if a >= 0 else math.ceil(a)


def sym_float(a: Any) -> float:
    """``float(a)``."""
    return float(a)


def sym_not(a: Any) -> bool:
    """``not a``."""
    return not a


def sym_max(a: Any, b: Any) -> Any:
    """The larger number; a float if one of them is.

    >>> sym_max(3, 2.5)
    3.0
    """
    return float(max(a, b)) if isinstance(a, float) or isinstance(b, float) else max(a, b)


def sym_min(a: Any, b: Any) -> Any:
    """The smaller number; a float if one of them is."""
    return float(min(a, b)) if isinstance(a, float) or isinstance(b, float) else min(a, b)


def sym_sqrt(a: Any) -> float:
    """``sqrt(a)``."""
    return math.sqrt(a)


def sym_sum(args: Any) -> Any:
    """``sum(args)``."""
    return sum(args)


def sym_ite(b: bool, t: Any, f: Any) -> Any:
    """``t if b else f``."""
    return t if b else f


# --- what PyTorch has removed, and says so ------------------------------------------------------------------------------


def _removed(name: str, instead: str) -> Callable[..., Any]:
    def gone(*args: Any, **kwargs: Any) -> Any:
        raise GradError(name, "This function was deprecated since version 1.9 and is now removed.", "", f"use dovetail.linalg.{instead}")

    gone.__name__ = gone.__qualname__ = name
    gone.__doc__ = f"Removed from PyTorch: always a RuntimeError, which names ``linalg.{instead}``."
    return gone


eig, symeig, lstsq = _removed("eig", "eig"), _removed("symeig", "eigh"), _removed("lstsq", "lstsq")
solve, matrix_rank = _removed("solve", "solve"), _removed("matrix_rank", "matrix_rank")
