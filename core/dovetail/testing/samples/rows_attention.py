"""Rows of attention."""

import numpy as np

from .row import B, Row, T

_F = "nn.functional."


def soft(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def attention(q, k, v, attn_mask=None, is_causal=False, scale=None, enable_gqa=False):
    if enable_gqa:
        k, v = (t.repeat(q.shape[-3] // t.shape[-3], -3) for t in (k, v))
    s = q @ k.swapaxes(-1, -2) * (1 / np.sqrt(q.shape[-1]) if scale is None else scale)
    if is_causal:
        attn_mask = np.tril(np.ones(s.shape[-2:], bool))
    if attn_mask is not None:
        s = np.where(attn_mask, s, -np.inf) if attn_mask.dtype == bool else s + attn_mask
    return soft(s) @ v


def heads(q, k, v, embed, n, w, b, bias_k, bias_v, zero, p, w_out, b_out):
    q, k, v = (x @ part.T + c for x, part, c in zip((q, k, v), np.split(w, 3), np.split(b, 3), strict=True))

    def split(x):
        return x.reshape(*x.shape[:2], n, -1).transpose(1, 2, 0, 3)

    q, k, v = split(q), split(k), split(v)
    seen = soft(q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1]))
    out = (seen @ v).transpose(2, 0, 1, 3)
    return out.reshape(*out.shape[:2], -1) @ w_out.T + b_out, seen.mean(1)


_NAME, _CALL = "attention", f"{_F}scaled_dot_product_attention"
_E = [
    ([T(3, 4), T(5, 4), T(5, 6)], dict(is_causal=True, attn_mask=T(3, 5)), RuntimeError, "Explicit attn_mask should not be set"),
    ([T(4), T(5, 4), T(5, 6)], {}, RuntimeError, "to all be  at least 2 dimensional"),
    ([T(1, 3, 3, 4), T(1, 2, 5, 4), T(1, 2, 5, 4)], dict(enable_gqa=True), RuntimeError, "must divide the number of heads"),
    ([T(2, 4), T(2, 4, dtype="float32"), T(2, 4)], {}, RuntimeError, "to have the same dtype"),
    ([T(2, 4), T(2, 3), T(2, 4)], {}, RuntimeError, "sizes do not fit"),
]

ROWS = [
    Row(_NAME, [T(2, 3, 4), T(2, 5, 4), T(2, 5, 3)], call=_CALL, ref=attention, covers=("attention_grad",), promote=None, errors=_E),
    Row(_NAME, [T(3, 4), T(5, 4), T(5, 3)], dict(scale=0.3), call=_CALL, ref=attention, promote=None, name="matrices"),
    Row(_NAME, [T(2, 2, 4, 3), T(2, 2, 4, 3), T(2, 2, 4, 3)], dict(is_causal=True), call=_CALL, ref=attention, promote=None, name="causal"),
    Row(_NAME, [T(2, 3, 4), T(2, 6, 4), T(2, 6, 3)], dict(attn_mask=B(3, 6)), call=_CALL, ref=attention, promote=None, name="mask"),
    Row(_NAME, [T(2, 3, 4), T(2, 5, 4), T(2, 5, 3)], dict(attn_mask=T(2, 3, 5)), call=_CALL, ref=attention, promote=None, name="bias"),
    Row(_NAME, [T(1, 4, 3, 2), T(1, 2, 5, 2), T(1, 2, 5, 2)], dict(enable_gqa=True), call=_CALL, ref=attention, promote=None,
        name="groups"),
    Row("multi_head_attention_forward",
        [T(3, 2, 4), T(3, 2, 4), T(3, 2, 4), 4, 2, T(12, 4), T(12), None, None, False, 0.0, T(4, 4), T(4)],
        call=f"{_F}multi_head_attention_forward", ref=heads, promote=None,
        errors=[([T(3, 2, 6), T(3, 2, 6), T(3, 2, 6), 4, 2, T(12, 4), T(12), None, None, False, 0.0, T(4, 4), T(4)], {}, AssertionError,
                 "was expecting embedding dimension of 4, but got 6")]),
]  # fmt: skip
