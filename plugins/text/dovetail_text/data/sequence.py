"""Collators of samples whose labels are as long as texts: of tokens to be named, and of answers to be written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dovetail as dv

__all__ = ["DataCollatorForSeq2Seq", "DataCollatorForTokenClassification"]


def _apart(features: Sequence[Mapping[str, Any]], name: str) -> tuple[list[dict[str, Any]], list[list[int]] | None]:
    """The samples without their labels, and the labels."""
    rest = [{key: value for key, value in sample.items() if key != name} for sample in features]
    if name not in features[0] or any(sample[name] is None for sample in features):
        return rest, None
    return rest, [sample[name].tolist() if hasattr(sample[name], "tolist") else list(sample[name]) for sample in features]


def _filled(rows: list[list[int]], length: int, fill: int, side: str) -> list[list[int]]:
    extra = [[fill] * (length - len(row)) for row in rows]
    return [row + more if side == "right" else more + row for row, more in zip(rows, extra, strict=True)]


class DataCollatorForTokenClassification:
    """Hugging Face's: pad samples and their ``labels``, one a token, which are filled with ``label_pad_token_id``.

    >>> from dovetail_text.tokenizers import Char
    >>> samples = [{"input_ids": [1, 2], "labels": [3, 4]}, {"input_ids": [1], "labels": [3]}]
    >>> DataCollatorForTokenClassification(Char("_ab", pad="_"))(samples)["labels"].tolist()
    [[3, 4], [3, -100]]
    """

    def __init__(
        self, tokenizer: Any, padding: bool | str = True, max_length: int | None = None, pad_to_multiple_of: int | None = None,
        label_pad_token_id: int = -100, return_tensors: str = "pt",
    ) -> None:  # fmt: skip
        self.tokenizer, self.label_pad_token_id = tokenizer, label_pad_token_id
        self.options = {
            "padding": padding, "max_length": max_length, "pad_to_multiple_of": pad_to_multiple_of, "return_tensors": return_tensors,
        }  # fmt: skip

    def __call__(self, features: Sequence[Mapping[str, Any]]) -> Any:
        name = "label" if "label" in features[0] else "labels"
        rest, labels = _apart(features, name)
        batch = self.tokenizer.pad(rest, **self.options)
        if labels is not None:
            rows = _filled(labels, batch["input_ids"].shape[1], self.label_pad_token_id, self.tokenizer.padding_side)
            batch[name] = dv.tensor(rows, dtype=dv.int64)
        return batch


class DataCollatorForSeq2Seq:
    """Hugging Face's: pad texts and their answers, the ``labels``, each to its own length.

    With a T5 as ``model`` there are ``decoder_input_ids`` too, made of the labels.

    >>> from dovetail_text.tokenizers import Char
    >>> samples = [{"input_ids": [1, 2], "labels": [2]}, {"input_ids": [1], "labels": [1, 2, 2]}]
    >>> DataCollatorForSeq2Seq(Char("_ab", pad="_"))(samples)["labels"].tolist()
    [[2, -100, -100], [1, 2, 2]]
    """

    def __init__(
        self, tokenizer: Any, model: Any = None, padding: bool | str = True, max_length: int | None = None,
        pad_to_multiple_of: int | None = None, label_pad_token_id: int = -100, return_tensors: str = "pt",
    ) -> None:  # fmt: skip
        self.tokenizer, self.model, self.label_pad_token_id = tokenizer, model, label_pad_token_id
        self.padding, self.max_length, self.pad_to_multiple_of = padding, max_length, pad_to_multiple_of
        self.return_tensors = return_tensors

    def __call__(self, features: Sequence[Mapping[str, Any]]) -> Any:
        name = "label" if "label" in features[0] else "labels"
        rest, labels = _apart(features, name)
        batch = self.tokenizer.pad(
            rest, padding=self.padding, max_length=self.max_length, pad_to_multiple_of=self.pad_to_multiple_of,
            return_tensors=self.return_tensors,
        )  # fmt: skip
        if labels is None:
            return batch
        length = max(map(len, labels)) if self.padding not in ("max_length",) or self.max_length is None else self.max_length
        if self.pad_to_multiple_of:
            length = -(-length // self.pad_to_multiple_of) * self.pad_to_multiple_of
        rows = labels if self.padding is False else _filled(labels, length, self.label_pad_token_id, self.tokenizer.padding_side)
        batch["labels"] = dv.tensor(rows, dtype=dv.int64)
        if hasattr(self.model, "prepare_decoder_input_ids_from_labels"):
            batch["decoder_input_ids"] = self.model.prepare_decoder_input_ids_from_labels(labels=batch["labels"])
        return batch
