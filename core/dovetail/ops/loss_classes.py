"""Losses over classes: cross-entropy and the negative log-likelihood."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..autograd.node import titled
from ..errors import DtypeError, RangeError, ShapeError, ValueRangeError
from ._arrays import check_index
from ._op import Array, Fixed, op, xp
from ._refuse import listing, refuse_scalar, refuse_types
from ._refuse import type_name as legacy
from .linalg import linear
from .loss import Flag, reduced, reduction_of, refuse_gradient
from .select import where
from .softmax import log_softmax

__all__: list[str] = []
FUNCTIONAL = ("cross_entropy", "linear_cross_entropy", "nll_loss")


def _labels(x: Any, target: Any, weight: Any, ignore_index: int) -> tuple[Any, Any]:
    """(labels with 0 where ignored, (N, 1, *d); their weights, 0 where ignored, of the same shape)."""
    m = xp(x)
    at = target[:, None] if target.dtype.kind == "i" else target[:, None].astype(np.int64)
    ignored = at == ignore_index
    at = m.where(ignored, 0, at)
    if not check_index(at, x.shape[1]):
        what = f"Target {at[(at < 0) | (at >= x.shape[1])].flat[0]} is out of bounds."
        raise RangeError("cross_entropy", what, f"Expected a label in [0, {x.shape[1] - 1}] or ignore_index={ignore_index}")
    weights = m.ones(at.shape, x.dtype) if weight is None else weight.astype(x.dtype, copy=False)[at]
    weights[ignored] = 0
    return at, weights


def _finish(loss: Any, weights: Any, reduction: str) -> Any:
    """The loss of a batch from that of each label, (N, 1, *d); for tensors and bare arrays."""
    return loss.sum() / weights.sum() if reduction == "mean" else reduced(loss[:, 0], reduction)


def _nll(logp: Any, target: Any, weight: Any, ignore_index: int, reduction: str, smoothing: float = 0.0) -> Any:
    """The negative log-likelihood of labels under log-probabilities (N, C, *d), by ops; `smoothing` is spread over all classes."""
    x = logp._a
    _labels(x, target._a, None, ignore_index)  # refuses labels outside
    at = target.unsqueeze(1).long()
    kept = at != ignore_index
    at = where(kept, at, 0)
    loss = where(kept, -logp.gather(1, at), 0)  # what is ignored has a gradient of zero also where nothing counts
    weights = kept.type_as(logp) if weight is None else weight[at].type_as(logp) * kept
    loss = loss * weights
    if smoothing:
        each = logp if weight is None else logp * weight.reshape((-1, *(1,) * (x.ndim - 2)))
        loss = (1 - smoothing) * loss - smoothing / x.shape[1] * where(kept, each.sum(1, keepdim=True), 0)
    return _finish(loss, weights, reduction)


@op(dtypes="floating", saves=("logp",), autocast="float32", name="cross_entropy")
def _cross_entropy(input: Array, target: Fixed, weight: Fixed | None, ignore_index: int, reduction: str) -> Array:
    """The negative log-likelihood of log-softmax over dimension 1, for class labels."""
    m = xp(input)
    logp = input - input.max(axis=1, keepdims=True)
    logp -= m.log(m.exp(logp).sum(axis=1, keepdims=True))
    at, weights = _labels(input, target, weight, ignore_index)
    return _finish(-m.take_along_axis(logp, at, axis=1) * weights, weights, reduction), logp


@_cross_entropy.vjp
def _(g: Any, target: Any, weight: Any, ignore_index: Any, reduction: Any, logp: Any) -> Any:
    return cross_entropy_grad(g, logp, target, weight, ignore_index, reduction)


@_cross_entropy.composite
def _(input: Any, target: Any, weight: Any, ignore_index: int, reduction: str) -> Any:
    return _nll(log_softmax(input, 1), target, weight, ignore_index, reduction)


@op
def cross_entropy_grad(grad: Array, logp: Array, target: Fixed, weight: Fixed | None, ignore_index: int, reduction: str) -> Array:
    """The gradient of cross-entropy by the logits, from their log-softmax: ``scale · weight · (softmax - 1 at the label)``."""
    m = xp(grad)
    at, weights = _labels(logp, target, weight, ignore_index)
    each = grad[:, None] if reduction == "none" else grad / (weights.sum() if reduction == "mean" else 1)
    own = m.where(target[:, None] != ignore_index, each, 0).astype(logp.dtype, copy=False) * weights
    out = m.exp(logp)
    out *= own
    m.put_along_axis(out, at, m.take_along_axis(out, at, axis=1) - own, axis=1)
    return out


def cross_entropy(
    input: Any, target: Any, weight: Any = None, size_average: Flag = None, ignore_index: int = -100,
    reduce: Flag = None, reduction: str = "mean", label_smoothing: float = 0.0,
) -> Any:  # fmt: skip
    """``-Σ_c q_c log softmax(input)_c`` of logits (C), (N, C) or (N, C, *d) and targets: labels (N, *d), or probabilities q like the input.

    Labels equal to `ignore_index` do not count; `weight` (C) weighs the classes, also in the mean over labels. Raises an IndexError
    for a label out of bounds, a ValueError for batch sizes that differ, a RuntimeError for other shapes and types.

    >>> import dovetail as dv
    >>> dv.nn.functional.cross_entropy(dv.tensor([[0., 0.], [2., 0.]]), dv.tensor([0, 0]))
    tensor(0.4100)
    """
    where = "cross_entropy"
    reduction = reduction_of(where, size_average, reduce, reduction)
    if not 0 <= label_smoothing <= 1:
        raise ShapeError(where, f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    x, t = input._a, target._a
    if x.ndim and x.shape == t.shape:
        return _by_probabilities(input, target, weight, ignore_index, reduction, label_smoothing)
    input, target, single = _check(where, input, target, weight)
    if label_smoothing:
        refuse_types(where, input._a, "iub")
        out = titled("Add0", _nll(log_softmax(input, 1), target, weight, ignore_index, reduction, label_smoothing))
    else:
        out = _cross_entropy(input, target, weight, ignore_index, reduction)
        out = titled("NllLoss2D0", out) if input._a.ndim > 2 else out
    return out.reshape(()) if single else out


def _check(where: str, input: Any, target: Any, weight: Any) -> tuple[Any, Any, bool]:
    """Check shapes and types of labels, and bring a single sample to a batch of one."""
    x, t = input._a, target._a
    if t.dtype.kind == "f":
        refuse_scalar(where, x)
    if not x.ndim:
        kind = ValueRangeError if where == "nll_loss" else ShapeError
        raise kind(where, "Expected 1 or more dimensions (got 0): input tensor should be 1D or 2D", f"got shape {listing(x.shape)}")
    if x.ndim > 1 and (t.ndim < 1 or x.shape[0] != t.shape[0]):
        got = t.shape[0] if t.ndim else 1
        raise ValueRangeError(
            where,
            f"Expected input batch_size ({x.shape[0]}) to match target batch_size ({got}).",
            f"Shapes {listing(x.shape)} and {listing(t.shape)}",
            "give one label to each row",
        )
    if x.ndim <= 2 and t.ndim >= x.ndim:
        text = f"0D or 1D target tensor expected, multi-target not supported (target {listing(t.shape)}, input {listing(x.shape)})"
        raise ShapeError(where, text, "labels have the shape [N]", "squeeze(1) a column, argmax(1) one-hot labels")
    if x.ndim > 2 and t.shape != (x.shape[0], *x.shape[2:]):
        text = f"size mismatch (got input: {listing(x.shape)}, target: {listing(t.shape)})"
        raise ShapeError(where, text, f"expected target {listing((x.shape[0], *x.shape[2:]))}")
    if t.dtype.name not in (("int64", "uint8") if x.ndim < 3 else ("int64",)):
        text = f"expected target dtype to be Long or Byte, but got {legacy(t.dtype)}"
        raise DtypeError(where, text, "", "convert the labels with .long(), or give probabilities in the input's shape")
    _check_weight(where, x, weight)
    if x.ndim == 1:
        return input.reshape((1, *x.shape)), target.reshape((1,)), True
    return input, target, False


def _check_weight(where: str, x: Any, weight: Any) -> None:
    refuse_gradient(where, weight=weight)
    classes = x.shape[0 if x.ndim == 1 else 1]
    if weight is not None and weight._a.shape != (classes,):
        text = f"weight tensor should be defined either for all {classes} classes or no classes but got weight tensor of shape: "
        raise ShapeError(where, text + listing(weight._a.shape))
    if weight is not None and weight._a.dtype != x.dtype:
        raise DtypeError(where, f"expected scalar type {legacy(x.dtype)} but found {legacy(weight._a.dtype)} (weight)")


def _by_probabilities(input: Any, target: Any, weight: Any, ignore_index: int, reduction: str, smoothing: float) -> Any:
    where, x = "cross_entropy", input._a
    if target._a.dtype.kind in "iub":
        text = f"Expected floating point type for target with class probabilities, got {legacy(target._a.dtype)}"
        raise DtypeError(where, text, "", "convert it with .float(); labels have one dimension less than the input")
    if ignore_index >= 0:
        raise ShapeError(where, f"ignore_index is not supported for floating point target (ignore_index={ignore_index})")
    dim = 0 if x.ndim == 1 else 1
    _check_weight(where, x, weight)
    if smoothing:
        target = target * (1 - smoothing) + smoothing / x.shape[dim]
    logp = log_softmax(input, dim)
    if weight is not None:
        logp = logp * weight.reshape((-1, *(1,) * (x.ndim - 1 - dim)))
    loss = -(logp * target).sum(dim)
    return titled("Div1", loss.sum() / (math.prod(x.shape) / x.shape[dim])) if reduction == "mean" else reduced(loss, reduction)


def nll_loss(
    input: Any, target: Any, weight: Any = None, size_average: Flag = None, ignore_index: int = -100,
    reduce: Flag = None, reduction: str = "mean",
) -> Any:  # fmt: skip
    """``-weight[t] · input[n, t]`` of log-probabilities (C), (N, C) or (N, C, *d) at labels t (N, *d); errors as :func:`cross_entropy`.

    >>> import dovetail as dv
    >>> dv.nn.functional.nll_loss(dv.tensor([[-1., -2.], [-3., -4.]]), dv.tensor([0, 1]))
    tensor(2.5000)
    """
    reduction = reduction_of("nll_loss", size_average, reduce, reduction)
    input, target, single = _check("nll_loss", input, target, weight)
    refuse_types("nll_loss", input._a, "iub")
    out = titled("NllLoss2D0" if input._a.ndim > 2 else "NllLoss0", _nll(input, target, weight, ignore_index, reduction))
    return out.reshape(()) if single else out


def linear_cross_entropy(
    input: Any, linear_weight: Any, target: Any, *, linear_bias: Any = None, weight: Any = None, reduction: str = "mean",
    ignore_index: int | None = None, label_smoothing: float = 0.0, options: Any = None,
) -> Any:  # fmt: skip
    """:func:`cross_entropy` of ``input @ linear_weightᵀ + linear_bias``, (N, F) and (C, *d, F) giving scores (N, C, *d).

    >>> import dovetail as dv
    >>> dv.nn.functional.linear_cross_entropy(dv.ones(1, 2), dv.zeros(3, 2), dv.tensor([1]))
    tensor(1.0986)
    """
    rows, size = input._a.shape[:-1], linear_weight._a.shape
    shape, bias = (*rows, *size[:-1]), linear_bias
    ok = len(size) >= 2 and (len(rows) == 1 or len(rows) + len(size) == 2) and (bias is None or bias._a.shape == size[:-1])
    if not ok or (target._a.shape == shape and ignore_index is not None):
        what = f"input is {listing(input._a.shape)}, linear_weight {listing(size)}, target {listing(target._a.shape)}"
        raise ShapeError("linear_cross_entropy", f"{what}, ignore_index {ignore_index}", "expected (N, F), (C, F) and (N,)")
    scores = linear(input, linear_weight.reshape(-1, size[-1]), bias if bias is None else bias.reshape(-1)).reshape(shape)
    return cross_entropy(scores, target, weight, None, -100 if ignore_index is None else ignore_index, None, reduction, label_smoothing)
