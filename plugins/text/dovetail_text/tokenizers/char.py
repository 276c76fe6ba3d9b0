"""A tokenizer whose tokens are single characters."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dovetail.errors import RangeError, TypeMismatch, UnknownNameError, ValueRangeError

__all__ = ["Char"]


class Char:
    """One token for each character, numbered by its place in ``vocab``.

    ``unknown``, a character of ``vocab``, stands for every character that is not in it; without it such a character
    is an error. Raises a ValueError for an entry that is not one character or is there twice, a TypeError for a
    vocabulary that is not made of strings.

    >>> tokenizer = Char.from_text("hello")
    >>> "".join(tokenizer.vocab), tokenizer.encode("hole")
    ('ehlo', [1, 3, 2, 0])
    >>> tokenizer.decode([1, 3, 2, 0])
    'hole'
    """

    vocab: tuple[str, ...]

    def __init__(self, vocab: Iterable[str], unknown: str | None = None) -> None:
        self.vocab = tuple(vocab)
        self.unknown = unknown
        self._index = {char: index for index, char in enumerate(self.vocab)}
        self._check()

    def _check(self) -> None:
        for at, char in enumerate(self.vocab):
            if not isinstance(char, str):
                raise TypeMismatch("Char", f"vocab[{at}] is {type(char).__name__} ({char!r})", "expected one character")
            if len(char) != 1:
                raise ValueRangeError("Char", f"vocab[{at}] is {char!r}", "expected one character")
            if self._index[char] != at:
                raise ValueRangeError("Char", f"vocab has {char!r} twice", "expected each character once", "use Char.from_text")
        if self.unknown is not None and self.unknown not in self._index:
            what = f"unknown is {self.unknown!r}, which is not in vocab"
            raise ValueRangeError("Char", what, f"expected one of its {len(self)} characters", "add it to vocab")

    @classmethod
    def from_text(cls, *texts: str, unknown: str | None = None) -> Char:
        """Make a tokenizer of the characters that occur in ``texts`` (and of ``unknown``), sorted by code point.

        >>> Char.from_text("ba", "cab", unknown="?").vocab
        ('?', 'a', 'b', 'c')
        """
        chars = set(unknown or "").union(*texts)
        return cls(sorted(chars), unknown)

    def __len__(self) -> int:
        return len(self.vocab)

    def __call__(self, text: str) -> list[str]:
        """Split a text into its characters."""
        if not isinstance(text, str):
            raise TypeMismatch("Char", f"text is {type(text).__name__}", "expected a string")
        return list(text)

    def encode(self, text: str) -> list[int]:
        """Return the number of each character.

        Raises a LookupError for a character that is not in the vocabulary, unless there is an ``unknown``.
        """
        chars = self(text)
        if self.unknown is not None:
            rest = self._index[self.unknown]
            return [self._index.get(char, rest) for char in chars]
        try:
            return [self._index[char] for char in chars]
        except KeyError:
            at = next(i for i, char in enumerate(chars) if char not in self._index)
            what = f"character {chars[at]!r} at position {at} is not in the vocabulary"
            raise UnknownNameError("Char.encode", what, f"expected one of its {len(self)} characters", "pass unknown=") from None

    def decode(self, indices: Any) -> str:
        """Return the text of numbers, given as a sequence, as a one-dimensional tensor or as a single one.

        Raises an IndexError for a number outside ``0 .. len(self) - 1``, a TypeError for what is no whole number.
        """
        numbers = indices.tolist() if hasattr(indices, "tolist") else indices
        numbers = [numbers] if hasattr(numbers, "__index__") else list(numbers)
        for at, number in enumerate(numbers):
            if not hasattr(number, "__index__"):
                what = f"indices[{at}] is {type(number).__name__} ({number!r})"
                raise TypeMismatch("Char.decode", what, "expected whole numbers", "decode one text at a time")
            if not 0 <= number < len(self):
                raise RangeError("Char.decode", f"indices[{at}] is {number}", f"expected 0 to {len(self) - 1}")
        return "".join(self.vocab[number] for number in numbers)

    def __repr__(self) -> str:
        return f"Char({''.join(self.vocab)!r}{f', unknown={self.unknown!r}' if self.unknown is not None else ''})"
