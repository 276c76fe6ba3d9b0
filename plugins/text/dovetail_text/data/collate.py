"""Collators: samples of unequal length become one batch, padded, and masked where a language model needs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dovetail as dv
from dovetail.errors import TypeMismatch, ValueRangeError
from dovetail.utils.data import default_collate

from ..padding import FILLS, as_tensors, check_side, pad_lists, target_length
from ..tokenizers.encoding import Encoding

__all__ = ["DataCollatorForLanguageModeling", "DataCollatorWithPadding", "PadCollator", "pad_features"]


def pad_features(
    features: Any,
    *,
    pad_id: int | None = 0,
    side: str = "right",
    padding: bool | str = True,
    max_length: int | None = None,
    pad_to_multiple_of: int | None = None,
    padding_side: str | None = None,
    return_tensors: str | None = None,
    fills: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Pad a list of dicts, of encodings or of lists of numbers (or a dict of lists), and make tensors where asked to.

    ``input_ids`` are filled with ``pad_id``, other lists by their name (``FILLS``, and ``fills``); where there is no
    ``attention_mask`` it is made. What is no list stays as it is, and so do strings.

    >>> pad_features([{"input_ids": [5, 6], "label": 1}, {"input_ids": [7], "label": 0}])
    {'input_ids': [[5, 6], [7, 0]], 'label': [1, 0], 'attention_mask': [[1, 1], [1, 0]]}
    """
    columns = _columns(features)
    known = {**FILLS, **(fills or {}), "input_ids": pad_id}
    if "input_ids" not in columns:
        raise ValueRangeError("pad", f"the samples have {', '.join(map(str, columns)) or 'nothing'}", "expected 'input_ids' among it")
    if "attention_mask" not in columns:
        columns["attention_mask"] = [[1] * len(row) for row in columns["input_ids"]]
    length = target_length(map(len, columns["input_ids"]), padding, max_length, pad_to_multiple_of)
    if length is not None:
        side = check_side("pad", side if padding_side is None else padding_side)
        columns = {n: pad_lists(rows, length, known[n], side) if n in known and _lists(rows) else rows for n, rows in columns.items()}
    texts = {name for name, rows in columns.items() if rows and isinstance(rows[0], str)}
    made = as_tensors({name: rows for name, rows in columns.items() if name not in texts}, return_tensors)
    return {name: columns[name] if name in texts else made[name] for name in columns}


def _lists(rows: Sequence[Any]) -> bool:
    return bool(rows) and all(isinstance(row, list) for row in rows)


def _columns(features: Any) -> dict[str, list[Any]]:
    if isinstance(features, Mapping):
        return {name: [_plain(row) for row in rows] for name, rows in features.items()}
    rows = []
    for at, sample in enumerate(features):
        if isinstance(sample, Encoding):
            sample = sample.features()
        elif not isinstance(sample, Mapping):
            sample = {"input_ids": sample}
        if rows and sample.keys() != rows[0].keys():
            what = f"sample {at} has {', '.join(map(str, sample))}; sample 0 has {', '.join(map(str, rows[0]))}"
            raise ValueRangeError("pad", what, "expected the same names in all of them")
        rows.append(sample)
    if not rows:
        raise ValueRangeError("pad", "there are no samples", "expected one or more")
    return {name: [_plain(row[name]) for row in rows] for name in rows[0]}


def _plain(value: Any) -> Any:
    value = value.tolist() if hasattr(value, "tolist") else value
    return list(value) if isinstance(value, tuple) else value


class PadCollator:
    """A ``collate_fn`` that pads; no tokenizer is needed.

    Samples are `Encoding` objects, dicts with ``input_ids``, lists (or tensors) of numbers, or tuples with one of these
    among other things, whose places are then batched one by one. ``labels`` that are lists are filled with ``label_pad``.
    Gives a dict of int64 tensors ``(N, L)`` with ``input_ids`` and ``attention_mask``, and what else the samples have.

    >>> PadCollator()([([5, 6], 1), ([7], 0)])
    [{'input_ids': tensor([[5, 6], [7, 0]]), 'attention_mask': tensor([[1, 1], [1, 0]])}, tensor([1, 0])]
    """

    def __init__(
        self,
        pad_id: int = 0,
        *,
        label_pad: int = -100,
        padding: bool | str = True,
        max_length: int | None = None,
        pad_to_multiple_of: int | None = None,
        padding_side: str = "right",
        fills: Mapping[str, Any] | None = None,
    ) -> None:
        self.options = {
            "pad_id": pad_id, "padding": padding, "max_length": max_length, "pad_to_multiple_of": pad_to_multiple_of,
            "side": check_side("PadCollator", padding_side), "fills": {"labels": label_pad, **(fills or {})}, "return_tensors": "pt",
        }  # fmt: skip

    def __call__(self, samples: Sequence[Any]) -> Any:
        first = samples[0]
        if not isinstance(first, tuple):
            return pad_features(samples, **self.options)
        places = [list(column) for column in zip(*samples, strict=True)]
        return [pad_features(column, **self.options) if _is_ids(column[0]) else default_collate(column) for column in places]


def _is_ids(value: Any) -> bool:
    return isinstance(value, Encoding | list) or (isinstance(value, Mapping) and "input_ids" in value) or getattr(value, "ndim", 0) == 1


class DataCollatorWithPadding:
    """Hugging Face's: pad dicts with the tokenizer's pad token; ``label`` and ``label_ids`` become ``labels``.

    >>> from dovetail_text.tokenizers import Char
    >>> tokenizer = Char("_ab", pad="_")
    >>> DataCollatorWithPadding(tokenizer)([{"input_ids": [1, 2], "label": 0}, {"input_ids": [1], "label": 1}])["labels"]
    tensor([0, 1])
    """

    def __init__(
        self,
        tokenizer: Any,
        padding: bool | str = True,
        max_length: int | None = None,
        pad_to_multiple_of: int | None = None,
        return_tensors: str = "pt",
    ) -> None:
        self.tokenizer, self.padding, self.max_length = tokenizer, padding, max_length
        self.pad_to_multiple_of, self.return_tensors = pad_to_multiple_of, return_tensors

    def __call__(self, features: Sequence[Mapping[str, Any]]) -> Any:
        batch = self.tokenizer.pad(
            features, padding=self.padding, max_length=self.max_length, pad_to_multiple_of=self.pad_to_multiple_of,
            return_tensors=self.return_tensors,
        )  # fmt: skip
        for name in ("label", "label_ids"):
            if name in batch:
                batch["labels"] = batch.pop(name)
        return batch


class DataCollatorForLanguageModeling:
    """Hugging Face's: pad, and make the labels of a language model.

    With ``mlm`` a share ``mlm_probability`` of the tokens is chosen, special ones never: of these ``mask_replace_prob``
    become the mask token, ``random_replace_prob`` a random one, the rest stays, and ``labels`` hold the true numbers of
    the chosen and -100 elsewhere. Without, ``labels`` are the inputs with padding as -100 (a causal model shifts them
    itself). The draws are PyTorch's, so that a seed gives the masks of ``transformers``. ``seed`` gives the collator a
    stream of its own. Raises a ValueError for a tokenizer without a mask token and for probabilities outside 0 to 1.

    >>> from dovetail_text.tokenizers import Char
    >>> DataCollatorForLanguageModeling(Char("_ab", pad="_"), mlm=False)([[1, 2], [1]])["labels"]
    tensor([[   1,    2],
            [   1, -100]])
    """

    def __init__(
        self,
        tokenizer: Any,
        mlm: bool = True,
        mlm_probability: float = 0.15,
        mask_replace_prob: float = 0.8,
        random_replace_prob: float = 0.1,
        pad_to_multiple_of: int | None = None,
        return_tensors: str = "pt",
        seed: int | None = None,
    ) -> None:
        where = "DataCollatorForLanguageModeling"
        if mlm and tokenizer.mask_token is None:
            raise ValueRangeError(where, "the tokenizer has no mask token", "mlm needs one", "pass mlm=False, or set mask_token")
        chances = {"mlm_probability": mlm_probability, "mask_replace_prob": mask_replace_prob, "random_replace_prob": random_replace_prob}
        for name, value in {**chances, "mask_replace_prob + random_replace_prob": mask_replace_prob + random_replace_prob}.items():
            if not 0 <= value <= 1:
                raise ValueRangeError(where, f"{name} is {value}", "expected 0 to 1")
        if return_tensors not in ("pt", "dv"):
            raise ValueRangeError(where, f"return_tensors is {return_tensors!r}", "expected 'pt' or 'dv'")
        self.tokenizer, self.mlm, self.pad_to_multiple_of = tokenizer, mlm, pad_to_multiple_of
        self.mlm_probability, self.mask_replace_prob, self.random_replace_prob = map(float, chances.values())
        self.generator = None if seed is None else dv.Generator().manual_seed(seed)

    def __call__(self, examples: Sequence[Any]) -> dict[str, Any]:
        plain = not isinstance(examples[0], Mapping | Encoding)
        batch = self._padded(examples, plain)
        special = batch.pop("special_tokens_mask", None)
        batch.pop("offset_mapping", None)
        if self.mlm:
            batch["input_ids"], batch["labels"] = self._masked(batch["input_ids"], special)
            return batch
        labels = batch["input_ids"].clone()
        if self.tokenizer.pad_token_id is not None:
            labels[labels == self.tokenizer.pad_token_id] = -100
        batch["labels"] = labels
        return batch

    def _padded(self, examples: Sequence[Any], plain: bool) -> dict[str, Any]:
        if plain and not all(hasattr(example, "__len__") for example in examples):
            raise TypeMismatch("DataCollatorForLanguageModeling", f"a sample is {type(examples[0]).__name__}", "expected lists or dicts")
        multiple = self.pad_to_multiple_of
        lengths = {len(e["input_ids"] if isinstance(e, Mapping) else e) for e in examples}
        needed = len(lengths) > 1 or bool(multiple and max(lengths) % multiple)
        batch = self.tokenizer.pad(examples, padding=needed or not plain, pad_to_multiple_of=multiple, return_tensors="pt")
        return {"input_ids": batch["input_ids"]} if plain else dict(batch)

    def _masked(self, inputs: Any, special: Any) -> tuple[Any, Any]:
        labels = inputs.clone()
        if special is None:
            special = dv.tensor([self.tokenizer.get_special_tokens_mask(row) for row in labels.tolist()])
        chances = dv.full(labels.shape, self.mlm_probability).masked_fill(special.bool(), 0.0)
        chosen = self._draw(chances)
        labels[~chosen] = -100
        hidden = self._draw(dv.full(labels.shape, self.mask_replace_prob)) & chosen
        inputs[hidden] = self.tokenizer.mask_token_id
        if self.mask_replace_prob == 1 or self.random_replace_prob == 0:
            return inputs, labels
        share = self.random_replace_prob / (1 - self.mask_replace_prob)
        swapped = self._draw(dv.full(labels.shape, share)) & chosen & ~hidden
        words = dv.randint(len(self.tokenizer), labels.shape, dtype=dv.int64, generator=self.generator)
        inputs[swapped] = words[swapped]
        return inputs, labels

    def _draw(self, chances: Any) -> Any:
        return dv.bernoulli(chances, generator=self.generator).bool()
