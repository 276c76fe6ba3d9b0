"""Losses of elementwise differences and of probabilities, and what all losses share: reductions and their older arguments."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ..autograd.node import wrap
from ..dtypes import get_default_dtype
from ..errors import DtypeError, GradError, ShapeError, ValueRangeError
from ._op import Array, Fixed, op, xp
from ._refuse import listing, refuse_types, tensors
from .activation_more import logsigmoid
from .dropout import Improbable
from .elementwise import xlogy
from .views import broadcast_tensors

__all__: list[str] = []
FUNCTIONAL = (
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "gaussian_nll_loss", "huber_loss", "kl_div", "l1_loss", "mse_loss",
    "poisson_nll_loss", "smooth_l1_loss",
)  # fmt: skip


Flag = bool | None  # what the older spelling of a reduction holds


def reduction_of(where: str, size_average: Flag, reduce: Flag, reduction: str, *pair: Any) -> str:
    """The reduction that is meant; `size_average` and `reduce` are its older spelling. A ValueError for an unknown one.

    Warns where a `pair`, input and target, broadcast, which is rarely meant.
    """
    if pair and pair[0]._a.shape != pair[1]._a.shape:
        a, b = (t._a.shape for t in pair)
        text = f"{where}: Using a target size ({listing(b)}) that is different to the input size ({listing(a)}). "
        text += "This will likely lead to incorrect results due to broadcasting. Please ensure they have the same size"
        warnings.warn(f"{text}: squeeze(1) makes (N,) of (N, 1).", stacklevel=3)
    if size_average is not None or reduce is not None:
        reduction = "none" if reduce is not None and not reduce else "mean" if size_average is None or size_average else "sum"
        warnings.warn(f"size_average and reduce args will be deprecated, please use reduction='{reduction}' instead.", stacklevel=3)
    if reduction not in ("none", "mean", "sum"):
        raise ValueRangeError(where, f"{reduction} is not a valid value for reduction", "expected none, mean or sum")
    return reduction


def reduced(loss: Any, reduction: str) -> Any:
    """The loss of a batch: each element's, their mean or their sum; for tensors and bare arrays."""
    if reduction == "none":
        return loss
    return loss.mean() if reduction == "mean" else loss.sum()


def refuse_gradient(where: str, **tensors: Any) -> None:
    """Refuse arguments that PyTorch does not differentiate but that require a gradient."""
    for name, t in tensors.items():
        if t is not None and t._n is not None:
            text = f"The function '{where}' is not differentiable with respect to argument '{name}'"
            raise GradError(where, text, "This input cannot have requires_grad True.", "detach() it")


def _of_difference(name: str, value: Callable[[Any, float], Any], slope: Callable[[Any, float], Any], factor: int = 1) -> Any:
    """An op for a loss f(input - target, bound), by its value on arrays and its slope, over `factor`, by ops."""

    @op(name=name, dtypes="floating", autocast="float32")
    def loss(input: Array, target: Array, reduction: str, bound: float) -> Array:
        return reduced(value(input - target, bound), reduction)

    @loss.vjp
    def _(g: Any, input: Any, target: Any, reduction: Any, bound: Any, needs: Any) -> Any:
        d = input - target
        by_input = slope(d, bound) * _each(g, d, reduction, None, factor)
        return by_input if needs[0] else None, -by_input if needs[1] else None

    return loss


def _each(g: Any, like: Any, reduction: str, weight: Any = None, factor: int = 1) -> Any:
    """The gradient that each element's loss receives, times `factor`."""
    g = g / (like._a.size / factor) if reduction == "mean" else g if factor == 1 else g * factor
    return g if weight is None else g * weight


def _huber(d: Any, bound: float) -> Any:
    a = abs(d)
    return xp(d).where(a < bound, 0.5 * a * a, bound * (a - 0.5 * bound)).astype(d.dtype, copy=False)


def _huber_slope(d: Any, bound: float) -> Any:
    return d.where(d.abs() < bound, d.sign() * bound)


_mse = _of_difference("mse_loss", lambda d, _: d * d, lambda d, _: d, 2)
_l1 = _of_difference("l1_loss", lambda d, _: abs(d), lambda d, _: d.sgn())
_huber_op = _of_difference("huber_loss", _huber, _huber_slope)
_smooth_l1 = _of_difference("smooth_l1_loss", lambda d, beta: _huber(d, beta) / beta, lambda d, beta: _huber_slope(d, beta) / beta)


def _pair(input: Any, target: Any) -> Any:
    """Both with dimensions: a tensor without them then counts as much for the type as what it is compared with."""
    return (input, target) if input._a.shape and target._a.shape else broadcast_tensors(input, target)


def _weighted(where: str, loss: Any, input: Any, target: Any, weight: Any, reduction: str) -> Any:
    """A loss of differences, each element's weighed by `weight`; the mean is then taken over the weights."""
    if weight is None:
        return loss(*_pair(input, target), reduction, 0.0)
    each = loss(*_pair(input, target), "none", 0.0)
    if weight._a.shape != each._a.shape:
        raise ValueRangeError(where, "Weights and input must have the same size.")
    return (each * weight).sum() / weight.sum() if reduction == "mean" else reduced(each * weight, reduction)


def mse_loss(input: Any, target: Any, size_average: Flag = None, reduce: Flag = None, reduction: str = "mean", weight: Any = None) -> Any:
    """Squared error ``(input - target)²``, averaged, summed or for each element; with `weight` a weighted average.

    Warns where the shapes differ and broadcast. Raises a ValueError for an unknown reduction.

    >>> import dovetail as dv
    >>> dv.nn.functional.mse_loss(dv.tensor([1., 2.]), dv.tensor([1., 4.]))
    tensor(2.)
    """
    reduction = reduction_of("mse_loss", size_average, reduce, reduction, input, target)
    return _weighted("mse_loss", _mse, input, target, weight, reduction)


def l1_loss(input: Any, target: Any, size_average: Flag = None, reduce: Flag = None, reduction: str = "mean", weight: Any = None) -> Any:
    """Absolute error ``|input - target|``; arguments as for :func:`mse_loss`.

    >>> import dovetail as dv
    >>> dv.nn.functional.l1_loss(dv.tensor([1., 2.]), dv.tensor([1., 4.]), reduction="sum")
    tensor(2.)
    """
    reduction = reduction_of("l1_loss", size_average, reduce, reduction, input, target)
    if input._a.dtype.kind in "iub" and target._a.dtype.kind in "iub" and weight is None:
        return reduced((input - target).abs(), reduction)  # a mean of integers is refused there
    return _weighted("l1_loss", _l1, input, target, weight, reduction)


def smooth_l1_loss(
    input: Any, target: Any, size_average: Flag = None, reduce: Flag = None, reduction: str = "mean", beta: float = 1.0
) -> Any:
    """``d²/2β`` where |d| = |input - target| < β, ``|d| - β/2`` elsewhere. Raises a RuntimeError for a negative beta.

    >>> import dovetail as dv
    >>> dv.nn.functional.smooth_l1_loss(dv.tensor([0., 3.]), dv.zeros(2), reduction="none")
    tensor([0.0000, 2.5000])
    """
    reduction = reduction_of("smooth_l1_loss", size_average, reduce, reduction, input, target)
    if beta < 0:
        raise ShapeError("smooth_l1_loss", f"smooth_l1_loss does not support negative values for beta (beta={beta})")
    return _l1(*_pair(input, target), reduction, 0.0) if beta == 0 else _smooth_l1(*_pair(input, target), reduction, beta)


def huber_loss(input: Any, target: Any, reduction: str = "mean", delta: float = 1.0, weight: Any = None) -> Any:
    """``d²/2`` where |d| = |input - target| < δ, ``δ(|d| - δ/2)`` elsewhere. Raises a RuntimeError unless delta is positive.

    >>> import dovetail as dv
    >>> dv.nn.functional.huber_loss(dv.tensor([0., 3.]), dv.zeros(2), reduction="none", delta=2.)
    tensor([0., 4.])
    """
    reduction = reduction_of("huber_loss", None, None, reduction, input, target)
    if delta <= 0:
        raise ShapeError("huber_loss", f"huber_loss does not support non-positive values for delta (delta={delta})")
    if input._a.dtype.kind in "iub" and target._a.dtype.kind not in "iub":
        raise DtypeError("huber_loss", f"result type {target.dtype} can't be cast to the desired output type {input.dtype}")
    if weight is not None and weight._a.shape != input._a.shape:
        raise ValueRangeError("huber_loss", "Weights and input must have the same size.")
    out = _huber_op(input, target, reduction if weight is None else "none", delta)
    out = out if input._a.dtype == target._a.dtype else out.to(input.dtype)
    return out if weight is None else reduced(out * weight, reduction)


@op(name="binary_cross_entropy", dtypes="floating")
def _bce(input: Array, target: Array, weight: Fixed | None, reduction: str) -> Array:
    """``-(t log x + (1 - t) log(1 - x))``, the logarithms no lower than -100."""
    m = xp(input)
    loss = (target - 1) * m.maximum(m.log1p(-input), -100) - target * m.maximum(m.log(input), -100)
    return reduced(loss if weight is None else loss * weight, reduction)


@_bce.vjp
def _(g: Any, input: Any, target: Any, weight: Any, reduction: Any, needs: Any) -> Any:
    g = _each(g, input, reduction, weight)
    # the bound is PyTorch's for every type: 1e-12 as a float32
    by_input = (input - target) / ((1 - input) * input).clamp(min=9.999999960041972e-13) * g if needs[0] else None
    return by_input, ((-input).log1p() - input.log()) * g if needs[1] else None


def binary_cross_entropy(
    input: Any, target: Any, weight: Any = None, size_average: Flag = None, reduce: Flag = None, reduction: str = "mean"
) -> Any:
    """``-(t log x + (1 - t) log(1 - x))`` of probabilities x = `input` and targets t, the logarithms no lower than -100.

    Raises a ValueError where the shapes differ, a RuntimeError for an input outside [0, 1] or types that differ.

    >>> import dovetail as dv
    >>> dv.nn.functional.binary_cross_entropy(dv.tensor([0.5]), dv.tensor([1.]))
    tensor(0.6931)
    """
    where = "binary_cross_entropy"
    reduction = reduction_of(where, size_average, reduce, reduction)
    x, t = input._a, target._a
    if x.shape != t.shape:
        text = f"Using a target size ({listing(t.shape)}) that is different to the input size ({listing(x.shape)}) is deprecated"
        raise ValueRangeError(where, text, "Please ensure they have the same size.")
    if x.dtype != t.dtype:
        raise DtypeError(where, f"Found dtype {t.dtype} but expected {x.dtype}", "", "convert the target with .to(input.dtype)")
    for name, a in (("input", x), ("target", t)):
        if a.__class__ is np.ndarray and not ((a >= 0) & (a <= 1)).all():
            raise Improbable(
                where,
                f"all elements of {name} should be between 0 and 1",
                f"got {float(a.min()):g} to {float(a.max()):g}",
                "apply sigmoid, or use the form with logits",
            )
    refuse_gradient(where, weight=weight)
    return _bce(input, target, weight, reduction)


@op(name="binary_cross_entropy_with_logits", dtypes="floating", autocast="float32")
def _bce_logits(input: Array, target: Array, weight: Fixed | None, pos_weight: Fixed | None, reduction: str) -> Array:
    """``(1 - t) x + (1 + (p - 1) t) log(1 + exp(-x))``, without overflow."""
    m = xp(input)
    soft = m.log1p(m.exp(-abs(input)))
    soft += m.maximum(-input, 0)
    if pos_weight is not None:
        soft *= (pos_weight - 1) * target + 1
    soft += (1 - target) * input
    return reduced(soft if weight is None else soft * weight, reduction)


@_bce_logits.vjp
def _(g: Any, input: Any, target: Any, weight: Any, pos_weight: Any, reduction: Any, needs: Any) -> Any:
    g = _each(g, input, reduction, weight)
    if pos_weight is None:
        return (input.sigmoid() - target) * g if needs[0] else None, -input * g if needs[1] else None
    by_input = input.sigmoid() * ((pos_weight - 1) * target + 1) - target * pos_weight
    return by_input * g if needs[0] else None, ((1 - pos_weight) * logsigmoid(input) - input) * g if needs[1] else None


def binary_cross_entropy_with_logits(
    input: Any, target: Any, weight: Any = None, size_average: Flag = None, reduce: Flag = None, reduction: str = "mean",
    pos_weight: Any = None,
) -> Any:  # fmt: skip
    """:func:`binary_cross_entropy` of ``sigmoid(input)``, without overflow; `pos_weight` weighs the positive targets.

    Raises a ValueError where the shapes differ, a RuntimeError for a target that is not floating.

    >>> import dovetail as dv
    >>> dv.nn.functional.binary_cross_entropy_with_logits(dv.tensor([0.]), dv.tensor([1.]))
    tensor(0.6931)
    """
    where = "binary_cross_entropy_with_logits"
    reduction = reduction_of(where, size_average, reduce, reduction)
    x, t = input._a, target._a
    if x.shape != t.shape:
        text = f"Target size ({listing(t.shape)}) must be the same as input size ({listing(x.shape)})"
        raise ValueRangeError(where, text, "", "squeeze or unsqueeze one of them")
    if t.dtype.kind in "iub":
        text = f"result type {x.dtype} can't be cast to the desired output type {t.dtype}"
        raise DtypeError(where, text, "expected a floating-point target", "convert it with .float()")
    refuse_types(where, x, "iub")
    refuse_gradient(where, weight=weight, pos_weight=pos_weight)
    return _bce_logits(input.to(target.dtype), target, weight, pos_weight, reduction)  # PyTorch computes in place of 1 - target


def kl_div(
    input: Any, target: Any, size_average: Flag = None, reduce: Flag = None, reduction: str = "mean", log_target: bool = False
) -> Any:
    """Kullback-Leibler divergence ``t (log t - input)`` of log-probabilities `input` from `target` t (its logarithm with `log_target`).

    Reduction "batchmean" divides the sum by the first dimension, which is the mathematical mean.

    >>> import dovetail as dv
    >>> dv.nn.functional.kl_div(dv.tensor([[-1., -1.]]), dv.tensor([[0., 1.]]), reduction="batchmean")
    tensor(1.)
    """
    for t in (input, target):
        refuse_types("kl_div", t._a, "iub")
    mean = reduction == "batchmean"
    reduction = "sum" if mean else reduction_of("kl_div", size_average, reduce, reduction)
    if reduction == "mean":
        text = "reduction: 'mean' divides the total loss by both the batch size and the support size.'batchmean' divides only by "
        warnings.warn(text + "the batch size, and aligns with the KL math definition.", stacklevel=2)
    out = reduced(target.exp() * (target - input) if log_target else xlogy(target, target) - target * input, reduction)
    return out / input._a.shape[0] if mean and input._a.ndim else out


def poisson_nll_loss(
    input: Any, target: Any, log_input: bool = True, full: bool = False, size_average: Flag = None, eps: float = 1e-8,
    reduce: Flag = None, reduction: str = "mean",
) -> Any:  # fmt: skip
    """Negative log-likelihood of counts: ``exp(x) - t·x``, or ``x - t·log(x + eps)`` without `log_input`.

    With `full` Stirling's ``t log t - t + log(2πt)/2`` is added where t > 1.

    >>> import dovetail as dv
    >>> dv.nn.functional.poisson_nll_loss(dv.tensor([0.]), dv.tensor([2.]))
    tensor(1.)
    """
    tensors("poisson_nll_loss", target=target)
    refuse_types("poisson_nll_loss", input._a, "b")
    reduction = reduction_of("poisson_nll_loss", size_average, reduce, reduction)
    loss = input.exp() - target * input if log_input else input - target * (input + eps).log()
    if full:
        loss = loss + (target * target.log() - target + 0.5 * (2 * math.pi * target).log()).masked_fill(target <= 1, 0)
    return reduced(loss, reduction)


def gaussian_nll_loss(input: Any, target: Any, var: Any, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> Any:
    """Negative log-likelihood of normal values: ``(log v + (input - target)² / v) / 2`` with v = max(var, eps).

    With `full` the constant ``log(2π)/2`` is added. Raises a ValueError for a negative variance or one of another shape.

    >>> import dovetail as dv
    >>> dv.nn.functional.gaussian_nll_loss(dv.tensor([1.]), dv.tensor([3.]), dv.tensor([1.]))
    tensor(2.)
    """
    where, shape = "gaussian_nll_loss", input._a.shape
    if isinstance(var, float | int):
        kind = get_default_dtype().np if input._a.dtype.kind in "iub" else input._a.dtype
        negative, var = var < 0, wrap(xp(input._a).full(shape, var, kind))
    else:
        refuse_types(where, var._a, "iub")
        negative = bool((var._a < 0).any())
    if var._a.shape != shape:
        if var._a.shape == shape[:-1]:
            var = var.unsqueeze(-1)
        elif len(shape) != var._a.ndim or sum(y for x, y in zip(shape, var._a.shape, strict=True) if x != y) != 1:
            raise ValueRangeError(where, f"var is of incorrect size ({listing(var._a.shape)} for input {listing(shape)})")
    if negative:
        raise ValueRangeError(where, "var has negative entry/entries", "expected variances")
    reduction = reduction_of(where, None, None, reduction)
    var = var + wrap((xp(var._a).maximum(var._a, eps) - var._a).astype(var._a.dtype))  # max(var, eps) whose gradient ignores the bound
    loss = 0.5 * (var.log() + (input - target) ** 2 / var)
    return reduced(loss + 0.5 * math.log(2 * math.pi) if full else loss, reduction)
