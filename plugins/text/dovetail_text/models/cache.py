"""The keys and values of tokens already seen, so that generation computes each token once; and masks that fit it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import dovetail as dv
from dovetail import Tensor
from dovetail.errors import ValueRangeError

__all__ = ["DynamicCache", "KeyValueCache", "begun", "causal_mask"]


class _Layer(NamedTuple):
    keys: Tensor
    values: Tensor


class KeyValueCache:
    """Room for keys and values of all layers, made once: a tensor ``(2, layers, N, heads, length, size)``; where it is full, twice as much.

    ``length`` counts the tokens in it; the model moves it on after each call. ``memory`` holds, by layer, the keys and values of what
    an encoder found, where there is one. What has gradients is kept beside the room too, which is written in place and has none.
    """

    def __init__(self, room: Tensor) -> None:
        self.room = room
        self.length = 0
        self.memory: dict[int, tuple[Tensor, Tensor]] = {}
        self._linked: dict[int, tuple[Tensor, Tensor]] = {}

    def begin(self) -> int:
        """Make ready for the tokens of a call of the model; return how many are in it."""
        return self.length

    @property
    def rows(self) -> int:
        """How many texts are in it."""
        return self.room.shape[2]

    def update(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Keep the keys and values ``(N, heads, L, size)`` of new tokens; return those of all tokens so far."""
        end = self.length + key.shape[2]
        if end > self.room.shape[4]:
            self._grow(max(end, 2 * self.room.shape[4]))
        keys, values = self.room[0, layer], self.room[1, layer]
        with dv.no_grad():
            keys[:, :, self.length : end] = key
            values[:, :, self.length : end] = value
        if dv.is_grad_enabled() and (key.requires_grad or value.requires_grad):
            return self._joined(layer, key, value)
        return keys[:, :, :end], values[:, :, :end]

    def _joined(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """As `update`, with the history of the new tokens and of those before that have one."""
        old, start = self._linked.get(layer), self.length
        if old is None or old[0].shape[2] != start:  # the tokens before came without gradients
            old = self.room[0, layer, :, :, :start], self.room[1, layer, :, :, :start]
        self._linked[layer] = dv.cat([old[0], key], 2), dv.cat([old[1], value], 2)
        return self._linked[layer]

    def _grow(self, length: int) -> None:
        with dv.no_grad():
            old, shape = self.room, list(self.room.shape)
            shape[4] = length
            self.room = dv.zeros(shape, dtype=old.dtype, device=old.device)
            self.room[:, :, :, :, : self.length] = old[:, :, :, :, : self.length]

    def get_seq_length(self) -> int:
        """How many tokens are in it, as transformers asks."""
        return self.length

    @property
    def layers(self) -> list[_Layer]:
        """The ``keys`` and ``values`` ``(N, heads, length, size)`` of each layer, copied: without gradients."""
        self.begin()
        return [_Layer(*part[:, :, :, : self.length].clone()) for part in self.room.transpose(0, 1)]

    def crop(self, tokens_to_remove: int) -> None:
        """Forget the last tokens, whose number is negative, as in transformers. Raises a ValueError for a positive one."""
        if tokens_to_remove > 0:
            raise ValueRangeError("crop", f"tokens_to_remove is {tokens_to_remove}", "expected 0 or less", "pass -1 to forget one token")
        self.length = max(0, self.begin() + tokens_to_remove)
        self._linked = {at: (keys[:, :, : self.length], values[:, :, : self.length]) for at, (keys, values) in self._linked.items()}

    def batch_repeat_interleave(self, repeats: int) -> None:
        """Let each text be ``repeats`` texts, one after the other."""
        self._texts(lambda t, dim: t.repeat_interleave(repeats, dim))

    def batch_select_indices(self, indices: Tensor) -> None:
        """Keep the texts ``indices`` ``(M,)`` alone."""
        self._texts(lambda t, dim: t.index_select(dim, indices.to(t.device)))

    def reset(self) -> None:
        """Forget all; the room stays."""
        self.length = 0
        self.memory.clear()
        self._linked.clear()

    def _texts(self, change: Callable[[Tensor, int], Tensor]) -> None:
        if not self.begin():
            return
        with dv.no_grad():
            self.room = change(self.room, 2)
        for kept in (self.memory, self._linked):
            for at, (keys, values) in kept.items():
                kept[at] = change(keys, 0), change(values, 0)

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """`reorder`, by the name and the argument of transformers."""
        self.reorder(beam_idx)

    def reorder(self, rows: Tensor) -> None:
        """Let each text go on from another one: text i has, from now on, what text ``rows[i]`` had. Raises nothing of its own.

        Texts are expected to change places only with those that have the same ``memory``.
        """
        self.begin()
        self._linked.clear()
        with dv.no_grad():
            for part in self.room.flatten(0, 1):
                part[:, :, : self.length] = part[rows][:, :, : self.length]


class DynamicCache(KeyValueCache):
    """A cache without room of its own at first: it holds the keys and values of the first call as they are, and makes room for a second.

    ``config`` is that of the model, which transformers asks for and which makes no difference here.

    >>> from dovetail_text.models import GPT, GPTConfig
    >>> model, past = GPT(GPTConfig(vocab_size=9, block_size=8, n_layer=1, n_head=2, n_embd=4)), DynamicCache()
    >>> _ = model(dv.tensor([[1, 2, 3]]), past_key_values=past)
    >>> past.get_seq_length(), past.layers[0].keys.shape
    (3, dovetail.Size([1, 2, 3, 2]))
    """

    def __init__(self, config: Any = None) -> None:
        super().__init__(dv.empty(2, 0, 0, 0, 0, 0))

    def begin(self) -> int:
        """As in the base; what the first call left is put into room, which the next ones write."""
        if self._linked and not self.room.shape[1]:
            layers = [self._linked[at] for at in sorted(self._linked)]
            first = layers[0][0]
            rows, heads, length, size = first.shape
            with dv.no_grad():
                self.room = dv.zeros(2, len(layers), rows, heads, 2 * length, size, dtype=first.dtype, device=first.device)
                for at, pair in enumerate(layers):
                    for part, kept in enumerate(pair):
                        self.room[part, at, :, :, :length] = kept
            self._linked = {at: pair for at, pair in self._linked.items() if pair[0].requires_grad or pair[1].requires_grad}
        return self.length

    def reset(self) -> None:
        """Forget all, the room as well: the next texts may be more or fewer."""
        super().reset()
        self.room = self.room[:, :0]

    def update(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """As in the base. A layer that runs again, for a checkpoint in ``backward``, finds what it found."""
        if self.room.shape[1]:
            return super().update(layer, key, value)
        if not self.length:
            self._linked[layer] = key, value
        return key, value


def begun(cache: KeyValueCache | None) -> int:
    """How many tokens are in a cache that is about to take more: 0 without one.

    >>> begun(None)
    0
    """
    return 0 if cache is None else cache.begin()


def causal_mask(
    padding: Tensor | None, length: int, past: int, device: Any = None, window: int | None = None, plain: bool = True
) -> Tensor | None:  # fmt: skip
    """Which of ``past + length`` tokens each of the last ``length`` may look at, ``(N or 1, 1, length, past + length)`` of bool.

    ``padding`` ``(N, past + length)`` is 0 where there is no token; with a ``window`` each token sees that many, itself among them.
    None where plain causality (or a single new token) says it all; with ``plain=False`` only where all is allowed.

    >>> causal_mask(None, 2, 1)
    tensor([[[[ True,  True, False],
              [ True,  True,  True]]]])
    """
    if padding is not None and bool((padding != 0).all()):
        padding = None
    narrow = window is not None and past + length > window
    if padding is None and not narrow and ((plain and past == 0) or length == 1):
        return None
    seen = dv.arange(past + length, device=device)
    mask = (seen <= seen[past:, None])[None, None]
    if narrow:
        mask = mask & (seen > seen[past:, None] - window)
    return mask if padding is None else mask & (padding != 0)[:, None, None, :]
