"""Collators of samples whose labels are as long as texts: of tokens to be named, and of answers to be written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import dovetail as dv
from dovetail.errors import ValueRangeError

__all__ = ["DataCollatorForSeq2Seq", "DataCollatorForTokenClassification", "default_data_collator"]


def _apart(features: Sequence[Mapping[str, Any]], name: str) -> tuple[list[dict[str, Any]], list[list[int]] | None]:
    """The samples without their labels, and the labels."""
    rest = [{key: value for key, value in sample.items() if key != name} for sample in features]
    if name not in features[0] or any(sample[name] is None for sample in features):
        return rest, None
    return rest, [sample[name].tolist() if hasattr(sample[name], "tolist") else list(sample[name]) for sample in features]


def _filled(rows: list[list[int]], length: int, fill: int, side: str) -> list[list[int]]:
    extra = [[fill] * (length - len(row)) for row in rows]
    return [row + more if side == "right" else more + row for row, more in zip(rows, extra, strict=True)]


def default_data_collator(features: Sequence[Any], return_tensors: str = "pt") -> dict[str, Any]:
    """Hugging Face's: stack samples of equal length; ``label`` or ``label_ids`` become ``labels``, and texts are left out.

    Raises a ValueError for rows of unequal length: a `PadCollator` pads them.

    >>> samples = [{"input_ids": [1, 2], "label": 1}, {"input_ids": [3, 4], "label": 0}]
    >>> {key: t.tolist() for key, t in default_data_collator(samples).items()}
    {'labels': [1, 0], 'input_ids': [[1, 2], [3, 4]]}
    """
    if return_tensors not in ("pt", "dv", "np"):
        raise ValueRangeError("default_data_collator", f"return_tensors is {return_tensors!r}", "expected 'pt', 'dv' or 'np'")
    rows = [sample if isinstance(sample, Mapping) else vars(sample) for sample in features]
    apart = ("label", "label_ids")
    label = next((key for key in apart if rows[0].get(key) is not None), None)
    kept = [key for key, value in rows[0].items() if key not in apart and value is not None and not isinstance(value, str)]
    batch = {}
    for key, name in [*([(label, "labels")] if label else []), *((key, key) for key in kept)]:
        column = [row[key] for row in rows]
        kind = _kind_of_labels(key, column[0]) if key == label else None
        try:
            batch[name] = _joined(column, kind, return_tensors == "np")
        except ValueError as error:
            what = f"{key} has rows of unequal length, or what is no number"
            raise ValueRangeError("default_data_collator", what, "expected equal rows", "pad them: PadCollator") from error
    return batch


def _kind_of_labels(key: str, first: Any) -> str | None:
    """Labels are whole numbers where the first is one, else float32; several a sample, in a tensor or an array, keep their type."""
    if key == "label":
        first = first.item() if isinstance(first, (dv.Tensor, np.ndarray)) else first
    elif isinstance(first, (dv.Tensor, np.ndarray)):
        return None
    else:
        first = first[0]
    return "int64" if isinstance(first, (int, np.integer)) else "float32"


def _joined(column: list[Any], kind: str | None, arrays: bool) -> Any:
    if kind is not None or not isinstance(column[0], (dv.Tensor, np.ndarray)):
        return np.array(column, kind) if arrays else dv.tensor(column, dtype=kind and getattr(dv, kind))
    found = dv.stack(column) if isinstance(column[0], dv.Tensor) else dv.from_numpy(np.stack(column))
    return found.numpy() if arrays else found


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
