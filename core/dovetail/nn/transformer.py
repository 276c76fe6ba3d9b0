"""The Transformer: encoder and decoder layers, stacks of them, and both together. Vaswani and others, 2017."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from ..autograd.modes import is_grad_enabled
from ..autograd.node import Tensor
from ..errors import ShapeError
from . import functional as F
from . import init
from ._make import Layer
from ._ops import dv
from .activation import GELU, ReLU
from .attention import MultiheadAttention
from .containers import ModuleList
from .dropout import Dropout
from .linear import Linear
from .module import Module
from .norm import LayerNorm

__all__ = ["Transformer", "TransformerDecoder", "TransformerDecoderLayer", "TransformerEncoder", "TransformerEncoderLayer"]

Activation = str | Callable[[Tensor], Tensor]


def _get_clones(module: Module, n: int) -> ModuleList:
    return ModuleList([copy.deepcopy(module) for _ in range(n)])


def _get_activation_fn(activation: str) -> Callable[[Tensor], Tensor]:
    if activation in ("relu", "gelu"):
        return getattr(F, activation)
    raise ShapeError("Transformer", f"activation should be relu/gelu, not {activation}")


def _generate_square_subsequent_mask(sz: int, device: Any = None, dtype: Any = None) -> Tensor:
    """0 where position i may look at position j ≤ i, and -inf where it may not: (sz, sz)."""
    return dv.triu(dv.full((sz, sz), float("-inf"), dtype=dtype, device=device), diagonal=1)


class _TransformerLayer(Module):
    """What the two kinds of layers share: the feed-forward block, and blocks with residuals, normed first or last."""

    _attentions: tuple[str, ...]

    def __init__(
        self, d_model: int, nhead: int, dim_feedforward: int = 2048, dropout: float = 0.1, activation: Activation = "relu",
        layer_norm_eps: float = 1e-5, batch_first: bool = False, norm_first: bool = False, bias: bool = True,
        device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        factory = {"bias": bias, "device": device, "dtype": dtype}
        for name in self._attentions:
            setattr(self, name, MultiheadAttention(d_model, nhead, dropout=dropout, batch_first=batch_first, **factory))
        self.linear1 = Linear(d_model, dim_feedforward, **factory)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, **factory)
        self.norm_first = norm_first
        blocks = range(1, len(self._attentions) + 2)
        for i in blocks:
            setattr(self, f"norm{i}", LayerNorm(d_model, eps=layer_norm_eps, **factory))
        for i in blocks:
            setattr(self, f"dropout{i}", Dropout(dropout))
        self.activation = _get_activation_fn(activation) if isinstance(activation, str) else activation

    def _residual(self, i: int, x: Tensor, block: Callable[[Tensor], Tensor]) -> Tensor:
        norm, dropout = getattr(self, f"norm{i}"), getattr(self, f"dropout{i}")
        return x + dropout(block(norm(x))) if self.norm_first else norm(x + dropout(block(x)))

    def _sa_block(self, x: Tensor, attn_mask: Tensor | None, key_padding_mask: Tensor | None, is_causal: bool = False) -> Tensor:
        return self.self_attn(x, x, x, attn_mask=attn_mask, key_padding_mask=key_padding_mask, need_weights=False, is_causal=is_causal)[0]

    def _ff_block(self, x: Tensor) -> Tensor:
        return self.linear2(self.dropout(self.activation(self.linear1(x))))


class TransformerEncoderLayer(_TransformerLayer):
    """Self-attention and a feed-forward block, each with residual and LayerNorm (before them if ``norm_first``).

    >>> import dovetail as dv
    >>> dv.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)(dv.ones(3, 5, 8)).shape
    dovetail.Size([3, 5, 8])
    """

    _attentions = ("self_attn",)

    def forward(
        self, src: Tensor, src_mask: Tensor | None = None, src_key_padding_mask: Tensor | None = None, is_causal: bool = False
    ) -> Tensor:
        x = self._residual(1, src, lambda t: self._sa_block(t, src_mask, src_key_padding_mask, is_causal))
        return self._residual(2, x, self._ff_block)


class TransformerDecoderLayer(_TransformerLayer):
    """Self-attention, attention to the encoder's output, and a feed-forward block, each with residual and LayerNorm.

    >>> import dovetail as dv
    >>> dv.nn.TransformerDecoderLayer(8, 2, 16, batch_first=True)(dv.ones(3, 4, 8), dv.ones(3, 5, 8)).shape
    dovetail.Size([3, 4, 8])
    """

    _attentions = ("self_attn", "multihead_attn")

    def forward(
        self, tgt: Tensor, memory: Tensor, tgt_mask: Tensor | None = None, memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None, memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool = False, memory_is_causal: bool = False,
    ) -> Tensor:  # fmt: skip
        x = self._residual(1, tgt, lambda t: self._sa_block(t, tgt_mask, tgt_key_padding_mask, tgt_is_causal))
        x = self._residual(2, x, lambda t: self._mha_block(t, memory, memory_mask, memory_key_padding_mask, memory_is_causal))
        return self._residual(3, x, self._ff_block)

    def _mha_block(
        self, x: Tensor, mem: Tensor, attn_mask: Tensor | None, key_padding_mask: Tensor | None, is_causal: bool = False
    ) -> Tensor:
        how = {"attn_mask": attn_mask, "key_padding_mask": key_padding_mask, "is_causal": is_causal, "need_weights": False}
        return self.multihead_attn(x, mem, mem, **how)[0]


class TransformerEncoder(Layer):
    """``num_layers`` copies of an encoder layer, and a norm after them.

    In evaluation without gradients what stands at padded positions is 0 before the last norm, as on PyTorch's faster path and under
    its conditions: no other mask, padding at the end (unless ``mask_check`` is off), and layers that the path serves.

    >>> import dovetail as dv
    >>> layer = dv.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    >>> dv.nn.TransformerEncoder(layer, num_layers=2)(dv.ones(3, 5, 8)).shape
    dovetail.Size([3, 5, 8])
    """

    def __init__(
        self, encoder_layer: Module, num_layers: int, norm: Module | None = None, enable_nested_tensor: bool = True, mask_check: bool = True
    ) -> None:
        self._keep(
            layers=_get_clones(encoder_layer, num_layers), num_layers=num_layers, norm=norm,
            enable_nested_tensor=enable_nested_tensor, mask_check=mask_check,
        )  # fmt: skip

    def forward(
        self, src: Tensor, mask: Tensor | None = None, src_key_padding_mask: Tensor | None = None, is_causal: bool | None = None
    ) -> Tensor:
        padded = self._padded(src, src_key_padding_mask) if mask is None else None
        for layer in self.layers:
            src = layer(src, src_mask=mask, is_causal=bool(is_causal), src_key_padding_mask=src_key_padding_mask)
        if padded is not None:
            src = src.masked_fill(padded.unsqueeze(-1), 0)
        return src if self.norm is None else self.norm(src)

    def _padded(self, src: Tensor, mask: Tensor | None) -> Tensor | None:
        """The padded positions, where PyTorch would leave them out of the computation."""
        first = self.layers[0]
        if mask is None or not self.enable_nested_tensor or first.training or src.ndim != 3 or type(first) is not TransformerEncoderLayer:
            return None
        attend = first.self_attn
        if first.norm_first or first.norm1.eps != first.norm2.eps:
            return None
        if not attend.batch_first or attend.in_proj_bias is None or attend.num_heads % 2:
            return None
        if is_grad_enabled() and (src.requires_grad or any(p.requires_grad for p in first.parameters())):
            return None
        if not (first.activation in (F.relu, F.gelu) or isinstance(first.activation, ReLU | GELU)):
            return None
        padded = mask if mask._a.dtype.kind == "b" else mask != 0
        return None if self.mask_check and bool((padded[:, :-1] & ~padded[:, 1:]).any()) else padded


class TransformerDecoder(Layer):
    """``num_layers`` copies of a decoder layer, and a norm after them.

    >>> import dovetail as dv
    >>> layer = dv.nn.TransformerDecoderLayer(8, 2, 16, batch_first=True)
    >>> dv.nn.TransformerDecoder(layer, num_layers=2)(dv.ones(3, 4, 8), dv.ones(3, 5, 8)).shape
    dovetail.Size([3, 4, 8])
    """

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        self._keep(layers=_get_clones(decoder_layer, num_layers), num_layers=num_layers, norm=norm)

    def forward(
        self, tgt: Tensor, memory: Tensor, tgt_mask: Tensor | None = None, memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None, memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool | None = None, memory_is_causal: bool = False,
    ) -> Tensor:  # fmt: skip
        for layer in self.layers:
            tgt = layer(
                tgt, memory, tgt_mask=tgt_mask, memory_mask=memory_mask, tgt_key_padding_mask=tgt_key_padding_mask,
                memory_key_padding_mask=memory_key_padding_mask, tgt_is_causal=bool(tgt_is_causal), memory_is_causal=memory_is_causal,
            )  # fmt: skip
        return tgt if self.norm is None else self.norm(tgt)


class Transformer(Module):
    """Encoder and decoder: src (S, N, E), tgt (T, N, E) → (T, N, E); with ``batch_first`` N comes first.

    Raises a RuntimeError where the batches differ, or the features are not ``d_model``.

    >>> import dovetail as dv
    >>> model = dv.nn.Transformer(8, 2, 1, 1, 16, batch_first=True)
    >>> model(dv.ones(3, 5, 8), dv.ones(3, 4, 8)).shape
    dovetail.Size([3, 4, 8])
    """

    def __init__(
        self, d_model: int = 512, nhead: int = 8, num_encoder_layers: int = 6, num_decoder_layers: int = 6, dim_feedforward: int = 2048,
        dropout: float = 0.1, activation: Activation = "relu", custom_encoder: Any = None, custom_decoder: Any = None,
        layer_norm_eps: float = 1e-5, batch_first: bool = False, norm_first: bool = False, bias: bool = True,
        device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        last = {"bias": bias, "device": device, "dtype": dtype}
        rest = (d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first)
        if custom_encoder is None:
            norm = LayerNorm(d_model, layer_norm_eps, **last)
            custom_encoder = TransformerEncoder(TransformerEncoderLayer(*rest, **last), num_encoder_layers, norm)
        if custom_decoder is None:
            norm = LayerNorm(d_model, layer_norm_eps, **last)
            custom_decoder = TransformerDecoder(TransformerDecoderLayer(*rest, **last), num_decoder_layers, norm)
        self.encoder, self.decoder = custom_encoder, custom_decoder
        self._reset_parameters()
        self.d_model, self.nhead, self.batch_first = d_model, nhead, batch_first

    def _reset_parameters(self) -> None:
        for p in self.parameters():
            if p.ndim > 1:
                init.xavier_uniform_(p)

    def forward(
        self, src: Tensor, tgt: Tensor, src_mask: Tensor | None = None, tgt_mask: Tensor | None = None, memory_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None, tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None, src_is_causal: bool | None = None, tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:  # fmt: skip
        at = 0 if self.batch_first else 1
        if src.ndim == 3 and src.shape[at] != tgt.shape[at]:
            raise ShapeError("Transformer", f"the batch number of src and tgt must be equal (got {src.shape[at]} and {tgt.shape[at]})")
        if src.shape[-1] != self.d_model or tgt.shape[-1] != self.d_model:
            what = f"the feature number of src and tgt must be equal to d_model ({self.d_model}; got {src.shape[-1]} and {tgt.shape[-1]})"
            raise ShapeError("Transformer", what)
        memory = self.encoder(src, mask=src_mask, src_key_padding_mask=src_key_padding_mask, is_causal=src_is_causal)
        return self.decoder(
            tgt, memory, tgt_mask=tgt_mask, memory_mask=memory_mask, tgt_key_padding_mask=tgt_key_padding_mask,
            memory_key_padding_mask=memory_key_padding_mask, tgt_is_causal=tgt_is_causal, memory_is_causal=memory_is_causal,
        )  # fmt: skip

    generate_square_subsequent_mask = staticmethod(_generate_square_subsequent_mask)
