"""Rules for the next token: what may not come, must come or is less likely, each a function of the text so far and its scores."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import dovetail as dv
from dovetail import Tensor
from dovetail.errors import TypeMismatch, ValueRangeError

from .scores import penalised, repeating

__all__ = ["Rule", "Rules", "tokens_of"]

Rule = Callable[[Tensor, Tensor], Tensor]
_NEVER = -float("inf")


@dataclass
class Rules:
    """What may stand among the arguments of ``generate`` beside those it names, by the names of transformers; None asks nothing.

    >>> Rules(min_new_tokens=3).checked().min_new_tokens
    3
    """

    min_length: int | None = None
    min_new_tokens: int | None = None
    no_repeat_ngram_size: int | None = None
    encoder_no_repeat_ngram_size: int | None = None
    encoder_repetition_penalty: float | None = None
    bad_words_ids: Sequence[Sequence[int]] | None = None
    sequence_bias: Mapping[tuple[int, ...], float] | Sequence[Sequence[Any]] | None = None
    suppress_tokens: Sequence[int] | None = None
    begin_suppress_tokens: Sequence[int] | None = None
    forced_bos_token_id: int | None = None
    forced_eos_token_id: int | Sequence[int] | None = None
    exponential_decay_length_penalty: tuple[int, float] | None = None
    remove_invalid_values: bool | None = None
    renormalize_logits: bool | None = None
    prefix_allowed_tokens_fn: Callable[[int, Tensor], Sequence[int]] | None = None
    logits_processor: Sequence[Rule] | None = None
    min_p: float | None = None
    typical_p: float | None = None
    epsilon_cutoff: float | None = None
    eta_cutoff: float | None = None
    stopping_criteria: Sequence[Callable[[Tensor, Any], Any]] | None = None
    max_time: float | None = None
    return_dict_in_generate: bool | None = None
    output_scores: bool | None = None
    output_logits: bool | None = None

    def checked(self) -> Self:
        """Themselves. Raises a ValueError for a number outside its range, a TypeError for what are no tokens."""
        for name in ("min_length", "min_new_tokens", "no_repeat_ngram_size", "encoder_no_repeat_ngram_size"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or value < 0):
                raise ValueRangeError("generate", f"{name} is {value!r}", "expected 0 or more")
        for name, low in (("encoder_repetition_penalty", 0.0), ("max_time", 0.0), ("typical_p", 0.0)):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, int | float) and value > low):
                raise ValueRangeError("generate", f"{name} is {value!r}", "expected more than 0")
        if self.min_p is not None and not (isinstance(self.min_p, int | float) and 0 <= self.min_p <= 1):
            raise ValueRangeError("generate", f"min_p is {self.min_p!r}", "expected 0 <= min_p <= 1")
        return self

    def before(
        self, penalty: float, prompt: Tensor, padding: Tensor | None, start: int, longest: int, ends: list[int], copies: int = 1
    ) -> list[Rule]:  # fmt: skip
        """The rules in the order of transformers' that come before any drawing.

        ``prompt`` ``(N, L)`` are the texts that were given, of which each has ``copies`` rows, ``padding`` as in `penalised`, ``start`` and
        ``longest`` the lengths where new tokens begin and end, ``ends`` the tokens that end a text.
        """
        found: list[Rule] = []
        if self.sequence_bias is not None:
            found.append(_biased(_biases(self.sequence_bias)))
        if self.encoder_repetition_penalty not in (None, 1.0):
            found.append(_about(prompt, partial(penalised, penalty=1 / self.encoder_repetition_penalty)))
        if penalty != 1.0:
            found.append(lambda ids, scores: penalised(scores, ids, penalty, padding))
        if self.no_repeat_ngram_size:
            found.append(lambda ids, scores: repeating(scores, ids, ids, self.no_repeat_ngram_size))
        if self.encoder_no_repeat_ngram_size:
            found.append(_ngrams_of(prompt, self.encoder_no_repeat_ngram_size))
        if self.bad_words_ids is not None:
            words = [tuple(word) for word in _words(self.bad_words_ids) if list(word) not in [[end] for end in ends]]
            found.append(_biased(dict.fromkeys(words, _NEVER)))
        return found + self._lengths(start, longest, ends, copies)

    def _lengths(self, start: int, longest: int, ends: list[int], copies: int) -> list[Rule]:
        """Rules that depend on how long a text is."""
        found: list[Rule] = []
        least = self.min_length or 0 if self.min_new_tokens is None else start + self.min_new_tokens
        if least and ends:
            found.append(_when(lambda length: length < least, partial(_without, tokens=ends)))
        if self.prefix_allowed_tokens_fn is not None:
            found.append(_allowed(self.prefix_allowed_tokens_fn, copies))
        if self.forced_bos_token_id is not None:
            found.append(_when(lambda length: length == 1, partial(_only, tokens=[self.forced_bos_token_id])))
        if self.forced_eos_token_id is not None:
            found.append(_when(lambda length: length == longest - 1, partial(_only, tokens=tokens_of(self.forced_eos_token_id))))
        if self.remove_invalid_values:
            found.append(lambda ids, scores: scores.nan_to_num(0.0, dv.finfo(scores.dtype).max, dv.finfo(scores.dtype).min))
        if self.exponential_decay_length_penalty is not None and ends:
            found.append(_hurry(*self.exponential_decay_length_penalty, start, ends))
        if self.suppress_tokens is not None:
            found.append(lambda ids, scores: _without(scores, self.suppress_tokens))
        if self.begin_suppress_tokens is not None:
            first = start if start > 1 or self.forced_bos_token_id is None else start + 1
            found.append(_when(lambda length: length == first, partial(_without, tokens=self.begin_suppress_tokens)))
        return found + list(self.logits_processor or ())


def tokens_of(tokens: int | Iterable[int] | Tensor | None) -> list[int]:
    """A token or several as a list.

    >>> tokens_of(None), tokens_of(5), tokens_of((5, 6))
    ([], [5], [5, 6])
    """
    if tokens is None:
        return []
    tokens = tokens.tolist() if isinstance(tokens, Tensor) else tokens
    found = [tokens] if isinstance(tokens, int | str | float | Mapping) or not isinstance(tokens, Iterable) else list(tokens)
    if not all(hasattr(token, "__index__") and not isinstance(token, bool) for token in found):
        raise TypeMismatch("generate", f"{tokens!r} stands for a token", "expected its number, or several")
    return [int(token) for token in found]


def _when(now: Callable[[int], bool], change: Callable[[Tensor], Tensor]) -> Rule:
    return lambda ids, scores: change(scores) if now(ids.shape[1]) else scores


def _places(scores: Tensor, tokens: Any) -> Tensor:
    at = dv.tensor(tokens_of(tokens), dtype=dv.int64, device=scores.device)
    if at.numel() and not 0 <= int(at.min()) <= int(at.max()) < scores.shape[1]:
        what = f"tokens {at.tolist()} are asked for and the vocabulary has {scores.shape[1]}"
        raise ValueRangeError("generate", what, "expected tokens of the vocabulary")
    return at


def _without(scores: Tensor, tokens: Iterable[int]) -> Tensor:
    return scores.index_fill(1, _places(scores, tokens), _NEVER)


def _only(scores: Tensor, tokens: Iterable[int]) -> Tensor:
    return dv.full_like(scores, _NEVER).index_fill(1, _places(scores, tokens), 0.0)


def _about(prompt: Tensor, change: Callable[[Tensor, Tensor], Tensor]) -> Rule:
    return lambda ids, scores: change(scores, _each(prompt, scores))


def _each(prompt: Tensor, scores: Tensor) -> Tensor:
    """The prompt of each row, of which several may have the same."""
    return prompt.repeat_interleave(scores.shape[0] // prompt.shape[0], 0) if scores.shape[0] > prompt.shape[0] else prompt


def _ngrams_of(prompt: Tensor, size: int) -> Rule:
    return lambda ids, scores: repeating(scores, ids, _each(prompt, scores), size)


def _words(words: Any) -> Sequence[Sequence[int]]:
    whole = isinstance(words, Sequence) and words and all(isinstance(word, Sequence) and len(word) for word in words)
    if not whole or not all(isinstance(token, int) and token >= 0 for word in words for token in word):
        raise ValueRangeError("generate", f"bad_words_ids is {words!r}", "expected lists of tokens", "tokenizer(words).input_ids are such")
    return words


def _biases(given: Any) -> dict[tuple[int, ...], float]:
    try:
        pairs = given.items() if isinstance(given, Mapping) else given
        found = {tuple(int(token) for token in words): float(bias) for words, bias in pairs}
    except (TypeError, ValueError):
        found = {}
    if not found or not all(found):
        raise ValueRangeError("generate", f"sequence_bias is {given!r}", "expected numbers by tuples of tokens")
    return found


def _biased(biases: Mapping[tuple[int, ...], float]) -> Rule:
    """Add to the score of each text's last token where what comes before it is there."""

    def rule(ids: Tensor, scores: Tensor) -> Tensor:
        bias = dv.zeros_like(scores)
        for words, value in biases.items():
            if len(words) - 1 > ids.shape[1]:
                continue
            _places(scores, words)
            before = dv.tensor(words[:-1], dtype=dv.int64, device=ids.device)
            there = (ids[:, ids.shape[1] - len(words) + 1 :] == before).all(1)
            bias[:, words[-1]] += dv.where(there, value, 0.0)
        return scores + bias

    return rule


def _allowed(allowed: Callable[[int, Tensor], Sequence[int]], copies: int) -> Rule:
    def rule(ids: Tensor, scores: Tensor) -> Tensor:
        rows = []
        for row, text in enumerate(ids):
            tokens = tokens_of(allowed(row // copies, text))
            if not tokens:
                what = f"prefix_allowed_tokens_fn allows nothing after {text.tolist()}"
                raise ValueRangeError("generate", what, "expected a token at least")
            rows.append(dv.full_like(scores[row], _NEVER).index_fill(0, _places(scores, tokens), 0.0))
        return scores + dv.stack(rows)

    return rule


def _hurry(begin: int, factor: float, start: int, ends: list[int]) -> Rule:
    """Raise the scores of ends more and more, once a text is ``begin`` tokens longer than its prompt."""

    def rule(ids: Tensor, scores: Tensor) -> Tensor:
        late = ids.shape[1] - begin - start
        if late <= 0:
            return scores
        at = _places(scores, ends)
        more = scores[:, at].abs() * (factor**late - 1)
        return scores.index_add(1, at, more.masked_fill(~scores[:, at].isfinite(), 0.0))

    return rule
