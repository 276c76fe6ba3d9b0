"""Multi-head attention (Vaswani and others, 2017), and PyTorch's switch between its implementations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import Any

from ..autograd.node import Tensor
from ..errors import AssertedError, GradError
from . import functional as F
from . import init
from ._make import Layer, need, parameter, parameters
from .linear import NonDynamicallyQuantizableLinear

__all__ = ["MultiheadAttention", "SDPBackend", "sdpa_kernel"]


class SDPBackend(IntEnum):
    """PyTorch's names for its implementations of scaled dot-product attention."""

    ERROR = -1
    MATH = 0
    FLASH_ATTENTION = 1
    EFFICIENT_ATTENTION = 2
    CUDNN_ATTENTION = 3
    OVERRIDEABLE = 4


@contextmanager
def sdpa_kernel(backends: Any, set_priority: bool = False) -> Iterator[None]:
    """Accept PyTorch's choice of an implementation; there is one here, which answers as all of them do.

    >>> import dovetail as dv
    >>> with sdpa_kernel(SDPBackend.MATH):
    ...     dv.nn.functional.scaled_dot_product_attention(*[dv.ones(1, 2, 2)] * 3).shape
    dovetail.Size([1, 2, 2])
    """
    backends = [backends] if isinstance(backends, SDPBackend) else backends
    expected = "Backend must be an instance of SDPBackend or a list of SDPBackend instances"
    need(isinstance(backends, list), "sdpa_kernel", expected, f"got {type(backends).__name__}", AssertedError)
    need(backends != [], "sdpa_kernel", "No viable backend for scaled_dot_product_attention was found", "an empty list", GradError)
    yield


class MultiheadAttention(Layer):
    """Queries attend to keys and values in ``num_heads`` projections of size embed_dim / num_heads.

    (L, N, E), (S, N, E_k), (S, N, E_v) → (L, N, E) and the weights (N, L, S), averaged over the heads; with ``batch_first`` N
    comes first, and without N everything is one sample. True in a mask means: do not attend; a float mask is added.
    Raises an AssertionError where the heads do not divide ``embed_dim``.

    >>> import dovetail as dv
    >>> x = dv.ones(2, 5, 8)
    >>> out, weights = dv.nn.MultiheadAttention(8, 2, batch_first=True)(x, x, x)
    >>> out.shape, weights.shape
    (dovetail.Size([2, 5, 8]), dovetail.Size([2, 5, 5]))
    """

    def __init__(
        self, embed_dim: int, num_heads: int, dropout: float = 0.0, bias: bool = True, add_bias_kv: bool = False,
        add_zero_attn: bool = False, kdim: int | None = None, vdim: int | None = None, batch_first: bool = False,
        device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        sizes = f"got embed_dim={embed_dim} and num_heads={num_heads} instead"
        need(embed_dim > 0 and num_heads > 0, "MultiheadAttention", f"embed_dim and num_heads must be greater than 0, {sizes}")
        what, got = "embed_dim must be divisible by num_heads", f"got {embed_dim} and {num_heads}"
        need(embed_dim % num_heads == 0, "MultiheadAttention", what, got, AssertedError)
        kdim, vdim = embed_dim if kdim is None else kdim, embed_dim if vdim is None else vdim
        same = kdim == vdim == embed_dim
        self._keep(
            embed_dim=embed_dim, num_heads=num_heads, head_dim=embed_dim // num_heads, kdim=kdim, vdim=vdim, _qkv_same_embed_dim=same,
            dropout=dropout, batch_first=batch_first, add_zero_attn=add_zero_attn,
        )  # fmt: skip
        e = embed_dim
        parameters(
            self, device, dtype,
            q_proj_weight=None if same else (e, e), k_proj_weight=None if same else (e, self.kdim),
            v_proj_weight=None if same else (e, self.vdim), in_proj_weight=(3 * e, e) if same else None,
            in_proj_bias=(3 * e,) if bias else None,
        )  # fmt: skip
        self.out_proj = NonDynamicallyQuantizableLinear(e, e, bias=bias, device=device, dtype=dtype)
        self.bias_k = parameter(1, 1, e, device=device, dtype=dtype) if add_bias_kv else None
        self.bias_v = parameter(1, 1, e, device=device, dtype=dtype) if add_bias_kv else None
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        for weight in (self.in_proj_weight, self.q_proj_weight, self.k_proj_weight, self.v_proj_weight):
            if weight is not None:
                init.xavier_uniform_(weight)
        if self.in_proj_bias is not None:
            init.zeros_(self.in_proj_bias)
            init.zeros_(self.out_proj.bias)  # type: ignore[arg-type]
        if self.bias_k is not None:
            init.xavier_normal_(self.bias_k)
            init.xavier_normal_(self.bias_v)  # type: ignore[arg-type]

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor, key_padding_mask: Tensor | None = None, need_weights: bool = True,
        attn_mask: Tensor | None = None, average_attn_weights: bool = True, is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:  # fmt: skip
        swap = self.batch_first and query.ndim == 3
        if swap:  # tensors that are one stay one: they are projected together
            turned = {id(t): t.transpose(0, 1) for t in (query, key, value)}
            query, key, value = turned[id(query)], turned[id(key)], turned[id(value)]
        out, weights = F.multi_head_attention_forward(
            query, key, value, self.embed_dim, self.num_heads, self.in_proj_weight, self.in_proj_bias, self.bias_k, self.bias_v,
            self.add_zero_attn, self.dropout, self.out_proj.weight, self.out_proj.bias, training=self.training,
            key_padding_mask=key_padding_mask, need_weights=need_weights, attn_mask=attn_mask,
            use_separate_proj_weight=not self._qkv_same_embed_dim, q_proj_weight=self.q_proj_weight,
            k_proj_weight=self.k_proj_weight, v_proj_weight=self.v_proj_weight,
            average_attn_weights=average_attn_weights, is_causal=is_causal,
        )  # fmt: skip
        return (out.transpose(0, 1) if swap else out), weights
