"""A tokenizer whose tokens are single characters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from dovetail.errors import TypeMismatch, ValueRangeError

from .vocabulary import Piece, VocabularyTokenizer

__all__ = ["Char"]


class Char(VocabularyTokenizer):
    """One token for each character, numbered by its place in ``vocab``.

    ``unknown``, a character of ``vocab``, stands for every character that is not in it; without it such a character
    is an error (a LookupError). ``pad``, likewise, fills short texts of a batch. Raises a ValueError for an entry that
    is not one character or is there twice, a TypeError for a vocabulary that is not made of strings.

    >>> tokenizer = Char.from_text("hello")
    >>> "".join(tokenizer.vocab), tokenizer.encode("hole").ids
    ('ehlo', [1, 3, 2, 0])
    >>> tokenizer.decode([1, 3, 2, 0])
    'hole'
    """

    kind, unit = "char", "character"

    def __init__(self, vocab: Iterable[str], unknown: str | None = None, pad: str | None = None) -> None:
        self.vocab = tuple(vocab)
        self._index = {char: index for index, char in enumerate(self.vocab)}
        self._check()
        for name, char in (("unknown", unknown), ("pad", pad)):
            if char is not None and char not in self._index:
                what = f"{name} is {char!r}, which is not in vocab"
                raise ValueRangeError("Char", what, f"expected one of its {len(self)} characters", "add it to vocab")
        self.init_special({"unk_token": unknown, "pad_token": pad})

    def _check(self) -> None:
        for at, char in enumerate(self.vocab):
            if not isinstance(char, str):
                raise TypeMismatch("Char", f"vocab[{at}] is {type(char).__name__} ({char!r})", "expected one character")
            if len(char) != 1:
                raise ValueRangeError("Char", f"vocab[{at}] is {char!r}", "expected one character")
            if self._index[char] != at:
                raise ValueRangeError("Char", f"vocab has {char!r} twice", "expected each character once", "use Char.from_text")

    @classmethod
    def from_text(cls, *texts: str, unknown: str | None = None, pad: str | None = None) -> Char:
        """Make a tokenizer of the characters that occur in ``texts`` (and of ``unknown``, ``pad``), sorted by code point.

        >>> Char.from_text("ba", "cab", unknown="?").vocab
        ('?', 'a', 'b', 'c')
        """
        chars = set((unknown or "") + (pad or "")).union(*texts)
        return cls(sorted(chars), unknown, pad)

    def pieces(self, text: str) -> list[Piece]:
        return [(char, at, at + 1) for at, char in enumerate(text)]

    def join(self, tokens: Sequence[str]) -> str:
        return "".join(tokens)

    def config(self) -> dict[str, Any]:
        return {"unknown": self.unk_token, "pad": self.pad_token}

    def __repr__(self) -> str:
        more = [f"{name}={value!r}" for name, value in self.config().items() if value is not None]
        return f"Char({', '.join([repr(''.join(self.vocab)), *more])})"
