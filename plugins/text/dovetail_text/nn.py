"""torchtext's ``nn``: multi-head attention put together from its parts, each of which a program may replace."""

from __future__ import annotations

from typing import Any

import dovetail as dv
from dovetail import Tensor, nn
from dovetail.errors import AssertedError, DtypeError, ShapeError

__all__ = ["InProjContainer", "MultiheadAttentionContainer", "ScaledDotProduct"]


class InProjContainer(nn.Module):
    """The projections of queries, keys and values, one after the other.

    >>> projections = InProjContainer(*(nn.Linear(4, 4) for _ in range(3)))
    >>> [part.shape for part in projections(dv.ones(5, 2, 4), dv.ones(3, 2, 4), dv.ones(3, 2, 4))]
    [dovetail.Size([5, 2, 4]), dovetail.Size([3, 2, 4]), dovetail.Size([3, 2, 4])]
    """

    def __init__(self, query_proj: nn.Module, key_proj: nn.Module, value_proj: nn.Module) -> None:
        super().__init__()
        self.query_proj, self.key_proj, self.value_proj = query_proj, key_proj, value_proj

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.query_proj(query), self.key_proj(key), self.value_proj(value)


class ScaledDotProduct(nn.Module):
    """softmax(q kᵀ / √d) v over heads that are rows of the batch: ``(L, N·H, d)`` and twice ``(S, N·H, d)`` → ``(L, N·H, d)``, weights.

    With ``batch_first`` the first two dimensions change places. ``attn_mask``, of bools ``(N·H or 1, L, S)``, is True where a query does
    not look; ``bias_k`` and ``bias_v``, ``(1, N·H, d)``, are one key and value more. The weights are ``(N·H, L, S)``.

    Raises an AssertionError for sizes that do not go together, a RuntimeError for a mask that does not.
    Source: Vaswani and others, 2017, https://arxiv.org/abs/1706.03762.

    >>> out, weights = ScaledDotProduct()(dv.ones(5, 6, 2), dv.ones(3, 6, 2), dv.ones(3, 6, 2))
    >>> out.shape, weights.shape
    (dovetail.Size([5, 6, 2]), dovetail.Size([6, 5, 3]))
    """

    def __init__(self, dropout: float = 0.0, batch_first: bool = False) -> None:
        super().__init__()
        self.dropout, self.batch_first = dropout, batch_first

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor,
        attn_mask: Tensor | None = None, bias_k: Tensor | None = None, bias_v: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        if self.batch_first:
            query, key, value = (part.transpose(-3, -2) for part in (query, key, value))
        if bias_k is not None and bias_v is not None:
            key, value = _longer(key, bias_k, "bias_k"), _longer(value, bias_v, "bias_v")
            attn_mask = attn_mask if attn_mask is None else nn.functional.pad(attn_mask, (0, 1))
        if key.size() != value.size() or query.size(-1) != key.size(-1):
            what = f"query, key and value are {', '.join(str(tuple(part.shape)) for part in (query, key, value))}"
            raise AssertedError("ScaledDotProduct", what, "expected key and value of one shape, and the query's last dimension")
        heads = max(query.size(-2), key.size(-2))
        query, key, value = (part.transpose(-3, -2) for part in (query, key, value))
        scores = (query * query.size(-1) ** -0.5) @ key.transpose(-2, -1)
        if attn_mask is not None:
            _check_mask(attn_mask, heads, query.size(-2), key.size(-2))
            scores = scores.masked_fill(attn_mask, -1e8)
        weights = nn.functional.dropout(scores.softmax(-1), self.dropout, self.training)
        out = weights @ value
        return (out if self.batch_first else out.transpose(-3, -2)), weights


def _longer(part: Tensor, more: Tensor, name: str) -> Tensor:
    if (1, *part.shape[-2:]) != tuple(more.shape[-3:]):
        what = f"Shape of {name} is not supported: {tuple(more.shape)}"
        raise AssertedError("ScaledDotProduct", what, f"expected {(1, *part.shape[-2:])}")
    return dv.cat([part, more])


def _check_mask(mask: Tensor, heads: int, queries: int, keys: int) -> None:
    if mask.dtype != dv.bool:
        raise DtypeError("ScaledDotProduct", f"Only bool tensor is supported for attn_mask, got {mask.dtype}", "", "attn_mask.bool()")
    if mask.dim() != 3 or tuple(mask.shape) not in ((heads, queries, keys), (1, queries, keys)):
        what = f"The size of the attn_mask is not correct: {tuple(mask.shape)}"
        raise ShapeError("ScaledDotProduct", what, f"expected {(heads, queries, keys)}, or 1 in place of {heads}")


class MultiheadAttentionContainer(nn.Module):
    """Attention of ``nhead`` heads: a projection, a layer such as `ScaledDotProduct` and a projection of what it gives.

    ``(L, N, E)``, ``(S, N, E)`` twice → ``(L, N, E)`` and the weights ``(N·H, L, S)``; with ``batch_first`` batches come first.
    Raises an AssertionError where the heads do not divide a projection, and a RuntimeError for more than three dimensions.

    >>> projections = InProjContainer(*(nn.Linear(4, 4) for _ in range(3)))
    >>> attention = MultiheadAttentionContainer(2, projections, ScaledDotProduct(), nn.Linear(4, 4))
    >>> out, weights = attention(dv.ones(5, 3, 4), dv.ones(7, 3, 4), dv.ones(7, 3, 4))
    >>> out.shape, weights.shape
    (dovetail.Size([5, 3, 4]), dovetail.Size([6, 5, 7]))
    """

    def __init__(
        self, nhead: int, in_proj_container: nn.Module, attention_layer: nn.Module, out_proj: nn.Module, batch_first: bool = False
    ) -> None:
        super().__init__()
        self.nhead, self.batch_first = nhead, batch_first
        self.in_proj_container, self.attention_layer, self.out_proj = in_proj_container, attention_layer, out_proj

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor,
        attn_mask: Tensor | None = None, bias_k: Tensor | None = None, bias_v: Tensor | None = None,
    ) -> Any:  # fmt: skip
        if self.batch_first:
            query, key, value = (part.transpose(-3, -2) for part in (query, key, value))
        parts = self.in_proj_container(query, key, value)
        for name, part in zip(("query", "key", "value"), parts, strict=True):
            if part.size(-1) % self.nhead:
                what = f"{name}'s embed_dim must be divisible by the number of heads, got {part.size(-1)} and {self.nhead}"
                raise AssertedError("MultiheadAttentionContainer", what)
        q, k, v = (part.reshape(part.size(-3), part.size(-2) * self.nhead, part.size(-1) // self.nhead) for part in parts)
        out, weights = self.attention_layer(q, k, v, attn_mask=attn_mask, bias_k=bias_k, bias_v=bias_v)
        out = self.out_proj(out.reshape(query.shape[-3:]))
        return (out.transpose(-3, -2) if self.batch_first else out), weights
