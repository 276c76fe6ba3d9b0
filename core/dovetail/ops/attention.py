"""Scaled dot-product attention: softmax(q kᵀ · scale) v, fused forward and backward."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..autograd.node import wrap
from ..device import device_of
from ..errors import DtypeError, ShapeError, ValueRangeError
from ._op import Array, Fixed, op, xp
from ._random import source
from ._windows import listing, refuse_types

__all__: list[str] = []
FUNCTIONAL = ("scaled_dot_product_attention",)

_BLOCK = 1 << 20  # scores at a time: they stay near the cache, and memory does not grow with the batch


@op(saves=("lse",), autocast="lower")
def attention(
    query: Array, key: Array, value: Array, bias: Array | None, mask: Fixed | None, kept: Fixed | None, keep: float, is_causal: bool,
    scale: float,
) -> Array:  # fmt: skip
    """``softmax(query keyᵀ · scale + bias) value`` over (*, L, E), (*, S, E), (*, S, V), where `mask` (bool) and causality allow.

    `kept` (bool) is what dropout keeps of the weights, with probability `keep`. A row without any allowed key is zero.
    The extra result is the logarithm of each row's sum of exponentials, from which the gradient recomputes the weights.
    """
    m = xp(query)
    parts = _broadcast(query, key, value, bias, mask, kept)
    lead = parts[0].shape[:-2]
    out = m.empty((*lead, query.shape[-2], value.shape[-1]), m.result_type(query, value))
    lse = m.empty((*lead, query.shape[-2], 1), query.dtype)
    for at, (q, k, v, b, allowed, kept_part) in _blocks(parts):
        scores = _scores(q, k, b, allowed, is_causal, scale)
        top = scores.max(axis=-1, keepdims=True) if scores.shape[-1] else m.full((*scores.shape[:-1], 1), -np.inf, scores.dtype)
        top[top == -np.inf] = 0
        scores -= top
        m.exp(scores, out=scores)
        total = scores.sum(axis=-1, keepdims=True)
        empty = total == 0
        total[empty] = 1
        top += m.log(total)
        top[empty] = np.inf
        lse[at] = top
        scores /= total
        if kept_part is not None:
            scores *= kept_part
            scores /= keep
        m.matmul(scores, v, out=out[at])
    return out, lse


def _broadcast(query: Any, *others: Any) -> list[Any]:
    """All arrays with the same leading dimensions, at least one."""
    m = xp(query)
    lead = np.broadcast_shapes((1,), *(a.shape[:-2] for a in (query, *others) if a is not None))
    shape = (query.shape[-2], others[0].shape[-2])
    full = [m.broadcast_to(a, (*lead, *a.shape[-2:])) for a in (query, *others[:2])]
    return full + [None if a is None else m.broadcast_to(a, (*lead, *shape)) for a in others[2:]]


def _blocks(parts: list[Any]) -> Iterator[tuple[Any, list[Any]]]:
    """Slices of the first dimension, and the arrays cut to them."""
    q, k = parts[:2]
    step = max(1, _BLOCK // max(1, math.prod(q.shape[1:-1]) * k.shape[-2]))
    for i in range(0, q.shape[0], step):
        at = slice(i, i + step)
        yield at, [None if a is None else a[at] for a in parts]


def _scores(q: Any, k: Any, bias: Any, mask: Any, is_causal: bool, scale: float) -> Any:
    m, lowest = xp(q), q.dtype.type(-np.inf)
    scores = (q * q.dtype.type(scale)) @ k.swapaxes(-1, -2)
    if bias is not None:
        scores += bias
    if mask is not None:
        m.copyto(scores, lowest, where=~mask)
    if is_causal:
        m.copyto(scores, lowest, where=_later(m, scores))
    return scores


def _later(m: Any, scores: Any) -> Any:
    """Which keys come after each query."""
    return m.arange(scores.shape[-2])[:, None] < m.arange(scores.shape[-1])


@attention.vjp
def _(
    g: Any, query: Any, key: Any, value: Any, bias: Any, mask: Any, kept: Any, keep: Any, is_causal: Any, scale: Any, out: Any, lse: Any,
    needs: Any,
) -> Any:  # fmt: skip
    found = attention_grad(g, query, key, value, bias, mask, kept, keep, is_causal, scale, out, lse, needs)
    return tuple(f if n else None for f, n in zip(found, needs, strict=True))


@op(outputs=("by_query", "by_key", "by_value", "by_bias"))
def attention_grad(
    grad: Array, query: Array, key: Array, value: Array, bias: Array | None, mask: Fixed | None, kept: Fixed | None, keep: float,
    is_causal: bool, scale: float, y: Array, lse: Array, needs: Any,
) -> Any:  # fmt: skip
    """The gradients of :func:`attention` with the result y by query, key, value and bias; that by bias is empty unless needed."""
    m = xp(query)
    parts = _broadcast(query, key, value, bias, mask, kept)
    lead, shape = parts[0].shape[:-2], (query.shape[-2], key.shape[-2])
    by_q, by_k, by_v = (m.empty(a.shape, query.dtype) for a in parts[:3])
    by_b = m.empty((*lead, *shape) if needs[3] else 0, query.dtype)
    grad, y, lse = (m.broadcast_to(a, (*lead, *a.shape[-2:])) for a in (grad, y, lse))
    inner = (grad * y).sum(axis=-1, keepdims=True)
    for at, (q, k, v, b, allowed, kept_part) in _blocks(parts):
        weights = _scores(q, k, b, allowed, is_causal, scale)
        weights -= lse[at]
        m.exp(weights, out=weights)
        slopes = grad[at] @ v.swapaxes(-1, -2)
        if kept_part is not None:
            slopes *= kept_part
            slopes /= keep
            by_v[at] = (weights * kept_part / keep).swapaxes(-1, -2) @ grad[at]
        else:
            m.matmul(weights.swapaxes(-1, -2), grad[at], out=by_v[at])
        slopes -= inner[at]
        slopes *= weights
        if needs[3]:
            by_b[at] = slopes
        m.matmul(slopes, k, out=by_q[at])
        m.matmul(slopes.swapaxes(-1, -2), q, out=by_k[at])
    by_q *= query.dtype.type(scale)
    by_k *= query.dtype.type(scale)
    return by_q, by_k, by_v, by_b


@attention.composite
def _(query: Any, key: Any, value: Any, bias: Any, mask: Any, kept: Any, keep: float, is_causal: bool, scale: float) -> Any:
    scores = (query * scale).matmul(key.transpose(-1, -2))
    if bias is not None:
        scores = scores + bias
    x = scores._a
    m = xp(x)
    blocked = m.zeros(x.shape[-2:], np.bool_) if mask is None else ~mask._a
    if is_causal:
        blocked = blocked | _later(m, x)
    lost = (blocked | (x == -np.inf)).all(axis=-1, keepdims=True)
    scores = scores.masked_fill(wrap(blocked & ~lost), -math.inf).masked_fill(wrap(m.broadcast_to(lost, x.shape)), 0)
    weights = scores.softmax(-1) * wrap((~lost).astype(x.dtype))
    if kept is not None:
        weights = weights * wrap(kept._a.astype(x.dtype)) / keep
    return weights.matmul(value)


def scaled_dot_product_attention(
    query: Any, key: Any, value: Any, attn_mask: Any = None, dropout_p: float = 0.0, is_causal: bool = False,
    scale: float | None = None, enable_gqa: bool = False,
) -> Any:  # fmt: skip
    """``softmax(query keyᵀ · scale + mask) value``: query (*, L, E), key (*, S, E), value (*, S, V) give (*, L, V).

    A bool `attn_mask` says what takes part, a floating one is added; `is_causal` lets row i see the first i + 1 keys; `scale` is
    1/√E where it is not given. With `enable_gqa` the heads (third dimension from the end) of key and value are shared by groups of
    query heads. Dropout applies whenever `dropout_p` is positive. Raises a RuntimeError for shapes and types that do not fit.

    >>> import dovetail as dv
    >>> q = k = dv.zeros(1, 2, 4)
    >>> dv.nn.functional.scaled_dot_product_attention(q, k, dv.tensor([[[1.], [3.]]]), is_causal=True)
    tensor([[[1.],
             [2.]]])
    """
    where = "scaled_dot_product_attention"
    _check(where, query._a, key._a, value._a, attn_mask, is_causal)
    if not 0 <= dropout_p <= 1:
        raise ValueRangeError(where, f"dropout probability has to be between 0 and 1, but got {dropout_p}")
    if enable_gqa:
        key, value = (_shared(where, query, t) for t in (key, value))
    binary = attn_mask is not None and attn_mask._a.dtype.kind == "b"
    mask, bias, kept = attn_mask if binary else None, None if binary else attn_mask, None
    scale = 1 / math.sqrt(query._a.shape[-1] or 1) if scale is None else scale
    if dropout_p > 0:
        lead = np.broadcast_shapes(query._a.shape[:-2], key._a.shape[:-2])
        streams, generator = source(device_of(query._a))
        kept = wrap(streams.dropout_mask(generator, dropout_p, (*lead, query._a.shape[-2], key._a.shape[-2])))
    single = query._a.ndim == key._a.ndim == value._a.ndim == 2
    if single:
        query = query.unsqueeze(0)
    out = attention(query, key, value, bias, mask, kept, max(1 - dropout_p, 1e-30), is_causal, scale)
    return out.squeeze(0) if single and out._a.ndim == 3 else out


def _shared(where: str, query: Any, t: Any) -> Any:
    """Repeat heads for the groups of query heads that share them."""
    heads, own = query._a.shape[-3], t._a.shape[-3]
    if heads % own:
        raise ShapeError(where, f"Number of heads in key and value must divide the number of heads in query ({own} and {heads})")
    return t if heads == own else t.repeat_interleave(heads // own, -3)


def _check(where: str, q: Any, k: Any, v: Any, mask: Any, is_causal: bool) -> None:
    refuse_types(where, q, "iub")
    if q.dtype != k.dtype or q.dtype != v.dtype:
        text = "Expected query, key, and value to have the same dtype, but got "
        raise DtypeError(where, f"{text}query.dtype: {q.dtype} key.dtype: {k.dtype} and value.dtype: {v.dtype} instead.")
    if min(q.ndim, k.ndim, v.ndim) < 2:
        text = "Expected query, key, and value to all be  at least 2 dimensional, but got "
        raise ShapeError(where, f"{text}query.dim: {q.ndim} key.dim: {k.ndim} and value.dim: {v.ndim} instead.")
    if q.shape[-1] != k.shape[-1] or k.shape[-2] != v.shape[-2]:
        sizes = f"query {listing(q.shape)}, key {listing(k.shape)}, value {listing(v.shape)}"
        raise ShapeError(where, f"sizes do not fit: {sizes}", "expected (*, L, E), (*, S, E) and (*, S, V)")
    if mask is not None and is_causal:
        raise ShapeError(where, "Explicit attn_mask should not be set when is_causal=True")
    if mask is not None and mask._a.dtype.kind not in "bf" and mask._a.dtype != q.dtype:
        text = "Expected attn_mask dtype to be bool or float or to match query dtype, but got "
        raise DtypeError(where, f"{text}attn_mask.dtype: {mask._a.dtype} and  query.dtype: {q.dtype} instead.")
