"""The keys and values of tokens already seen, so that generation computes each token once; and masks that fit it."""

from __future__ import annotations

from typing import Any

import dovetail as dv
from dovetail import Tensor

__all__ = ["KeyValueCache", "causal_mask"]


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

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """`reorder`, by the name and the argument of transformers."""
        self.reorder(beam_idx)

    def reorder(self, rows: Tensor) -> None:
        """Let each text go on from another one: text i has, from now on, what text ``rows[i]`` had. Raises nothing of its own.

        Texts are expected to change places only with those that have the same ``memory``.
        """
        self._linked.clear()
        with dv.no_grad():
            for part in self.room.flatten(0, 1):
                part[:, :, : self.length] = part[rows][:, :, : self.length]


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
