"""BERT's WordPiece from a vocabulary file, by torchtext's rules."""

from __future__ import annotations

import os
import unicodedata
from typing import Any

from dovetail import nn
from dovetail.errors import TypeMismatch

from ..vocab import Vocab
from .files import read_lines

__all__ = ["BERTTokenizer"]

_LONGEST = 100  # bytes of a word; longer ones are unknown
_IDEOGRAPHS = (
    (0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F), (0x2B820, 0x2CEAF),
    (0xF900, 0xFAFF), (0x2F800, 0x2FA1F),
)  # fmt: skip


class BERTTokenizer(nn.Module):
    """Cut text into the pieces of a ``vocab.txt`` (a token a line), the longest that fits each time.

    ``do_lower_case`` also strips accents, unless ``strip_accents`` is given (as in torchtext either value of it strips);
    words in ``never_split`` stay whole and as they are. Gives the numbers as strings or, with ``return_tokens``, the
    tokens; what does not fit is ``[UNK]``. Source: Devlin et al. 2019.
    """

    def __init__(
        self,
        vocab_path: str | os.PathLike[str],
        do_lower_case: bool = True,
        strip_accents: bool | None = None,
        return_tokens: bool = False,
        never_split: list[str] | None = None,
    ) -> None:
        super().__init__()
        lines = read_lines(vocab_path)
        lines = lines[:-1] if lines[-1] == "" else lines
        self._vocab = Vocab(dict.fromkeys(line or "\n" for line in lines))
        self._lower, self._never_split = do_lower_case, set(never_split or ())
        self._strip = do_lower_case if strip_accents is None else True
        self._return_tokens = return_tokens

    def forward(self, input: Any) -> Any:
        if isinstance(input, str):
            return self._one(input)
        if isinstance(input, list) and all(isinstance(text, str) for text in input):
            return [self._one(text) for text in input]
        raise TypeMismatch("BERTTokenizer", f"Input type not supported: {type(input).__name__}", "expected a string or a list of strings")

    def _one(self, text: str) -> list[str]:
        tokens = [piece for word in self._words(text.strip()) for piece in self._pieces(word)]
        return tokens if self._return_tokens else [str(self._vocab[token]) for token in tokens]

    def _words(self, text: str) -> list[str]:
        words: list[str] = []
        for chunk in text.split(" "):
            whole = chunk in self._never_split
            chunk = unicodedata.normalize("NFD", chunk) if self._strip else chunk
            out: list[str] = []
            for char in chunk:
                out.append(self._cleaned(char, whole))
            chunk = "".join(out)
            chunk = chunk.translate(_Lower()) if self._lower and not whole else chunk
            words += [word for word in chunk.split(" ") if word]
        return words

    def _cleaned(self, char: str, whole: bool) -> str:
        category = unicodedata.category(char)
        if char in "\t\n\r" or category == "Zs":
            return " "
        if char == "\ufffd" or category[0] == "C" or (category == "Mn" and self._strip and not whole):
            return ""
        point = ord(char)
        marks = (category[0] == "P" or (point < 128 and category[0] == "S")) and not whole
        return f" {char} " if marks or any(low <= point <= high for low, high in _IDEOGRAPHS) else char

    def _pieces(self, word: str) -> list[str]:
        if len(word.encode()) > _LONGEST:
            return ["[UNK]"]
        pieces, start = [], 0
        while start < len(word):
            prefix = "##" if start else ""
            end = next((end for end in range(len(word), start, -1) if prefix + word[start:end] in self._vocab), None)
            if end is None:
                return ["[UNK]"]
            pieces.append(prefix + word[start:end])
            start = end
        return pieces


class _Lower(dict):
    """Lower case one character for one, as Unicode's simple mapping: İ becomes i and not two characters."""

    def __missing__(self, point: int) -> str:
        lower = chr(point).lower()
        return lower if len(lower) == 1 else lower[0]
