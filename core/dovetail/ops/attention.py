"""Attention: softmax(q kᵀ · scale) v, fused forward and backward, and with several heads between projections."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..autograd.node import wrap
from ..device import device_of
from ..errors import AssertedError, DtypeError, ShapeError
from ._layout import like
from ._op import Array, Fixed, op, xp
from ._prepare import told
from ._random import source
from ._refuse import listing, refuse_types
from .dropout import Improbable, dropout
from .join import cat
from .linalg import linear
from .pad import pad
from .select import where

__all__: list[str] = []
FUNCTIONAL = ("multi_head_attention_forward", "scaled_dot_product_attention")

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
    out = _room(query, (*lead, query.shape[-2], value.shape[-1]), m.result_type(query, value), kept is None and lead == key.shape[:-2])
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


def _room(query: Any, shape: Any, kind: Any, plain: bool) -> Any:
    """Where the result goes: laid out as the query, so that heads that were split off join again without a copy."""
    if plain and query.ndim == 4 and query.shape == shape and query.strides[-1] == query.itemsize and not query.flags.c_contiguous:
        return like(query, kind)
    return xp(query).empty(shape, kind)


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
        seen, slopes = weights, grad[at] @ v.swapaxes(-1, -2)
        if kept_part is not None:
            seen = weights * kept_part / keep
            slopes *= kept_part
            slopes /= keep
        m.matmul(seen.swapaxes(-1, -2), grad[at], out=by_v[at])
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
    _check(where, query._a, key._a, value._a, attn_mask)
    if not 0 <= dropout_p <= 1:
        raise Improbable(where, f"dropout probability has to be between 0 and 1, but got {dropout_p}")
    if enable_gqa:
        key, value = (_shared(where, query, t) for t in (key, value))
    if attn_mask is not None and is_causal and (query._a.ndim != 4 or dropout_p > 0 or attn_mask._n is not None):
        raise ShapeError(where, "Explicit attn_mask should not be set when is_causal=True")
    binary = attn_mask is not None and attn_mask._a.dtype.kind == "b"
    mask, bias, kept = attn_mask if binary else None, None if binary else attn_mask, None
    scale = 1 / math.sqrt(query._a.shape[-1] or 1) if scale is None else scale
    if dropout_p > 0:
        kept = wrap(_mask(query._a, key._a, dropout_p))
        told("drawn", kept, _mask, query, key, dropout_p)
    single = query._a.ndim == key._a.ndim == value._a.ndim == 2
    if single:
        query = query.unsqueeze(0)
    out = attention(query, key, value, bias, mask, kept, max(1 - dropout_p, 1e-30), is_causal, scale)
    return out.squeeze(0) if single and out._a.ndim == 3 else out


def _mask(query: Any, key: Any, p: float) -> Any:
    """Which weights dropout keeps."""
    lead = np.broadcast_shapes(query.shape[:-2], key.shape[:-2])
    streams, generator = source(device_of(query))
    return streams.dropout_mask(generator, p, (*lead, query.shape[-2], key.shape[-2]))


def _shared(where: str, query: Any, t: Any) -> Any:
    """Repeat heads for the groups of query heads that share them."""
    heads, own = query._a.shape[-3], t._a.shape[-3]
    if heads % own:
        raise ShapeError(where, f"Number of heads in key and value must divide the number of heads in query ({own} and {heads})")
    return t if heads == own else t.repeat_interleave(heads // own, -3)


def _check(where: str, q: Any, k: Any, v: Any, mask: Any) -> None:
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
    if mask is not None and mask._a.dtype.kind not in "bf" and mask._a.dtype != q.dtype:
        text = "Expected attn_mask dtype to be bool or float or to match query dtype, but got "
        raise DtypeError(where, f"{text}attn_mask.dtype: {mask._a.dtype} and  query.dtype: {q.dtype} instead.")


_WHERE = "multi_head_attention_forward"


def _demand(condition: bool, text: str) -> None:
    if not condition:
        raise AssertedError(_WHERE, text)


def multi_head_attention_forward(
    query: Any, key: Any, value: Any, embed_dim_to_check: int, num_heads: int, in_proj_weight: Any, in_proj_bias: Any, bias_k: Any,
    bias_v: Any, add_zero_attn: bool, dropout_p: float, out_proj_weight: Any, out_proj_bias: Any, training: bool = True,
    key_padding_mask: Any = None, need_weights: bool = True, attn_mask: Any = None, use_separate_proj_weight: bool = False,
    q_proj_weight: Any = None, k_proj_weight: Any = None, v_proj_weight: Any = None, static_k: Any = None, static_v: Any = None,
    average_attn_weights: bool = True, is_causal: bool = False,
) -> tuple[Any, Any]:  # fmt: skip
    """Attention of `num_heads` heads (Vaswani et al., 2017): query (L, N, E), key and value (S, N, E) give (L, N, E) and weights.

    Without N for a single sample. True in a bool mask, `attn_mask` (L, S) or (N·heads, L, S) and `key_padding_mask` (N, S), means not
    to look; floating masks are added. The weights are (N, L, S), or (N, heads, L, S) unless averaged, None unless needed.
    Raises an AssertionError for sizes that do not fit, a RuntimeError for masks that do not.

    >>> import dovetail as dv
    >>> attend = dv.nn.MultiheadAttention(4, 2)
    >>> out, weights = attend(*[dv.ones(3, 1, 4)] * 3)
    >>> out.shape, weights.sum(-1).shape
    (dovetail.Size([3, 1, 4]), dovetail.Size([1, 3]))
    """
    batched = _has_batch(query, key, value, key_padding_mask, attn_mask)
    same_qk, same_kv = query is key, key is value
    if not batched:
        query, key, value = (t.unsqueeze(1) for t in (query, key, value))
        key, value = query if same_qk else key, (query if same_qk else key) if same_kv else value
        key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
    length, batch, embed = query._a.shape
    _demand(embed == embed_dim_to_check, f"was expecting embedding dimension of {embed_dim_to_check}, but got {embed}")
    _demand(embed % num_heads == 0, f"embed_dim {embed} not divisible by num_heads {num_heads}")
    hint = is_causal and attn_mask is not None and key_padding_mask is None and not need_weights
    if is_causal and attn_mask is None:
        raise ShapeError(_WHERE, "Need attn_mask if specifying the is_causal hint.")
    attn_mask = None if hint else _added(attn_mask, "attn_mask", query._a)
    key_padding_mask = _added(key_padding_mask, "key_padding_mask", query._a)
    weights = in_proj_weight
    if use_separate_proj_weight:
        _demand(key._a.shape[:2] == value._a.shape[:2], f"key's sequence and batch dims {key._a.shape[:2]} do not match value's")
        weights = (q_proj_weight, k_proj_weight, v_proj_weight)
    else:
        _demand(key._a.shape == value._a.shape, f"key shape {listing(key._a.shape)} does not match value shape {listing(value._a.shape)}")
    q, k, v = _project((query, key, value), weights, in_proj_bias)
    mask = _check_mask(attn_mask, batch, num_heads, length, key._a.shape[0])
    if key_padding_mask is not None:
        padding = key_padding_mask.reshape((batch, 1, 1, -1))
        mask = padding if mask is None else mask + padding
    if bias_k is not None and bias_v is not None:
        k, v = (cat([t, b.expand(1, batch, -1)]) for t, b in ((k, bias_k), (v, bias_v)))
        mask = None if mask is None else pad(mask, (0, 1))
    q, k, v = (_heads(t, num_heads) for t in (q, k, v))
    k = k if static_k is None else static_k.reshape((batch, num_heads, *static_k._a.shape[1:]))
    v = v if static_v is None else static_v.reshape((batch, num_heads, *static_v._a.shape[1:]))
    if add_zero_attn:
        k, v = (pad(t, (0, 0, 0, 1)) for t in (k, v))
        mask = None if mask is None else pad(mask, (0, 1))
    out, seen = _attend(q, k, v, mask, dropout_p if training else 0.0, hint, need_weights)
    out = linear(out.permute(2, 0, 1, 3).reshape((length, batch, embed)), out_proj_weight, out_proj_bias)
    if seen is not None and average_attn_weights:
        seen = seen.mean(1)
    if batched:
        return out, seen
    return out.squeeze(1), None if seen is None else seen.squeeze(0)


def _attend(q: Any, k: Any, v: Any, mask: Any, p: float, causal: bool, need_weights: bool) -> tuple[Any, Any]:
    if not need_weights:
        return scaled_dot_product_attention(q, k, v, mask, p, causal), None
    scores = (q * math.sqrt(1 / q._a.shape[-1])).matmul(k.transpose(-1, -2))
    seen = (scores if mask is None else scores + mask).softmax(-1)
    seen = dropout(seen, p) if p > 0 else seen
    return seen.matmul(v), seen


def _project(inputs: tuple[Any, Any, Any], weights: Any, bias: Any) -> Any:
    """Query, key and value times three weights, or one that holds all three: then one product where the inputs are the same."""
    if weights.__class__ is not tuple:
        if inputs[0] is inputs[1] is inputs[2]:
            return linear(inputs[0], weights, bias).chunk(3, -1)
        weights = weights.chunk(3)
    biases = (None,) * 3 if bias is None else bias.chunk(3)
    return tuple(linear(*p) for p in zip(inputs, weights, biases, strict=True))


def _heads(t: Any, heads: int) -> Any:
    """(L, N, E) to (N, heads, L, E / heads)."""
    length, batch, embed = t._a.shape
    return t.reshape((length, batch, heads, embed // heads)).permute(1, 2, 0, 3)


def _added(mask: Any, name: str, q: Any) -> Any:
    """A mask that is added: a bool one becomes -inf where it is True."""
    if mask is None:
        return None
    a = mask._a
    if a.dtype.kind == "b":
        return where(mask, *(wrap(xp(a).asarray(value, q.dtype)) for value in (-np.inf, 0)))
    _demand(a.dtype.kind in "fV", f"only bool and floating types of {name} are supported (got {a.dtype})")
    if a.dtype != q.dtype:
        text = f"{name} has type {a.dtype} and query {q.dtype}: support for mismatched masks is deprecated. Use same type for both instead."
        warnings.warn(text, stacklevel=3)
    return mask


def _check_mask(mask: Any, batch: int, heads: int, length: int, keys: int) -> Any:
    """Check the shape of attn_mask, and bring it to what meets (N, heads, L, S)."""
    if mask is None:
        return None
    a = mask._a
    right = {2: (length, keys), 3: (batch * heads, length, keys)}.get(a.ndim)
    if right is None:
        raise ShapeError(_WHERE, f"attn_mask's dimension {a.ndim} is not supported")
    if a.shape != right:
        raise ShapeError(_WHERE, f"The shape of the {a.ndim}D attn_mask is {a.shape}, but should be {right}.")
    return mask if a.ndim == 2 else mask.reshape((batch, heads, length, keys))


def _has_batch(query: Any, key: Any, value: Any, padding: Any, mask: Any) -> bool:
    """Whether there is a batch dimension."""
    n = query._a.ndim
    _demand(n in (2, 3), f"query should be unbatched 2D or batched 3D tensor but received {n}-D query tensor")
    text = f"For {'batched (3-D)' if n == 3 else 'unbatched (2-D)'} `query`, expected `key` and `value` to be {n}-D but found "
    _demand(key._a.ndim == value._a.ndim == n, f"{text}{key._a.ndim}-D and {value._a.ndim}-D tensors respectively")
    if padding is not None:
        found = padding._a.ndim
        _demand(found == n - 1, f"expected `key_padding_mask` to be `None` or {n - 1}-D but found {found}-D tensor instead")
        right = (key._a.shape[1], key._a.shape[0]) if n == 3 else (key._a.shape[0],)
        _demand(padding._a.shape == right, f"expecting key_padding_mask shape of {right}, but got {padding._a.shape}")
    if mask is not None:
        _demand(mask._a.ndim in (2, 3), f"expected `attn_mask` to be `None`, 2-D or 3-D but found {mask._a.ndim}-D tensor instead")
    return n == 3
