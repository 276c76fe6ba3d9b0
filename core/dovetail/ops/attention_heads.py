"""Multi-head attention as one function: projections, masks, extra keys, attention, output projection."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from ..autograd.node import wrap
from ..errors import AssertedError, ShapeError
from ._op import xp
from ._windows import listing
from .attention import scaled_dot_product_attention
from .dropout import dropout
from .join import cat
from .pad import pad

__all__: list[str] = []
FUNCTIONAL = ("multi_head_attention_forward",)


_WHERE = "multi_head_attention_forward"


def _demand(condition: bool, text: str) -> None:
    if not condition:
        raise AssertedError(_WHERE, text)


def _linear(x: Any, weight: Any, bias: Any) -> Any:
    out = x.matmul(weight.transpose(0, 1))
    return out if bias is None else out + bias


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
    batched = _check_dims(query, key, value, key_padding_mask, attn_mask)
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
    out = _linear(out.permute(2, 0, 1, 3).reshape((length, batch, embed)), out_proj_weight, out_proj_bias)
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
            return _linear(inputs[0], weights, bias).chunk(3, -1)
        weights = weights.chunk(3)
    biases = (None,) * 3 if bias is None else bias.chunk(3)
    return tuple(_linear(*p) for p in zip(inputs, weights, biases, strict=True))


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
        return wrap(xp(a).where(a, q.dtype.type(-np.inf), q.dtype.type(0)))
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


def _check_dims(query: Any, key: Any, value: Any, padding: Any, mask: Any) -> bool:
    """Whether there is a batch dimension."""
    n = query._a.ndim
    _demand(n in (2, 3), f"query should be unbatched 2D or batched 3D tensor but received {n}-D query tensor")
    _demand(
        key._a.ndim == n and value._a.ndim == n,
        f"For {'batched (3-D)' if n == 3 else 'unbatched (2-D)'} `query`, expected `key` and `value` to be {n}-D "
        f"but found {key._a.ndim}-D and {value._a.ndim}-D tensors respectively",
    )
    if padding is not None:
        found = padding._a.ndim
        _demand(found == n - 1, f"expected `key_padding_mask` to be `None` or {n - 1}-D but found {found}-D tensor instead")
        right = (key._a.shape[1], key._a.shape[0]) if n == 3 else (key._a.shape[0],)
        _demand(padding._a.shape == right, f"expecting key_padding_mask shape of {right}, but got {padding._a.shape}")
    if mask is not None:
        _demand(mask._a.ndim in (2, 3), f"expected `attn_mask` to be `None`, 2-D or 3-D but found {mask._a.ndim}-D tensor instead")
    return n == 3
