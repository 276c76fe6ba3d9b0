"""Attention of several heads, said once for all families: each gives its sizes and the names of its layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dovetail import Tensor, nn
from dovetail.errors import ShapeError, ValueRangeError
from dovetail.nn import functional as F

from .cache import KeyValueCache
from .layers import Linear

__all__ = ["Attention", "attend", "padding_mask", "split"]


def split(x: Tensor, heads: int) -> Tensor:
    """Cut the last dimension into heads: ``(N, L, heads · E)`` to ``(N, heads, L, E)``.

    >>> import dovetail as dv
    >>> split(dv.zeros(2, 5, 12), 3).shape
    dovetail.Size([2, 3, 5, 4])
    """
    return x.view(x.shape[0], x.shape[1], heads, x.shape[2] // heads).transpose(1, 2)


def attend(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None, drop: float = 0.0, causal: bool = False,
    scale: float | None = None,
) -> Tensor:  # fmt: skip
    """Let queries ``(N, heads, L, E)`` look at keys and values ``(N, heads or fewer, S, E)``: ``(N, L, heads · E)``.

    Where there are fewer heads of keys, groups of heads of queries share them. ``mask`` is bool, or is added to the scores; with
    ``causal`` and no mask, token i sees the first i + 1. ``scale`` is 1/√E unless given.

    >>> import dovetail as dv
    >>> attend(dv.zeros(1, 4, 3, 2), dv.zeros(1, 2, 3, 2), dv.ones(1, 2, 3, 2), causal=True).shape
    dovetail.Size([1, 3, 8])
    """
    n, heads, length, size = query.shape
    own = key.shape[1]
    causal = causal and mask is None and length > 1
    if length == 1 and own != heads and (mask is None or mask.shape[1] == 1):
        # one token: the queries of a group are rows that see the same keys, and nothing is repeated
        found = F.scaled_dot_product_attention(query.view(n, own, heads // own, size), key, value, mask, drop, scale=scale)
        return found.reshape(n, 1, heads * value.shape[-1])
    found = F.scaled_dot_product_attention(query, key, value, mask, drop, causal, scale, enable_gqa=own != heads)
    return found.transpose(1, 2).reshape(n, length, heads * value.shape[-1])


def padding_mask(where: str, mask: Tensor | None, shape: Sequence[int]) -> Tensor | None:
    """The attention mask ``(N, L)`` of ones and zeros as attention takes it, ``(N, 1, 1, L)`` of bool; None where nothing is masked.

    Raises a ShapeError, said of ``where``, for another shape.
    """
    if mask is None:
        return None
    if tuple(mask.shape) != tuple(shape):
        raise ShapeError(where, f"attention_mask is {tuple(mask.shape)}", f"expected {tuple(shape)} as input_ids")
    mask = mask != 0
    return None if bool(mask.all()) else mask[:, None, None, :]


class Attention(nn.Module):
    """Several heads of attention, whose layers have the ``names`` that a family's files give them: query, key, value and, maybe, output.

    ``kv_heads`` are the heads of keys and values (as many as of queries unless given), ``head_size`` is the length of each,
    ``bias`` says which of the layers have one, ``index`` is the layer's place in a cache. ``dropout`` of the weights is a number, or
    a layer where the family has one, whose ``p`` programs change.

    >>> import dovetail as dv
    >>> layer = Attention(8, 2, ("q", "k", "v", "o"), kv_heads=1)
    >>> sorted(name for name, p in layer.named_parameters() if p.shape == (4, 8))
    ['k.weight', 'v.weight']
    """

    def __init__(
        self, size: int, heads: int, names: Sequence[str], *, kv_heads: int | None = None, head_size: int | None = None,
        bias: bool | Sequence[bool] = True, dropout: float | nn.Dropout = 0.0, scale: float | None = None, index: int = 0,
    ) -> None:  # fmt: skip
        super().__init__()
        if head_size is None and size % heads:
            raise ValueRangeError("Attention", f"the size is {size} and there are {heads} heads", "expected a multiple")
        self.heads, self.kv_heads, self.names = heads, kv_heads or heads, tuple(names)
        if heads % self.kv_heads:
            raise ValueRangeError("Attention", f"there are {heads} heads of queries and {kv_heads} of keys", "expected a multiple")
        self.dropout, self.scale, self.index = dropout, scale, index
        head_size = head_size or size // heads
        inner, shared = heads * head_size, self.kv_heads * head_size
        biases = [bias] * len(names) if isinstance(bias, bool) else bias
        for name, taken, given, has in zip(names, (size, size, size, inner), (inner, shared, shared, size), biases, strict=False):
            self.add_module(name, Linear(taken, given, bias=has))

    def forward(
        self, x: Tensor, mask: Tensor | None = None, memory: Tensor | None = None, causal: bool = False, cache: KeyValueCache | None = None,
        turn: Callable[[Tensor], Tensor] | None = None,
    ) -> Tensor:  # fmt: skip
        """Look from ``x`` ``(N, L, size)`` at itself or at ``memory``; ``turn`` tells queries and keys where they are (rotary)."""
        query = split(self._layer(0)(x), self.heads)
        query = query if turn is None else turn(query)
        if memory is not None:
            key, value = self._kept(memory, cache)
        else:
            key, value = self._pair(x)
            key = key if turn is None else turn(key)
            if cache is not None:
                key, value = cache.update(self.index, key, value)
        drop = self.dropout.p if isinstance(self.dropout, nn.Dropout) else self.dropout
        found = attend(query, key, value, mask, drop if self.training else 0.0, causal, self.scale)
        return self._layer(3)(found) if len(self.names) > 3 else found

    def _layer(self, at: int) -> nn.Module:
        return getattr(self, self.names[at])

    def _pair(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return split(self._layer(1)(x), self.kv_heads), split(self._layer(2)(x), self.kv_heads)

    def _kept(self, memory: Tensor, cache: Any) -> tuple[Tensor, Tensor]:
        """Keys and values of what an encoder found, computed once a text."""
        if cache is None:
            return self._pair(memory)
        if self.index not in cache.memory:
            cache.memory[self.index] = self._pair(memory)
        return cache.memory[self.index]
