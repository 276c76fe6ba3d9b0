"""The Python language reference as Python's own help shows it, which ships inside this package."""

from __future__ import annotations

import os

from dovetail.errors import RangeError, ValueRangeError
from dovetail.utils.data import Dataset

from .shipped import read_shipped

__all__ = ["PyDoc"]

_FILE = "pydoc.json.gz"
_SHA256 = "ef1c22e964a0b2936677e8e936b6cd5a6206628338bb9706dadda51fbf8eae91"
# Other topics quote each other at length; of these four no more than one line in a hundred is found elsewhere.
_VALID = ("binary", "import", "objects", "string-methods")


class PyDoc(Dataset):
    """79 topics of the Python 3.11 language reference, 464,970 characters of English and code, as ``help()`` prints them.

    A sample is ``(title, text)``, in the order of the titles; ``topics`` is the dict of them and ``text`` all in one, for
    language models. ``split`` is "train" (75 topics), "valid" (4 topics, 41,729 characters) or None for all. Topics of
    the reference quote each other at length; those of "valid" are four of which the others quote almost nothing.
    Without ``root`` the copy inside the package is read, otherwise ``root/pydoc.json.gz``.

    Raises a ValueError for another split, ``HashMismatch`` for a file with another SHA-256, ``FormatError`` for one that
    cannot be read. Source: ``pydoc_data/topics.py`` of CPython 3.11.7, PSF licence; see ``data/DATA.md``.

    >>> corpus = PyDoc(split="valid")
    >>> len(corpus), corpus[0][0], corpus[0][1][:27]
    (4, 'binary', 'Binary arithmetic operation')
    """

    topics: dict[str, str]
    text: str

    def __init__(self, root: str | os.PathLike[str] | None = None, split: str | None = None) -> None:
        if split not in (None, "train", "valid"):
            raise ValueRangeError("PyDoc", f"split is {split!r}", 'expected "train", "valid" or None for both')
        self.root, self.split = root, split
        topics = read_shipped(_FILE, _SHA256, root)
        self.topics = {title: text for title, text in topics.items() if split is None or (title in _VALID) == (split == "valid")}
        self.titles = list(self.topics)
        self.text = "\n".join(self.topics.values())

    def __len__(self) -> int:
        return len(self.titles)

    def __getitem__(self, index: int) -> tuple[str, str]:
        try:
            title = self.titles[index]
        except IndexError:
            raise RangeError("PyDoc", f"index is {index}", f"expected -{len(self)} to {len(self) - 1}") from None
        return title, self.topics[title]

    def __repr__(self) -> str:
        return f"PyDoc(split={self.split!r}): {len(self)} topics, {len(self.text):,} characters"
