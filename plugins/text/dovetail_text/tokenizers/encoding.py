"""What encoding gives: one text's `Encoding`, and the `BatchEncoding` that a model is called with."""

from __future__ import annotations

from collections import UserDict
from collections.abc import Iterator, Sequence
from typing import Any

from dovetail.errors import UnknownAttribute

from .places import Places

__all__ = ["LISTS", "BatchEncoding", "Encoding"]

#: What ``transformers`` calls the lists of an encoding, in its order.
LISTS = {
    "input_ids": "ids", "token_type_ids": "type_ids", "attention_mask": "attention_mask",
    "special_tokens_mask": "special_tokens_mask", "offset_mapping": "offsets",
}  # fmt: skip
_FIELDS = ("ids", "type_ids", "tokens", "offsets", "attention_mask", "special_tokens_mask", "overflowing", "pad_id", "input_names")


class Encoding:
    """One text as tokens: lists of one length, each a plain attribute, under the names of Hugging Face's ``tokenizers``.

    ``ids`` are the numbers, ``tokens`` their text, ``offsets`` the ``(start, end)`` of each in the text, ``type_ids`` 0
    for the first text and 1 for the second, ``attention_mask`` 1 for what counts, ``special_tokens_mask`` 1 for tokens
    that no text has; ``overflowing`` holds what truncation cut off. Where a list of numbers is wanted, it reads as ``ids``.
    A DataLoader makes a padded batch of encodings by itself: ``pad_id`` fills it, and ``input_names`` says what is in it.

    >>> one = Encoding([5, 7], ["fits", "!"], [(0, 4), (4, 5)])
    >>> len(one), one.attention_mask, one.ids
    (2, [1, 1], [5, 7])
    """

    __slots__ = _FIELDS

    def __init__(
        self,
        ids: Sequence[int],
        tokens: Sequence[str] | None = None,
        offsets: Sequence[tuple[int, int]] | None = None,
        type_ids: Sequence[int] | None = None,
        attention_mask: Sequence[int] | None = None,
        special_tokens_mask: Sequence[int] | None = None,
        overflowing: Sequence[Encoding] = (),
        pad_id: int = 0,
        input_names: Sequence[str] = tuple(LISTS)[:3],
    ) -> None:
        self.ids, n = list(ids), len(ids)
        self.tokens = [""] * n if tokens is None else list(tokens)
        self.offsets = [(0, 0)] * n if offsets is None else list(offsets)
        self.type_ids = [0] * n if type_ids is None else list(type_ids)
        self.attention_mask = [1] * n if attention_mask is None else list(attention_mask)
        self.special_tokens_mask = [0] * n if special_tokens_mask is None else list(special_tokens_mask)
        self.overflowing, self.pad_id, self.input_names = list(overflowing), pad_id, tuple(input_names)

    @classmethod
    def like(cls, other: Any, *about: Any) -> Encoding:
        """Copy whatever has the same attributes, such as an Encoding of Hugging Face's; ``about`` are pad_id and input_names."""
        rest = [cls.like(item, *about) for item in other.overflowing]
        parts = other.ids, other.tokens, other.offsets, other.type_ids, other.attention_mask, other.special_tokens_mask
        return cls(*parts, rest, *about)

    def features(self) -> dict[str, list[int]]:
        """What a model is called with: the lists that ``input_names`` has, such as ``input_ids`` and ``attention_mask``."""
        return {name: getattr(self, LISTS[name]) for name in LISTS if name in self.input_names}

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[int]:
        return iter(self.ids)

    def __getitem__(self, index: Any) -> Any:
        return self.ids[index]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        import numpy as np

        return np.array(self.ids, dtype or np.int64)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Encoding):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in _FIELDS)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Encoding(ids={self.ids}, tokens={self.tokens})"


class BatchEncoding(Places, UserDict):
    """A dict of model inputs that can also be read as attributes, and moved to a device; ``[i]`` is the i-th `Encoding`.

    >>> BatchEncoding({"input_ids": [[1, 2]]}).input_ids
    [[1, 2]]
    """

    def __init__(self, data: Any = None, encodings: Sequence[Encoding] = (), side: str = "right", pad_token: str | None = None) -> None:
        super().__init__(data or {})
        self.side, self.pad_token = side, pad_token or ""
        self.encodings = encodings if isinstance(encodings, list) else list(encodings)

    def __getitem__(self, key: Any) -> Any:
        return self.encodings[key] if isinstance(key, int | slice) else self.data[key]

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["data"][name]
        except KeyError:
            found = ", ".join(map(str, self.__dict__.get("data", ()))) or "nothing"
            raise UnknownAttribute("BatchEncoding", f"there is no {name!r}", f"it holds {found}") from None

    def to(self, device: Any, *, non_blocking: bool = False) -> BatchEncoding:
        """Move all tensors to a device, in place."""
        self.data = {k: v.to(device, non_blocking=non_blocking) if hasattr(v, "to") else v for k, v in self.data.items()}
        return self

    def __iter__(self) -> Iterator[str]:
        return iter(self.data)
