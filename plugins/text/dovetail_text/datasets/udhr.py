"""In which of 73 languages a paragraph is written: the Universal Declaration of Human Rights, which ships inside this package."""

from __future__ import annotations

import os

from dovetail.errors import RangeError, ValueRangeError
from dovetail.utils.data import Dataset

from .shipped import read_shipped

__all__ = ["UDHR"]

_SHA256 = "297d2eab3ac30f699a5b8fda9b6b92deb0b5ed2b0760504de17822f60ffb5910"
_LAST = 21  # the last article of train


class UDHR(Dataset):
    """4,245 paragraphs of the Declaration, each with its language: samples ``(label, text)``, in the order of the languages' codes.

    ``classes`` are the 73 codes of ISO 639-3 and ``names`` the languages' English names; a label is a place in them. ``split`` is
    "train" (the preamble and articles 1 to 21: 2,931), "test" (articles 22 to 30: 1,314) or None for all. Without ``root`` the
    copy inside the package is read, otherwise ``root/udhr.json.gz``.

    Raises a ValueError for another split, ``HashMismatch`` for a file with another SHA-256, ``FormatError`` for one that
    cannot be read. Source: the package udhr 6.0.0 of Titus Wormer (MIT); the Declaration itself is free; see ``data/DATA.md``.

    >>> paragraphs = UDHR(split="test")
    >>> label, text = paragraphs[-1]
    >>> len(paragraphs), paragraphs.names[label], text[:22]
    (1314, 'Zulu', 'Akukho lutho okukulolu')
    """

    def __init__(self, root: str | os.PathLike[str] | None = None, split: str | None = None) -> None:
        if split not in (None, "train", "test"):
            raise ValueRangeError("UDHR", f"split is {split!r}", 'expected "train", "test" or None for both')
        self.root, self.split = root, split
        languages = read_shipped("udhr.json.gz", _SHA256, root)["languages"]
        self.classes, self.names = list(languages), [about["name"] for about in languages.values()]
        self.samples = [
            (label, text)
            for label, about in enumerate(languages.values())
            for article, text in about["paragraphs"]
            if split is None or (article <= _LAST) == (split == "train")
        ]

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[int, str]:
        try:
            return self.samples[index]
        except IndexError:
            raise RangeError("UDHR", f"index is {index}", f"expected -{len(self)} to {len(self) - 1}") from None

    def __repr__(self) -> str:
        return f"UDHR(split={self.split!r}): {len(self):,} paragraphs in {len(self.classes)} languages"
