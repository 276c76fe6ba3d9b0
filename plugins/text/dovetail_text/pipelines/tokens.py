"""The pipeline that says something of each token: names in a text, token by token or put together."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np

import dovetail as dv
from dovetail.errors import TypeMismatch, ValueRangeError

from .base import Pipeline, text_of

__all__ = ["TokenClassificationPipeline"]

_STRATEGIES = ("none", "simple", "first", "average", "max")


class TokenClassificationPipeline(Pipeline):
    """The classes of a text's tokens that are not in ``ignore_labels`` (``["O"]``): where each stands, its class and its ``score``.

    ``aggregation_strategy`` puts tokens together: ``"none"``; ``"simple"``, neighbours of one class; ``"first"``, ``"average"`` and
    ``"max"``, words first, whose class is that of the first token, of the mean of the scores, or of the surest token. Classes are read
    as B-… and I-…. ``stride`` cuts a long text into windows that overlap; ``is_split_into_words=True`` takes a list of words, which
    stand with ``delimiter`` between them. Raises a ValueError for options outside these.

    >>> from dovetail_text.models import BertConfig, BertForTokenClassification
    >>> from dovetail_text.tokenizers import train_wordpiece
    >>> tokenizer = train_wordpiece(["it fits, it fits"], 40)
    >>> model = BertForTokenClassification(BertConfig(len(tokenizer), 8, 1, 2, 16, id2label={0: "O", 1: "NAME"})).eval()
    >>> found = TokenClassificationPipeline(model, tokenizer, ignore_labels=[])("it fits")
    >>> found[0]["word"], found[0]["start"], found[0]["end"]
    ('it', 0, 2)
    """

    task: ClassVar[str] = "token-classification"

    def checked(self, options: dict[str, Any]) -> dict[str, Any]:
        """Options that fit each other."""
        strategy = options.get("aggregation_strategy")
        if strategy is not None and str(strategy).lower() not in _STRATEGIES:
            raise ValueRangeError(self.task, f"aggregation_strategy is {strategy!r}", f"expected one of {', '.join(_STRATEGIES)}")
        if options.get("stride") is not None:
            most = self.tokenizer.model_max_length
            if most is not None and options["stride"] >= most:
                raise ValueRangeError(self.task, f"stride is {options['stride']}", f"expected less than model_max_length = {most}")
            if str(strategy).lower() == "none" and strategy is not None:
                what = f"stride is {options['stride']} and aggregation_strategy is {strategy!r}"
                raise ValueRangeError(self.task, what, "expected one that puts tokens together")
        return options

    def __call__(self, inputs: Any, **options: Any) -> Any:
        """As of `Pipeline`; with ``is_split_into_words`` a text is a list of words."""
        words = options.get("is_split_into_words", self.options.get("is_split_into_words"))
        if words and isinstance(inputs, list) and not all(isinstance(one, list) for one in inputs):
            inputs = [inputs]
        return super().__call__(inputs, **options)

    def answer(
        self, text: Any, aggregation_strategy: str | None = None, ignore_labels: Sequence[str] = ("O",), stride: int | None = None,
        is_split_into_words: bool = False, delimiter: str | None = None,
    ) -> list[dict[str, Any]]:  # fmt: skip
        """The names in a text."""
        strategy, starts = (aggregation_strategy or "none").lower(), None
        sentence = text
        if is_split_into_words:
            if not isinstance(text, list):
                raise TypeMismatch(self.task, f"the input is {type(text).__name__}", "expected a list of words")
            between = " " if delimiter is None else delimiter
            sentence, starts = between.join(text), [0]
            for word in text:
                starts.append(starts[-1] + len(word) + len(between))
        text_of(self.task, sentence)
        windows, found = list(self._windows(text, stride, is_split_into_words)), []
        for scores, tokens in windows:
            places = self._tokens(sentence, scores, tokens, strategy, starts)
            for one in self._joined(places, strategy):
                if one.get("entity", one.get("entity_group")) not in ignore_labels:
                    found.append(one)
        return found if len(windows) == 1 else _without_overlaps(found)

    def _windows(self, text: Any, stride: int | None, words: bool) -> Iterator[tuple[np.ndarray, dict[str, Any]]]:
        """The scores ``(L, classes)`` of the tokens of each window, and the tokens."""
        limit = self.tokenizer.model_max_length
        options = {} if stride is None else {"return_overflowing_tokens": True, "padding": True, "stride": stride}
        batch = self.tokenizer(
            text, return_tensors="pt", truncation=bool(limit), return_special_tokens_mask=True, return_offsets_mapping=True,
            is_split_into_words=words, **options,
        )  # fmt: skip
        known = {name: batch[name] for name in ("input_ids", "attention_mask", "token_type_ids") if name in batch}
        for at in range(len(batch["input_ids"])):
            logits = self.run({name: t[at : at + 1] for name, t in known.items()}).logits[0].to(dv.float32).numpy()
            odds = np.exp(logits - logits.max(-1, keepdims=True))
            tokens = {name: batch[name][at].tolist() for name in ("input_ids", "special_tokens_mask", "offset_mapping")}
            yield odds / odds.sum(-1, keepdims=True), {**tokens, "words": batch.word_ids(at) if words else None}

    def _tokens(
        self, sentence: str, scores: np.ndarray, tokens: dict[str, Any], strategy: str, starts: list[int] | None
    ) -> Iterator[dict[str, Any]]:  # fmt: skip
        """The tokens that are no special ones, and whether each goes on with a word."""
        backend = getattr(self.tokenizer, "backend", None)
        marked = bool(getattr(getattr(backend, "model", None), "continuing_subword_prefix", None))
        if not marked and strategy in ("first", "average", "max"):
            warnings.warn("token-classification: the tokenizer does not mark words, which are taken to end at spaces", stacklevel=2)
        for index, number in enumerate(tokens["input_ids"]):
            if tokens["special_tokens_mask"][index]:
                continue
            start, end = tokens["offset_mapping"][index]
            if starts is not None and tokens["words"][index] is not None:
                first = starts[tokens["words"][index]]
                start, end = start + first, end + first
            word, said = self.tokenizer.convert_ids_to_tokens(number), sentence[start:end]
            inside = len(word) != len(said) if marked else start > 0 and " " not in sentence[start - 1 : start + 1]
            if number == self.tokenizer.unk_token_id:
                word, inside = said, False
            yield {"word": word, "scores": scores[index], "start": start, "end": end, "index": index, "inside": inside}

    def _joined(self, tokens: Iterator[dict[str, Any]], strategy: str) -> list[dict[str, Any]]:
        names = self.model.config.id2label
        if strategy in ("none", "simple"):
            found = []
            for one in tokens:
                best = int(one["scores"].argmax())
                about = {"entity": names[best], "score": one["scores"][best]}
                found.append(about | {name: one[name] for name in ("index", "word", "start", "end")})
            return found if strategy == "none" else self._grouped(found)
        words: list[list[dict[str, Any]]] = []
        for one in tokens:
            if words and one["inside"]:
                words[-1].append(one)
            else:
                words.append([one])
        return self._grouped([self._word(word, strategy) for word in words])

    def _word(self, tokens: list[dict[str, Any]], strategy: str) -> dict[str, Any]:
        """One word of several tokens, and its class."""
        if strategy == "average":
            scores = np.nanmean(np.stack([one["scores"] for one in tokens]), axis=0)
        else:
            scores = (tokens[0] if strategy == "first" else max(tokens, key=lambda one: one["scores"].max()))["scores"]
        best = int(scores.argmax())
        word = self.tokenizer.convert_tokens_to_string([one["word"] for one in tokens])
        about = {"entity": self.model.config.id2label[best], "score": scores[best], "word": word}
        return about | {"start": tokens[0]["start"], "end": tokens[-1]["end"]}

    def _grouped(self, entities: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Neighbours of one class as one, unless a new name begins (B-…)."""
        groups: list[list[dict[str, Any]]] = []
        for one in entities:
            begins, kind = _tag(one["entity"])
            if groups and not begins and kind == _tag(groups[-1][-1]["entity"])[1]:
                groups[-1].append(one)
            else:
                groups.append([one])
        return [
            {
                "entity_group": group[0]["entity"].split("-", 1)[-1], "score": np.mean(np.nanmean([one["score"] for one in group])),
                "word": self.tokenizer.convert_tokens_to_string([one["word"] for one in group]), "start": group[0]["start"],
                "end": group[-1]["end"],
            }
            for group in groups
        ]  # fmt: skip


def _tag(name: str) -> tuple[bool, str]:
    """Whether a class says that a name begins, and the kind of name; without B- or I- it goes on."""
    return name.startswith("B-"), name[2:] if name.startswith(("B-", "I-")) else name


def _without_overlaps(entities: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of names that windows share, the longest, then the surest."""
    found: list[dict[str, Any]] = []
    for one in sorted(entities, key=lambda one: one["start"]):
        if not found or not found[-1]["start"] <= one["start"] < found[-1]["end"]:
            found.append(one)
            continue
        length, other = one["end"] - one["start"], found[-1]["end"] - found[-1]["start"]
        if length > other or (length == other and one["score"] > found[-1]["score"]):
            found[-1] = one
    return found
