"""Prompts of several lengths as one tensor, and how each step's scores are computed from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dovetail as dv
from dovetail import Tensor
from dovetail.errors import ShapeError, TypeMismatch

__all__ = ["AnswerSteps", "Steps", "left_padded", "prompts"]


def left_padded(prompts: Sequence[Sequence[int]], pad: int = 0) -> tuple[Tensor, Tensor]:
    """Make one tensor ``(N, L)`` of prompts of several lengths, padded on the left, and its attention mask.

    >>> left_padded([[1, 2], [3]])
    (tensor([[1, 2],
            [0, 3]]), tensor([[1, 1],
            [0, 1]]))
    """
    longest = max(map(len, prompts))
    ids = [[pad] * (longest - len(prompt)) + list(prompt) for prompt in prompts]
    mask = [[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts]
    return dv.tensor(ids, dtype=dv.int64), dv.tensor(mask, dtype=dv.int64)


def prompts(ids: Any, mask: Tensor | None, pad: int, left: bool) -> tuple[Tensor, Tensor | None, bool]:
    """The prompts as ``(N, L)``, their mask, and whether it was a single one; with ``left`` the padding must be on the left.

    Raises a TypeError for what is no prompt, a RuntimeError for an empty one or a mask that does not fit.
    """
    if not isinstance(ids, Tensor):
        if not isinstance(ids, Sequence) or isinstance(ids, str):
            raise TypeMismatch("generate", f"ids is {type(ids).__name__}", "expected a tensor or lists of tokens", "encode the text first")
        if mask is not None:
            raise TypeMismatch("generate", "attention_mask is given with lists", "lists are padded and masked by themselves")
        single = not len(ids) or isinstance(ids[0], int)
        lists = [ids] if single else ids
        if not all(map(len, lists)):
            raise ShapeError("generate", "a prompt is empty", "expected at least one token", "begin with the token for the start of a text")
        ids, mask = left_padded(lists, pad)
        return ids, None if bool(mask.all()) else mask, single
    single = ids.ndim == 1
    ids = ids[None] if single else ids
    if ids.ndim != 2 or not ids.shape[1]:
        raise ShapeError("generate", f"ids is {tuple(ids.shape)}", "expected (N, L) with at least one token")
    if mask is not None:
        mask = mask[None] if mask.ndim == 1 else mask
        if mask.shape != ids.shape or (left and not bool((mask[:, -1] != 0).all())):
            side = ", with the padding on the left" if left else ""
            raise ShapeError("generate", f"attention_mask is {tuple(mask.shape)} for ids {tuple(ids.shape)}", f"expected their shape{side}")
        mask = None if bool((mask != 0).all()) else mask
    return ids, mask, single


class Steps:
    """The scores of the next token of a text that a decoder continues, with what was computed before."""

    def __init__(self, model: Any, ids: Tensor, mask: Tensor | None, new: int, use_cache: bool) -> None:
        self.model, self.start = model, ids
        length = ids.shape[1] + new
        self.most = model.longest or length
        # A cache cannot slide: with learned positions every token's keys change when the window moves.
        self.cache = model.make_cache(ids.shape[0], min(length, self.most)) if use_cache else None
        self.mask = self.padding = None
        if mask is not None:
            self.padding = (mask != 0).to(dv.int64).argmax(1)
            self.mask = dv.cat([mask.to(dv.int64), dv.ones(ids.shape[0], new, dtype=dv.int64, device=ids.device)], 1)

    def scores(self, ids: Tensor) -> Tensor:
        """The scores ``(N, V)`` of what follows ``ids`` ``(N, L)``."""
        length = ids.shape[1]
        if self.cache is not None and length > self.most:
            self.cache = None
        past, first = 0 if self.cache is None else self.cache.length, max(0, length - self.most)
        mask = None if self.mask is None else self.mask[:, first:length]
        places = None if mask is None else (mask.cumsum(1) - 1).clamp(min=0)[:, past:]
        return self.model(ids[:, first + past :], mask, places, cache=self.cache, logits_to_keep=1).logits[:, -1]

    def reorder(self, rows: Tensor) -> None:
        """Go on with the texts ``rows``; only among those of one prompt, so that masks stay."""
        if self.cache is not None:
            self.cache.reorder(rows)


class AnswerSteps:
    """The scores of the next token of an answer: the prompts are encoded once, ``start`` is where answers begin."""

    def __init__(self, model: Any, ids: Tensor, mask: Tensor | None, new: int, use_cache: bool, copies: int) -> None:
        config = model.config
        self.model, self.padding = model, None
        self.encoded = model.encode(ids, mask)
        if copies > 1:
            self.encoded = type(self.encoded)(last_hidden_state=self.encoded.last_hidden_state.repeat_interleave(copies, 0))
            mask = None if mask is None else mask.repeat_interleave(copies, 0)
        self.mask, rows = mask, ids.shape[0] * copies
        first = config.pad_token_id if config.decoder_start_token_id is None else config.decoder_start_token_id
        self.start = dv.full((rows, 1), first or 0, dtype=dv.int64, device=ids.device)
        self.cache = model.make_cache(rows, 1 + new) if use_cache else None

    def scores(self, ids: Tensor) -> Tensor:
        """The scores ``(N, V)`` of what follows ``ids`` ``(N, L)``, tokens of the answers."""
        past = 0 if self.cache is None else self.cache.length
        out = self.model(
            attention_mask=self.mask, decoder_input_ids=ids[:, past:], encoder_outputs=self.encoded, cache=self.cache, logits_to_keep=1
        )
        return out.logits[:, -1]

    def reorder(self, rows: Tensor) -> None:
        """Go on with the answers ``rows``; only among those of one prompt."""
        if self.cache is not None:
            self.cache.reorder(rows)
