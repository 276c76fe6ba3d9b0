"""Pipelines that say something of a whole text: its class, its vectors, its masked words."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

import dovetail as dv
from dovetail import Tensor
from dovetail.errors import ValueRangeError

from .base import Pipeline, PipelineException, text_of

__all__ = ["FeatureExtractionPipeline", "FillMaskPipeline", "TextClassificationPipeline", "ZeroShotClassificationPipeline"]

_UNSAID: Any = object()


def _shares(scores: np.ndarray) -> np.ndarray:
    """``softmax`` of the last dimension."""
    odds = np.exp(scores - scores.max(-1, keepdims=True))
    return odds / odds.sum(-1, keepdims=True)


class TextClassificationPipeline(Pipeline):
    """The class of a text, ``{"label": …, "score": …}``; a single text gives a list of one.

    An input is a text, or a dict of ``text`` and ``text_pair``. ``top_k`` gives the best classes as a list, None all.
    ``function_to_apply`` is ``"softmax"``, ``"sigmoid"`` or ``"none"``, by default what the model was trained for; other options
    go to the tokenizer.

    >>> from dovetail_text.models import BertConfig, BertForSequenceClassification
    >>> from dovetail_text.tokenizers import Char
    >>> _ = dv.manual_seed(0)
    >>> config = BertConfig(3, 8, 1, 2, 16, id2label={0: "bad", 1: "good"})
    >>> pipe = TextClassificationPipeline(BertForSequenceClassification(config).eval(), Char("ab "))
    >>> [sorted(one) for one in pipe("a b")], [one["label"] for one in pipe("a b", top_k=None)].count("bad")
    ([['label', 'score']], 1)
    """

    task: ClassVar[str] = "text-classification"

    def __call__(self, inputs: Any, **options: Any) -> Any:
        """As of `Pipeline`."""
        found = super().__call__(inputs, **options)
        return [found] if isinstance(inputs, str) and "top_k" not in options else found

    def answer(self, text: Any, top_k: int | None = _UNSAID, function_to_apply: str | None = None, **tokenizing: Any) -> Any:
        """The class of a text."""
        texts = text if isinstance(text, dict) else {"text": text_of("text-classification", text)}
        logits = self.run(self.tokenizer(**texts, return_tensors="pt", **tokenizing)).logits[0].to(dv.float32)
        scores = self._scores(logits.numpy(), function_to_apply)
        names = self.model.config.id2label
        if top_k is _UNSAID:
            best = int(scores.argmax())
            return {"label": names[best], "score": scores[best].item()}
        found = [{"label": names[at], "score": score.item()} for at, score in enumerate(scores)]
        return sorted(found, key=lambda one: one["score"], reverse=True)[:top_k]

    def _scores(self, logits: np.ndarray, function: str | None) -> np.ndarray:
        config = self.model.config
        if function is None:
            kind = config.problem_type or ("single_label_classification" if config.num_labels > 1 else "multi_label_classification")
            function = {"regression": "none", "multi_label_classification": "sigmoid"}.get(kind, "softmax")
        name = function.lower()
        if name not in ("softmax", "sigmoid", "none"):
            raise ValueRangeError("text-classification", f"function_to_apply is {function!r}", "expected 'softmax', 'sigmoid' or 'none'")
        return logits if name == "none" else _shares(logits) if name == "softmax" else 1.0 / (1.0 + np.exp(-logits))


class ZeroShotClassificationPipeline(Pipeline):
    """Which of ``candidate_labels`` fit a text, by a model that learned what follows from what (its classes have an "entailment").

    An answer is a dict of ``sequence``, ``labels`` from the best on, and ``scores``; with ``multi_label`` each label is judged alone.
    ``hypothesis_template`` makes a sentence of a label. Raises a ValueError without labels, or for a template without ``{}``.
    """

    task: ClassVar[str] = "zero-shot-classification"

    def __call__(self, sequences: Any, candidate_labels: Any = None, **options: Any) -> Any:
        """As of `Pipeline`; the labels are a list, or a text with commas."""
        if candidate_labels is not None:
            options["candidate_labels"] = candidate_labels
        return super().__call__(sequences, **options)

    def answer(
        self, text: str, candidate_labels: Sequence[str] | str = (), hypothesis_template: str = "This example is {}.",
        multi_label: bool = False,
    ) -> dict[str, Any]:  # fmt: skip
        """The labels of a text."""
        text, labels = text_of(self.task, text), candidate_labels
        labels = [one.strip() for one in labels.split(",") if one.strip()] if isinstance(labels, str) else list(labels)
        if not text or not labels:
            raise ValueRangeError(self.task, f"there are {len(labels)} candidate_labels for {text!r}", "expected a text and a label")
        if hypothesis_template.format(labels[0]) == hypothesis_template:
            raise ValueRangeError(self.task, f"hypothesis_template is {hypothesis_template!r}", "expected {} where the label goes")
        rows = [self._judged(text, hypothesis_template.format(label)) for label in labels]
        names = self.model.config.id2label.items()
        follows = next((at for at, name in names if name.lower().startswith("entail")), -1)
        logits = np.stack(rows)
        if multi_label or len(labels) == 1:
            scores = _shares(logits[:, [-1 if follows == 0 else 0, follows]])[:, 1]
        else:
            scores = _shares(logits[:, follows])
        order = scores.argsort()[::-1]
        return {"sequence": text, "labels": [labels[at] for at in order], "scores": scores[order].tolist()}

    def _judged(self, text: str, hypothesis: str) -> np.ndarray:
        inputs = self.tokenizer(text, hypothesis, truncation="only_first", return_tensors="pt")
        return self.run(inputs).logits[0].to(dv.float32).numpy()


class FeatureExtractionPipeline(Pipeline):
    """The vectors of a text's tokens, ``(1, L, H)`` as lists, or as a tensor with ``return_tensors=True``.

    ``tokenize_kwargs`` go to the tokenizer, ``truncation`` as well.

    >>> from dovetail_text.models import BertConfig, BertModel
    >>> from dovetail_text.tokenizers import Char
    >>> pipe = FeatureExtractionPipeline(BertModel(BertConfig(3, 8, 1, 2, 16)).eval(), Char("ab "), return_tensors=True)
    >>> pipe("a b").shape
    dovetail.Size([1, 3, 8])
    """

    task: ClassVar[str] = "feature-extraction"

    def answer(self, text: str, truncation: Any = None, tokenize_kwargs: Any = None, return_tensors: bool = False) -> Any:
        """The vectors of a text."""
        options = dict(tokenize_kwargs or {})
        if truncation is not None:
            if "truncation" in options:
                raise ValueRangeError(self.task, "truncation is given twice", "expected it once, alone or among tokenize_kwargs")
            options["truncation"] = truncation
        found = self.run(self.tokenizer(text_of(self.task, text), return_tensors="pt", **options))[0]
        return found if return_tensors else found.tolist()


class FillMaskPipeline(Pipeline):
    """The likeliest words for the mask of a text: dicts of ``score``, ``token``, ``token_str`` and ``sequence``.

    Of several masks each has a list. ``top_k`` says how many, 5 unless given; ``targets`` are the words to choose from;
    ``tokenizer_kwargs`` go to the tokenizer.
    Raises a PipelineException (ValueError) for a text without a mask and a tokenizer that has none.
    """

    task: ClassVar[str] = "fill-mask"

    def checked(self, options: dict[str, Any]) -> dict[str, Any]:
        """The targets become numbers, of a tokenizer that has a mask."""
        if self.tokenizer.mask_token_id is None:
            raise PipelineException(self.task, "the tokenizer has no mask_token", "expected one", "set tokenizer.mask_token")
        if options.get("targets") is not None:
            options = {**options, "targets": self._numbers(options["targets"])}
        return options

    def __call__(self, inputs: Any, **options: Any) -> Any:
        """As of `Pipeline`; a list of one text gives its answer alone, as in transformers."""
        found = super().__call__(inputs, **options)
        return found[0] if isinstance(inputs, list) and len(inputs) == 1 else found

    def answer(self, text: str, top_k: int = 5, targets: Sequence[int] | None = None, tokenizer_kwargs: Any = None) -> Any:
        """The words for each mask of a text."""
        inputs = self.tokenizer(text_of(self.task, text), return_tensors="pt", **(tokenizer_kwargs or {}))
        ids = inputs["input_ids"][0]
        places = (ids == self.tokenizer.mask_token_id).nonzero()[:, 0]
        if not len(places):
            raise PipelineException(self.task, f"there is no {self.tokenizer.mask_token} in {text!r}", "expected one or more")
        odds = self.run(inputs).logits[0, places].softmax(-1)
        if targets is not None:
            odds, top_k = odds[:, dv.tensor(targets)], min(top_k, len(targets))
        best = odds.topk(top_k)
        rows = [
            [
                self._filled(ids, place, score, at if targets is None else targets[at], len(places) == 1)
                for score, at in zip(*row, strict=True)
            ]
            for place, *row in zip(places.tolist(), best.values.tolist(), best.indices.tolist(), strict=True)
        ]
        return rows[0] if len(rows) == 1 else rows

    def _filled(self, ids: Tensor, place: int, score: float, number: int, alone: bool) -> dict[str, Any]:
        """A proposal; the other masks of a text stay to be seen."""
        tokens = ids.tolist()
        tokens[place] = number
        tokens = [token for token in tokens if token != self.tokenizer.pad_token_id]
        sequence = self.tokenizer.decode(tokens, skip_special_tokens=alone)
        return {"score": score, "token": number, "token_str": self.tokenizer.decode([number]), "sequence": sequence}

    def _numbers(self, targets: Sequence[str] | str) -> list[int]:
        known, found = self.tokenizer.get_vocab(), []
        for target in [targets] if isinstance(targets, str) else targets:
            number = known.get(target)
            if number is None:
                first = self.tokenizer(target, add_special_tokens=False, max_length=1, truncation=True)["input_ids"]
                says = f"its first token, {self.tokenizer.convert_ids_to_tokens(first[0])!r}, is taken" if first else "it is left out"
                warnings.warn(f"fill-mask: the target {target!r} is no token; {says}", stacklevel=3)
                found += first
            else:
                found.append(number)
        if not found:
            raise ValueRangeError(self.task, f"targets is {targets!r}", "expected one word or more that the tokenizer knows")
        return list(set(found))
