"""Embeddings: rows of a table by number, and sums, means or maxima of bags of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd.modes import GRAD, STATE
from ..autograd.node import changed, wrap
from ..errors import AssertedError, DtypeError, RangeError, ShapeError, UnsupportedError, ValueRangeError
from ._arrays import add_rows, check_index
from ._op import Array, Fixed, op, xp
from ._override import of_plugin
from ._refuse import listing, refuse_types
from ._refuse import type_name as legacy
from .join import cat

__all__: list[str] = []
FUNCTIONAL = ("embedding", "embedding_bag")

_NOBODY = -(2**62)


@op(dtypes=None, name="embedding")
def _embedding(weight: Array, index: Fixed, padding_idx: int, scale_grad_by_freq: bool) -> Array:
    """The rows of `weight` (V, D) at positions of any shape: (*, D)."""
    if not check_index(index, weight.shape[0]):
        text = f"index out of range in self: {index.min() if index.min() < 0 else index.max()}"
        raise RangeError("embedding", text, f"expected indices in [0, {weight.shape[0] - 1}]")
    return xp(weight).take(weight, index, axis=0)


@_embedding.vjp
def _(g: Any, weight_shape: Any, index: Any, padding_idx: Any, scale_grad_by_freq: Any) -> Any:
    if scale_grad_by_freq:
        at = index._a
        g = g / wrap(xp(at).bincount(at.reshape(-1))[at].astype(g._a.dtype)[..., None])
    return embedding_grad(g, index, weight_shape[0], padding_idx)


@op(dtypes=None)
def embedding_grad(grad: Array, index: Fixed, rows: int, padding_idx: int) -> Array:
    """Add rows where they came from in a table of so many: the gradient of an embedding; that of row `padding_idx` is zero."""
    out = xp(grad).zeros((rows, grad.shape[-1]), grad.dtype)
    add_rows(out, index.reshape(-1), grad.reshape(index.size, grad.shape[-1]))
    if 0 <= padding_idx < rows:
        out[padding_idx] = 0
    return out


embedding_grad.vjp(lambda g, index, padding_idx: embedding_rows(g, index, padding_idx))


def embedding_rows(weight: Any, index: Any, padding_idx: int) -> Any:
    """The rows of `weight` at `index`, zeros for `padding_idx`."""
    rows = _embedding(weight, index, -1, False)
    if padding_idx < 0:
        return rows
    return rows * wrap((index._a != padding_idx)[..., None].astype(weight._a.dtype))


def embedding(
    input: Any, weight: Any, padding_idx: int | None = None, max_norm: float | None = None, norm_type: float = 2.0,
    scale_grad_by_freq: bool = False, sparse: bool = False,
) -> Any:  # fmt: skip
    """The rows of `weight` (V, D) at the integers `input` (*): (*, D).

    Row `padding_idx` gets no gradient; rows longer than `max_norm` are shortened in place first; `scale_grad_by_freq` divides
    gradients by how often a row occurs; `sparse` makes the gradient a sparse tensor (of dovetail-science, which an AttributeError
    asks to install). Raises an IndexError for an index out of range, a RuntimeError for a table that is not 2-D or an input that is
    not int.

    >>> import dovetail as dv
    >>> dv.nn.functional.embedding(dv.tensor([1, 0]), dv.tensor([[1., 2.], [3., 4.]]))
    tensor([[3., 4.],
            [1., 2.]])
    """
    padding = _padding("embedding", weight, padding_idx)
    _check("embedding", input, weight)
    _shorten(weight, input._a, max_norm, norm_type)
    return _lookup(weight, sparse)(weight, input, padding, scale_grad_by_freq)


def _lookup(weight: Any, sparse: bool) -> Any:
    """The op that gives rows; that of a plugin where the gradient is to be sparse."""
    return of_plugin("embedding") if sparse and weight._n is not None and STATE.word & GRAD else _embedding


def _padding(where: str, weight: Any, padding_idx: int | None) -> int:
    if padding_idx is None:
        return -1
    rows = weight._a.shape[0]
    if not -rows <= padding_idx < rows:
        raise AssertedError(where, f"Padding_idx must be within num_embeddings (got {padding_idx} for {rows} rows)")
    return padding_idx % rows


def _check(where: str, input: Any, weight: Any) -> None:
    if weight._a.ndim != 2:
        raise ShapeError(where, f"'weight' must be 2-D (got shape {listing(weight._a.shape)})")
    if input._a.dtype.kind != "i" or input._a.dtype.itemsize < 4:
        text = "Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, Int; but got "
        raise DtypeError(where, f"{text}{legacy(input._a.dtype)}", "", "convert the indices with .long()")


def _shorten(weight: Any, index: Any, max_norm: float | None, norm_type: float) -> None:
    """Scale the rows in use that are longer than `max_norm` down to it, in place."""
    if max_norm is None:
        return
    a = weight._a
    used = xp(a).unique(index)
    rows = a[used]
    norms = (abs(rows) ** norm_type).sum(axis=1) ** (1 / norm_type)
    a[used] = rows * xp(a).where(norms > max_norm, max_norm / (norms + 1e-7), 1).astype(a.dtype)[:, None]
    changed(weight._v, "embedding")


def embedding_bag(
    input: Any, weight: Any, offsets: Any = None, max_norm: float | None = None, norm_type: float = 2, scale_grad_by_freq: bool = False,
    mode: str = "mean", sparse: bool = False, per_sample_weights: Any = None, include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Any:  # fmt: skip
    """The sum, mean or maximum of the rows of `weight` (V, D) in each bag: (B, D).

    `input` is (B, L), a bag a row, or (M,) with `offsets` (B,) at which the bags begin. Elements equal to `padding_idx` do not
    count. Raises a ValueError for contradictory arguments.

    >>> import dovetail as dv
    >>> dv.nn.functional.embedding_bag(dv.tensor([[0, 1]]), dv.tensor([[1., 2.], [3., 4.]]))
    tensor([[2., 3.]])
    """
    where = "embedding_bag"
    if input._a.dtype.kind == "f" and weight._a.dtype.kind in "iu":
        input, weight = weight, input  # PyTorch, too, takes them in the older order
    _check_bag(where, input, weight, offsets, mode, scale_grad_by_freq, per_sample_weights)
    padding = _padding(where, weight, padding_idx)
    _check(where, input, weight)
    refuse_types(where, weight._a, "iub")
    if not check_index(input._a, weight._a.shape[0]):
        raise ShapeError(where, f"an index takes a value which is not in the valid range [0, {weight._a.shape[0]})")
    _shorten(weight, input._a, max_norm, norm_type)
    if input._a.ndim == 2 and padding < 0 and mode != "max":
        rows = _lookup(weight, sparse)(weight, input, -1, scale_grad_by_freq)
        total = (rows if per_sample_weights is None else rows * per_sample_weights.unsqueeze(-1)).sum(1)
        return total if mode == "sum" else total / max(input._a.shape[1], 1)
    bag, bags = _bags(where, input._a, offsets, include_last_offset)
    bag, flat, factors = wrap(bag), input.reshape((-1,)), None if per_sample_weights is None else per_sample_weights.reshape((-1, 1))
    if padding >= 0:
        kept = flat != padding
        bag, flat, factors = bag[kept], flat[kept], None if factors is None else factors[kept]
    if mode == "max":
        if sparse:
            raise ValueRangeError(where, "max mode does not support sparse weights")
        return _largest(weight, flat.long(), bag, bags)
    rows = _lookup(weight, sparse)(weight, flat, -1, scale_grad_by_freq)
    total = embedding_grad(rows if factors is None else rows * factors, bag, bags, -1)
    if mode == "sum":
        return total
    return total / bag.bincount(minlength=bags).clamp(min=1).to(weight.dtype).unsqueeze(1)


def _largest(weight: Any, flat: Any, bag: Any, bags: int) -> Any:
    """The elementwise maximum of each bag (its first, for the gradient); zeros for an empty one."""
    width = weight._a.shape[1]
    rows = _embedding(weight.detach(), flat, -1, False)
    bag = bag.unsqueeze(1).expand_as(rows)
    best = rows.new_full((bags, width), -np.inf).scatter_reduce(0, bag, rows, "amax")
    place = flat.new_ones(flat.shape).cumsum(0).unsqueeze(1)  # from 1, so that 0 is nobody's
    first = (-place).masked_fill(rows != best.gather(0, bag), _NOBODY)
    at = flat.new_full((bags, width), _NOBODY).scatter_reduce(0, bag, first, "amax")
    empty = at == _NOBODY
    index = cat([flat.new_zeros(1), flat])[(-at).masked_fill(empty, 0)]
    picked = weight.reshape((-1,))[index * width + wrap(xp(weight._a).arange(width))]
    return picked.masked_fill(empty, 0)


def _bags(where: str, x: Any, offsets: Any, include_last: bool) -> tuple[Any, int]:
    """(number of the bag of each element, how many bags)."""
    m = xp(x)
    if x.ndim == 2:
        return m.repeat(m.arange(x.shape[0]), x.shape[1]), x.shape[0]
    starts = offsets._a
    looked_at = starts.size if starts.__class__ is np.ndarray else 0  # a GPU is not waited for
    if looked_at and int(starts[0]) != 0:
        text = "offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start from position 0. However, got "
        raise ShapeError(where, text + str(int(starts[0])))
    if looked_at and int(starts[-1]) > x.size:
        raise ShapeError(where, f"offsets[-1] can not be greater than input's length({x.size}) but got offsets[-1] of {int(starts[-1])}")
    bags = len(starts) - 1 if include_last else len(starts)
    return m.searchsorted(starts[:bags], m.arange(x.size), side="right") - 1, bags


def _check_bag(where: str, input: Any, weight: Any, offsets: Any, mode: str, by_freq: bool, samples: Any) -> None:
    if samples is not None and samples._a.shape != input._a.shape:
        text = f"If per_sample_weights ({listing(samples._a.shape)}) is not None, then it must have the same shape as the input "
        raise ValueRangeError(where, f"{text}({listing(input._a.shape)})")
    if weight._a.ndim != 2:
        raise ValueRangeError(where, f"weight has to be a 2D Tensor, but got Tensor of dimension {weight._a.ndim}")
    if input._a.ndim == 2 and offsets is not None:
        text = "if input is 2D, then offsets has to be None, as input is treated is a mini-batch of fixed length sequences"
        raise ValueRangeError(where, text)
    if input._a.ndim == 1 and (offsets is None or offsets._a.ndim != 1):
        raise ValueRangeError(where, f"offsets has to be a 1D Tensor{' but got None' if offsets is None else ''}")
    if input._a.ndim not in (1, 2):
        raise ValueRangeError(where, f"input has to be 1D or 2D Tensor, but got Tensor of dimension {input._a.ndim}")
    if mode not in ("sum", "mean", "max"):
        raise ValueRangeError(where, f"mode has to be one of sum, mean or max (got {mode!r})")
    if mode == "max" and by_freq:
        raise ValueRangeError(where, "max mode does not support scaling the gradient by the frequency")
    if samples is not None and mode != "sum":
        raise UnsupportedError(where, f"per_sample_weights is only supported for mode='sum' (got mode='{mode}')")
