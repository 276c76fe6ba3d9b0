"""Lists of unequal length become rectangles: what tokenizers and collators share."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from dovetail import from_numpy
from dovetail.errors import ShapeError, TypeMismatch, ValueRangeError

__all__ = ["FILLS", "as_tensors", "check_side", "pad_lists", "target_length"]

#: What a padded place holds, by the name of the list; ``input_ids`` take the tokenizer's pad_token_id.
FILLS: dict[str, Any] = {"attention_mask": 0, "token_type_ids": 0, "special_tokens_mask": 1, "labels": -100, "offset_mapping": (0, 0)}

_KINDS = ("pt", "dv", "np")


def check_side(where: str, side: str) -> str:
    """Refuse what is neither side."""
    if side not in ("left", "right"):
        raise ValueRangeError(where, f"padding_side is {side!r}", "expected 'left' or 'right'")
    return side


def target_length(lengths: Iterable[int], padding: bool | str, max_length: int | None, multiple_of: int | None) -> int | None:
    """The length to pad to, or None for no padding: ``padding`` as Hugging Face has it.

    >>> target_length([3, 5], True, None, 4), target_length([3, 5], "max_length", 6, None), target_length([3], False, None, None)
    (8, 6, None)
    """
    if padding is False or padding == "do_not_pad":
        return None
    if padding not in (True, "longest", "max_length"):
        raise ValueRangeError("pad", f"padding is {padding!r}", "expected True, 'longest', 'max_length', False or 'do_not_pad'")
    length = max(lengths, default=0)
    if padding == "max_length" and max_length is not None:
        length = max_length
    return -(-length // multiple_of) * multiple_of if multiple_of else length


def pad_lists(rows: Sequence[Sequence[Any]], length: int, fill: Any, side: str) -> list[list[Any]]:
    """Fill each row up to ``length``; rows that are longer stay as they are.

    >>> pad_lists([[1, 2], [3]], 2, 0, "left")
    [[1, 2], [0, 3]]
    """
    padded = []
    for row in rows:
        rest = [fill] * (length - len(row))
        padded.append([*rest, *row] if side == "left" else [*row, *rest])
    return padded


def as_tensors(columns: Mapping[str, Any], kind: str | None) -> dict[str, Any]:
    """Lists as int64 tensors ("pt" or "dv": Dovetail's), as NumPy arrays ("np"), or left alone (None).

    Rows that differ in length are an error that is both a ShapeError (a RuntimeError) and a ValueError; "np" gives an
    array of arrays then.
    """
    if kind is None:
        return dict(columns)
    if kind not in _KINDS:
        raise ValueRangeError("return_tensors", f"it is {kind!r}", "expected 'pt' or 'dv' (both Dovetail's tensors) or 'np'")
    made = {}
    for name, rows in columns.items():
        if kind == "np" and len({len(row) for row in rows if isinstance(row, list)}) > 1:
            made[name] = np.empty(len(rows), object)
            made[name][:] = [_array(name, row) for row in rows]
            continue
        array = _array(name, rows)
        made[name] = array if kind == "np" else from_numpy(array)
    return made


class _Ragged(ShapeError, ValueError):
    """Rows of unequal length; Hugging Face raises a ValueError."""


def _array(name: str, rows: Any) -> np.ndarray:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            array = np.asarray(rows)
    except (ValueError, TypeError, Warning):
        array = np.empty(0, object)
    if array.dtype.kind == "O":
        what = f"{name} has rows of unequal length, or something that is no number"
        raise _Ragged("return_tensors", what, "one length is needed", "pass padding=True and truncation=True")
    if array.dtype.kind not in "biuf":
        raise TypeMismatch("return_tensors", f"{name} holds {array.dtype}", "expected numbers", "leave it out of the batch")
    if array.size == 0 or array.dtype.kind in "iu":
        return array.astype(np.int64)
    return array.astype(np.float32) if array.dtype.kind == "f" else array
