"""Losses of margins and embeddings: ranking, triplet, hinge, and several labels at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dovetail_numerics.memoryless import Memoryless

from ..autograd.node import wrap
from ..errors import DtypeError, ShapeError, ValueRangeError
from ._op import xp
from ._refuse import listing, refuse_scalar, refuse_types, tensors, type_name
from .activation_more import logsigmoid
from .distance import pairwise_distance
from .loss import Flag, reduced, reduction_of, refuse_gradient

__all__: list[str] = []
FUNCTIONAL = (
    "cosine_embedding_loss", "hinge_embedding_loss", "margin_ranking_loss", "multi_margin_loss", "multilabel_margin_loss",
    "multilabel_soft_margin_loss", "soft_margin_loss", "triplet_margin_loss", "triplet_margin_with_distance_loss",
)  # fmt: skip


def cosine_embedding_loss(
    input1: Any, input2: Any, target: Any, margin: float = 0, size_average: Flag = None, reduce: Flag = None, reduction: str = "mean"
) -> Any:
    """``1 - cos(x1, x2)`` where the target is 1, ``max(0, cos(x1, x2) - margin)`` where it is -1, along the last dimension.

    Inputs (N, D) with target (N,), or (D,) with a single target. Raises a RuntimeError for other shapes.

    >>> import dovetail as dv
    >>> dv.nn.functional.cosine_embedding_loss(dv.tensor([[1., 0.]]), dv.tensor([[0., 1.]]), dv.tensor([1]))
    tensor(1.)
    """
    where, n = "cosine_embedding_loss", target._a.ndim
    reduction = reduction_of(where, size_average, reduce, reduction)
    if n > 1:
        raise ShapeError(where, f"0D or 1D target tensor expected, multi-target not supported (target {listing(target._a.shape)})")
    if input1._a.ndim != n + 1 or input2._a.ndim != n + 1:
        text = f"{n}D target tensor expects {n + 1}D input tensors, but found inputs with sizes "
        raise ShapeError(where, f"{text}{listing(input1._a.shape)} and {listing(input2._a.shape)}.")
    lengths = [(x * x).sum(-1) + 1e-12 for x in (input1, input2)]
    cos = (input1 * input2).sum(-1) / (lengths[0] * lengths[1]).sqrt()
    like, unlike = ((target == sign).type_as(cos) for sign in (1, -1))
    return reduced((1 - cos) * like + (cos - margin).clamp(min=0) * unlike, reduction)


def margin_ranking_loss(
    input1: Any, input2: Any, target: Any, margin: float = 0, size_average: Flag = None, reduce: Flag = None, reduction: str = "mean"
) -> Any:
    """``max(0, -target (x1 - x2) + margin)``: with target 1 the first should be larger, with -1 the second.

    >>> import dovetail as dv
    >>> dv.nn.functional.margin_ranking_loss(dv.tensor([1.]), dv.tensor([3.]), dv.tensor([1.]))
    tensor(2.)
    """
    where = "margin_ranking_loss"
    reduction = reduction_of(where, size_average, reduce, reduction)
    if not input1._a.ndim == input2._a.ndim == target._a.ndim:
        sizes = ", ".join(f"{n}: {listing(t._a.shape)}" for n, t in (("input1", input1), ("input2", input2), ("target", target)))
        raise ShapeError(where, f"All input tensors should have same dimension but got sizes: {sizes}")
    return reduced((-target * (input1 - input2) + margin).clamp(min=0), reduction)


def hinge_embedding_loss(
    input: Any, target: Any, margin: float = 1.0, size_average: Flag = None, reduce: Flag = None, reduction: str = "mean"
) -> Any:
    """The input where the target is 1, ``max(0, margin - input)`` where it is -1.

    >>> import dovetail as dv
    >>> dv.nn.functional.hinge_embedding_loss(dv.tensor([2., 0.5]), dv.tensor([1., -1.]), reduction="none")
    tensor([2.0000, 0.5000])
    """
    refuse_types("hinge_embedding_loss", input._a, "b")
    reduction = reduction_of("hinge_embedding_loss", size_average, reduce, reduction)
    kind = input._a.dtype
    margin = int(margin) if kind.kind in "iu" else margin
    far, near = ((target != sign).type_as(input) for sign in (1, -1))
    gap = input.detach().new_full((), margin) - input  # PyTorch rounds the margin to the input's type
    return reduced(gap.clamp(min=0) * far + input * near, reduction)


def triplet_margin_loss(
    anchor: Any, positive: Any, negative: Any, margin: float = 1.0, p: float = 2, eps: float = 1e-6, swap: bool = False,
    size_average: Flag = None, reduce: Flag = None, reduction: str = "mean",
) -> Any:  # fmt: skip
    """``max(0, d(a, p) - d(a, n) + margin)`` with p-norm distances along the last dimension (Balntas et al., 2016).

    With `swap` the distance of positive and negative counts where it is the smaller. Raises a ValueError unless margin is positive.

    >>> import dovetail as dv
    >>> a, p, n = dv.zeros(1, 1), dv.tensor([[3.]]), dv.tensor([[1.]])
    >>> dv.nn.functional.triplet_margin_loss(a, p, n).round()
    tensor(3.)
    """
    where = "triplet_margin_loss"
    reduction = reduction_of(where, size_average, reduce, reduction)
    return _triplet(where, anchor, positive, negative, lambda x, y: pairwise_distance(x, y, p, eps), margin, swap, reduction)


def triplet_margin_with_distance_loss(
    anchor: Any, positive: Any, negative: Any, *, distance_function: Callable[[Any, Any], Any] | None = None, margin: float = 1.0,
    swap: bool = False, reduction: str = "mean",
) -> Any:  # fmt: skip
    """:func:`triplet_margin_loss` with any distance (the Euclidean where none is given).

    >>> import dovetail as dv
    >>> a, p, n = dv.zeros(1, 1), dv.tensor([[3.]]), dv.tensor([[1.]])
    >>> dv.nn.functional.triplet_margin_with_distance_loss(a, p, n, distance_function=lambda x, y: (x - y).abs().sum(-1))
    tensor(3.)
    """
    where, distance = "triplet_margin_with_distance_loss", distance_function or pairwise_distance
    return _triplet(where, anchor, positive, negative, distance, margin, swap, reduction_of(where, None, None, reduction))


def _triplet(where: str, anchor: Any, positive: Any, negative: Any, distance: Any, margin: float, swap: bool, reduction: str) -> Any:
    if margin <= 0:
        raise ValueRangeError(where, f"margin must be greater than 0, got {margin}")
    if not anchor._a.ndim == positive._a.ndim == negative._a.ndim:
        text = "The anchor, positive, and negative tensors are expected to have the same number of dimensions, but got: "
        counts = f"anchor {anchor._a.ndim}D, positive {positive._a.ndim}D, and negative {negative._a.ndim}D inputs"
        raise ShapeError(where, text + counts)
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = far.minimum(distance(positive, negative))
    return reduced((near - far + margin).clamp(min=0), reduction)


def soft_margin_loss(input: Any, target: Any, size_average: Flag = None, reduce: Flag = None, reduction: str = "mean") -> Any:
    """``log(1 + exp(-target · input))`` for targets 1 and -1.

    >>> import dovetail as dv
    >>> dv.nn.functional.soft_margin_loss(dv.tensor([0.]), dv.tensor([1.]))
    tensor(0.6931)
    """
    tensors("soft_margin_loss", input=input, target=target)
    reduction = reduction_of("soft_margin_loss", size_average, reduce, reduction)
    refuse_gradient("soft_margin_loss", target=target)
    return reduced(-logsigmoid(target * input), reduction)


def multi_margin_loss(
    input: Any, target: Any, p: int = 1, margin: float = 1.0, weight: Any = None, size_average: Flag = None,
    reduce: Flag = None, reduction: str = "mean",
) -> Any:  # fmt: skip
    """``Σ_{c≠t} max(0, margin - x_t + x_c)^p / C`` for scores (N, C) and labels t (N,), weighted by the label's `weight`.

    Raises a ValueError for a p other than 1 and 2, a RuntimeError for shapes or labels that do not fit.

    >>> import dovetail as dv
    >>> dv.nn.functional.multi_margin_loss(dv.tensor([[0., 2.]]), dv.tensor([0]))
    tensor(1.5000)
    """
    where = "multi_margin_loss"
    reduction = reduction_of(where, size_average, reduce, reduction)
    if p not in (1, 2):
        raise ValueRangeError(where, f"only p == 1 and p == 2 supported (p={p})")
    refuse_gradient(where, weight=weight)
    refuse_types(where, input._a, "iub")
    x, at = (input if input._a.ndim > 1 else input.reshape((1, -1))), (target if target._a.ndim else target.reshape((1,)))
    classes = x._a.shape[1]
    if weight is not None and weight._a.ndim != 1:
        raise ValueRangeError(where, "weight must be one-dimensional")
    if weight is not None and weight._a.shape != (classes,):
        raise ShapeError(where, f"inconsistent weight size, expected {classes} but got {listing(weight._a.shape)}")
    if at._a.shape != (x._a.shape[0],):
        text = "target tensor should be 1-D with size equal to the number of input samples (batch size). Expected target size "
        raise ShapeError(where, f"{text}[{x._a.shape[0]}], but got {listing(at._a.shape)}. Input has shape {listing(x._a.shape)}.")
    if at._a.__class__ is not Memoryless and at._a.size and (int(at._a.min()) < 0 or int(at._a.max()) >= classes):
        raise ShapeError(where, f"target out of range ({classes} classes)")
    gap = (margin - x.gather(1, at.unsqueeze(1)) + x).relu()
    gap = gap * gap if p == 2 else gap
    if weight is not None:
        gap = gap * weight[at].unsqueeze(1)
    others = (wrap(xp(x._a).arange(classes)) != at.unsqueeze(1)).type_as(x)
    return reduced(((gap * others).sum(1) / classes).reshape(target._a.shape), reduction)


def multilabel_margin_loss(input: Any, target: Any, size_average: Flag = None, reduce: Flag = None, reduction: str = "mean") -> Any:
    """``Σ_{t, c} max(0, 1 - (x_t - x_c)) / C`` over the labels t of each sample and the classes c that are not among them.

    `target` (N, C) lists the labels of each sample, ended by -1. Raises a RuntimeError for shapes or labels that do not fit.

    >>> import dovetail as dv
    >>> dv.nn.functional.multilabel_margin_loss(dv.tensor([[0., 1., 3.]]), dv.tensor([[2, -1, 0]]))
    tensor(0.)
    """
    where = "multilabel_margin_loss"
    reduction = reduction_of(where, size_average, reduce, reduction)
    if target._a.shape != input._a.shape:
        raise ShapeError(where, f"inconsistent target size: {listing(target._a.shape)} for input of size: {listing(input._a.shape)}")
    refuse_types(where, input._a, "iub")
    if target._a.dtype != np.int64:
        raise DtypeError(where, f"expected scalar type Long but found {type_name(target._a.dtype)}", "", "convert the target with .long()")
    single = input._a.ndim <= 1
    x, t = (v.reshape((1, -1)) if single else v for v in (input, target))
    classes = x._a.shape[1]
    if t._a.size and (int(t._a.min()) < -1 or int(t._a.max()) >= classes):
        raise ShapeError(where, f"argument #2 'target' is out of range ({classes} classes)")
    listed = (t < 0).cumsum(1) == 0
    labels = t.masked_fill(~listed, -1).unsqueeze(2)
    belongs = (labels == wrap(xp(x._a).arange(classes))).any(1)
    gaps = (1 - x.gather(1, labels[:, :, 0].clamp(min=0)).unsqueeze(2) + x.unsqueeze(1)).relu()
    counts = listed.unsqueeze(2) & ~belongs.unsqueeze(1)
    loss = (gaps * counts.to(x.dtype)).sum((1, 2)) / classes
    return reduced(loss.reshape(()) if single else loss, reduction)


def multilabel_soft_margin_loss(
    input: Any, target: Any, weight: Any = None, size_average: Flag = None, reduce: Flag = None, reduction: str = "mean"
) -> Any:
    """``-mean_c(t log σ(x) + (1 - t) log σ(-x))`` for scores (N, C) and targets t of 0 and 1.

    >>> import dovetail as dv
    >>> dv.nn.functional.multilabel_soft_margin_loss(dv.zeros(1, 2), dv.tensor([[0., 1.]]))
    tensor(0.6931)
    """
    reduction = reduction_of("multilabel_soft_margin_loss", size_average, reduce, reduction)
    refuse_scalar("multilabel_soft_margin_loss", input._a)
    loss = -(target * logsigmoid(input) + (1 - target) * logsigmoid(-input))
    if weight is not None:
        loss = loss * weight
    return reduced(loss.mean(-1), reduction)
