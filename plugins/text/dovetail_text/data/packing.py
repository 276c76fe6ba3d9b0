"""Collators that waste nothing on padding: samples end to end in one row, or packed for a recurrent layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dovetail as dv
from dovetail.errors import TypeMismatch, ValueRangeError
from dovetail.nn.utils.rnn import pack_sequence
from dovetail.utils.data import default_collate

from ..tokenizers.encoding import Encoding

__all__ = ["DataCollatorWithFlattening", "PackCollator"]


def _ids(where: str, sample: Any) -> list[int]:
    found = sample.ids if isinstance(sample, Encoding) else sample["input_ids"] if isinstance(sample, Mapping) else sample
    found = found.tolist() if hasattr(found, "tolist") else found
    if not isinstance(found, list | tuple) or not found:
        what = "a sample is empty" if isinstance(found, list | tuple) else f"a sample is {type(found).__name__}"
        raise TypeMismatch(where, what, "expected a list of numbers, an Encoding, or a dict with 'input_ids'")
    return list(found)


class DataCollatorWithFlattening:
    """Hugging Face's: the samples end to end as one row ``(1, L)`` of ``input_ids``, ``labels`` and ``position_ids``.

    ``labels`` are the samples' own, or their tokens, with ``separator_id`` at the first of each, so that no token is guessed from
    another sample; ``position_ids`` begin anew with each. Samples still see those before them: nothing masks them.

    >>> DataCollatorWithFlattening()([{"input_ids": [5, 6, 7]}, {"input_ids": [8, 9]}])["labels"]
    tensor([[-100,    6,    7, -100,    9]])
    """

    def __init__(self, return_position_ids: bool = True, separator_id: int = -100) -> None:
        self.return_position_ids, self.separator_id = return_position_ids, separator_id

    def __call__(self, features: Sequence[Any]) -> dict[str, dv.Tensor]:
        rows = [_ids("DataCollatorWithFlattening", sample) for sample in features]
        batch: dict[str, list[int]] = {"input_ids": [], "labels": [], "position_ids": []}
        for sample, ids in zip(features, rows, strict=True):
            labels = _ids("DataCollatorWithFlattening", sample["labels"]) if isinstance(sample, Mapping) and "labels" in sample else ids
            if len(labels) != len(ids):
                what = f"a sample has {len(ids)} tokens and {len(labels)} labels"
                raise ValueRangeError("DataCollatorWithFlattening", what, "expected as many")
            batch["input_ids"] += ids
            batch["labels"] += [self.separator_id, *labels[1:]]
            batch["position_ids"] += range(len(ids))
        if not self.return_position_ids:
            del batch["position_ids"]
        return {name: dv.tensor([row], dtype=dv.int64) for name, row in batch.items()}


class PackCollator:
    """A ``collate_fn`` for recurrent layers: samples as a ``PackedSequence``, in any order of lengths.

    Samples are `Encoding` objects, dicts with ``input_ids``, lists or tensors of numbers; or tuples with one of these first, whose
    other places are batched as usual. Raises a TypeError for other samples and for empty ones.

    >>> packed, labels = PackCollator()([([5, 6], 1), ([7, 8, 9], 0)])
    >>> packed.data, packed.batch_sizes, labels
    (tensor([7, 5, 8, 6, 9]), tensor([2, 2, 1]), tensor([1, 0]))
    """

    def __call__(self, samples: Sequence[Any]) -> Any:
        several = isinstance(samples[0], tuple)
        rows = [dv.tensor(_ids("PackCollator", sample[0] if several else sample), dtype=dv.int64) for sample in samples]
        packed = pack_sequence(rows, enforce_sorted=False)
        return [packed, *default_collate([sample[1:] for sample in samples])] if several else packed
