"""Prompts of several lengths as one tensor, and how each step's scores are computed from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dovetail as dv
from dovetail import Tensor
from dovetail.errors import ShapeError, TypeMismatch

from ..models.cache import KeyValueCache
from ..models.output import ModelOutput
from .given import Given

__all__ = ["AnswerSteps", "Steps", "answer_start", "left_padded", "prompts"]


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


def prompts(ids: Any, mask: Tensor | None, pad: int, left: bool, vectors: Tensor | None = None) -> tuple[Tensor, Tensor | None, bool]:
    """The prompts as ``(N, L)``, their mask, and whether it was a single one; with ``left`` the padding must be on the left.

    With ``vectors`` ``(N, S, H)`` the mask is theirs, and there may be no tokens. Raises a TypeError for what is no prompt, a RuntimeError
    for an empty one or a mask that does not fit.
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
    if ids.ndim != 2 or (vectors is None and not ids.shape[1]):
        raise ShapeError("generate", f"ids is {tuple(ids.shape)}", "expected (N, L) with at least one token")
    shape = ids.shape if vectors is None else vectors.shape[:2]
    if mask is not None:
        mask = mask[None] if mask.ndim == 1 else mask
        if mask.shape != shape or (left and not bool((mask[:, -1] != 0).all())):
            side = ", with the padding on the left" if left else ""
            raise ShapeError("generate", f"attention_mask is {tuple(mask.shape)} for ids {tuple(shape)}", f"expected their shape{side}")
        mask = None if bool((mask != 0).all()) else mask
    return ids, mask, single


def _many(t: Tensor | None, copies: int) -> Any:
    return t if t is None or copies == 1 else t.repeat_interleave(copies, 0)


def _longer(t: Tensor | None, new: int, copies: int, step: int = 0) -> Any:
    """Numbers of tokens ``(N, L)``, and those of ``new`` ones, each ``step`` more than the one before."""
    if t is None:
        return None
    more = t[:, -1:] + step * dv.arange(1, new + 1, device=t.device)
    return _many(dv.cat([t, more.expand(t.shape[0], new)], 1).to(dv.int64), copies)


class Steps:
    """The scores of the next token of a text that a decoder continues, with what was computed before, for ``copies`` of each prompt.

    With ``given.inputs_embeds`` vectors stand where the prompt is, and ``ids`` may be of no token; ``given.past_key_values`` is a cache
    that holds the beginning of the texts. ``states`` keeps the hidden states of each step where they are asked for.
    """

    def __init__(self, model: Any, ids: Tensor, mask: Tensor | None, new: int, use_cache: bool, given: Given, copies: int = 1) -> None:
        self.model, self.start, self.words = model, _many(ids, copies), _many(given.inputs_embeds, copies)
        length = (ids if self.words is None else self.words).shape[1]
        self.before, rows = length - ids.shape[1], self.start.shape[0]
        self.most = model.longest or length + new
        # A cache cannot slide: with learned positions every token's keys change when the window moves.
        self.cache = model.make_cache(rows, min(length + new, self.most)) if use_cache else None
        if given.past_key_values is not None:
            self.cache = _fitting(given.past_key_values, rows, length)
        self.mask = self.padding = None
        if mask is not None:
            mask = _many(mask, copies)
            self.padding = (mask != 0).to(dv.int64).argmax(1)
            self.mask = dv.cat([mask.to(dv.int64), dv.ones(rows, new, dtype=dv.int64, device=ids.device)], 1)
        self.places, self.kinds = _longer(given.position_ids, new, copies, 1), _longer(given.token_type_ids, new, copies)
        self.states: list[Any] | None = [] if given.output_hidden_states else None

    def scores(self, ids: Tensor) -> Tensor:
        """The scores ``(N, V)`` of what follows ``ids`` ``(N, L)``."""
        length = self.before + ids.shape[1]
        if self.cache is not None and length > self.most:
            self.cache = None
        first = max(0, length - self.most)
        at = first if self.cache is None else self.cache.begin()
        mask = None if self.mask is None else self.mask[:, first:length]
        places = None if mask is None else (mask.cumsum(1) - 1).clamp(min=0)[:, at - first :]
        options: dict[str, Any] = {"cache": self.cache, "logits_to_keep": 1}
        if self.places is not None:
            places = self.places[:, at:length]
        if self.kinds is not None:
            options["token_type_ids"] = self.kinds[:, at:length]
        if self.states is not None:
            options["output_hidden_states"] = True
        ids, options = self._fed(ids, at, options)
        out = self.model(ids, mask, places, **options)
        if self.states is not None:
            self.states.append(out.hidden_states)
        return out.logits[:, -1]  # type: ignore[no-any-return]

    def _fed(self, ids: Tensor, at: int, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """What the model is given from the place ``at`` on: tokens, or vectors as long as there are some."""
        if self.words is None or at >= self.words.shape[1]:
            return ids[:, at - self.before :], options
        said = self.model.get_input_embeddings()(ids[:, self.start.shape[1] :])
        return None, {**options, "inputs_embeds": dv.cat([self.words, said], 1)[:, at:]}

    def reorder(self, rows: Tensor) -> None:
        """Go on with the texts ``rows``; only among those of one prompt, so that masks stay."""
        if self.cache is not None:
            self.cache.reorder(rows)

    def results(self) -> dict[str, Any]:
        """What stands beside the texts: the hidden states and the cache."""
        return {"hidden_states": None if self.states is None else tuple(self.states), "cache": self.cache}


def _fitting(cache: Any, rows: int, length: int) -> KeyValueCache:
    """A cache that was given. Raises a TypeError for what is none, a RuntimeError for one of other texts."""
    if not isinstance(cache, KeyValueCache):
        fix = "pass on what the model gave, or a DynamicCache"
        raise TypeMismatch("generate", f"past_key_values is {type(cache).__name__}", "expected a cache", fix)
    there = cache.begin()
    if there and cache.rows != rows:
        raise ShapeError("generate", f"past_key_values has {cache.rows} texts", f"expected {rows}, one for each that is generated")
    if there >= length:
        what = f"past_key_values has {there} tokens and the prompt {length}"
        raise ShapeError("generate", what, "expected the whole text, of which the cache is a beginning", "give the tokens before, too")
    return cache


def answer_start(config: Any, given: Given, rows: int, device: Any) -> Tensor:
    """The tokens ``(rows, L)`` with which answers begin: the first one, and ``given.decoder_input_ids``."""
    first = config.pad_token_id if config.decoder_start_token_id is None else config.decoder_start_token_id
    first = first if given.decoder_start_token_id is None else given.decoder_start_token_id
    begin = dv.tensor(first or 0, dtype=dv.int64, device=device).reshape(-1, 1).expand(rows, 1)
    said = given.decoder_input_ids
    if said is None:
        return begin
    return said if bool((said[:, :1] == begin).any()) else dv.cat([begin, said], 1)


class AnswerSteps:
    """The scores of the next token of an answer: the prompts are encoded once, ``start`` is where answers begin, ``(N, L)``."""

    def __init__(
        self, model: Any, ids: Tensor, mask: Tensor | None, start: Tensor, new: int, use_cache: bool, given: Given, copies: int
    ) -> None:  # fmt: skip
        self.model, self.padding = model, None
        found, vectors = given.encoder_outputs, {} if given.inputs_embeds is None else {"inputs_embeds": given.inputs_embeds}
        if found is None:
            found = model.encode(None if vectors else ids, mask, **vectors)
        self.encoded = found if hasattr(found, "last_hidden_state") else ModelOutput(last_hidden_state=found[0], hidden_states=None)
        self.seen = self.encoded.get("hidden_states")
        if copies > 1:
            self.encoded = type(self.encoded)(last_hidden_state=self.encoded.last_hidden_state.repeat_interleave(copies, 0))
        self.mask, self.start = _many(mask, copies), _many(start, copies)
        self.cache = model.make_cache(self.start.shape[0], start.shape[1] + new) if use_cache else None
        if given.past_key_values is not None:
            self.cache = _fitting(given.past_key_values, self.start.shape[0], start.shape[1])
        self.said = given.decoder_attention_mask
        if self.said is not None:
            first = start.shape[1] - self.said.shape[1]  # the token that was put before
            ones = dv.ones(self.said.shape[0], first + new, dtype=self.said.dtype, device=self.said.device)
            self.said = _many(dv.cat([ones[:, :first], self.said, ones[:, first:]], 1), copies)
        self.states: list[Any] | None = [] if given.output_hidden_states else None

    def scores(self, ids: Tensor) -> Tensor:
        """The scores ``(N, V)`` of what follows ``ids`` ``(N, L)``, tokens of the answers."""
        past = 0 if self.cache is None else self.cache.begin()
        options = {} if self.said is None else {"decoder_attention_mask": self.said[:, : ids.shape[1]]}
        if self.states is not None:
            options["output_hidden_states"] = True
        out = self.model(
            attention_mask=self.mask, decoder_input_ids=ids[:, past:], encoder_outputs=self.encoded, cache=self.cache, logits_to_keep=1,
            **options,
        )  # fmt: skip
        if self.states is not None:
            self.states.append(out.decoder_hidden_states)
        return out.logits[:, -1]  # type: ignore[no-any-return]

    def reorder(self, rows: Tensor) -> None:
        """Go on with the answers ``rows``; only among those of one prompt."""
        if self.cache is not None:
            self.cache.reorder(rows)

    def results(self) -> dict[str, Any]:
        """What stands beside the answers: the hidden states of both sides, and the cache."""
        if self.states is None:
            return {"encoder_hidden_states": None, "decoder_hidden_states": None, "cache": self.cache}
        return {"encoder_hidden_states": self.seen, "decoder_hidden_states": tuple(self.states), "cache": self.cache}
