"""What tokenizers with a plain vocabulary share: one number a token, and JSON files of one's own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from dovetail.errors import RangeError, UnknownNameError, UnsupportedError

from .base import Tokenizer
from .checks import whole_numbers
from .encoding import Encoding
from .strategies import Cut

__all__ = ["FORMAT", "VocabularyTokenizer"]

#: What a file of such a tokenizer says it is.
FORMAT = "dovetail-text tokenizer"

Piece = tuple[str, int, int]  # token, start, end


class VocabularyTokenizer(Tokenizer):
    """Numbers are places in ``vocab``; a subclass brings ``pieces``, ``join``, ``kind`` and ``config``."""

    kind = ""
    vocab: tuple[str, ...]
    _index: dict[str, int]

    def pieces(self, text: str) -> list[Piece]:
        """Cut a text into tokens with their places."""
        raise NotImplementedError

    def join(self, tokens: Sequence[str]) -> str:
        """Put tokens together again."""
        raise NotImplementedError

    def config(self) -> dict[str, Any]:
        """The arguments that make the same tokenizer, apart from its vocabulary."""
        raise NotImplementedError

    @property
    def vocab_size(self) -> int:
        return len(self.vocab)

    def token_to_id(self, token: str) -> int | None:
        return self._index.get(token)

    def id_to_token(self, id: int) -> str | None:
        return self.vocab[id] if 0 <= id < len(self.vocab) else None

    def get_vocab(self) -> dict[str, int]:
        return dict(self._index)

    def to_str(self) -> str:
        about = {"format": FORMAT, "version": 1, "type": self.kind, **self.config(), "vocab": list(self.vocab)}
        return json.dumps(about)

    def encode_many(self, texts: Sequence[Any], pairs: Sequence[Any] | None, special: bool, cut: Cut | None, words: bool) -> list[Any]:
        if pairs is not None or words:
            what = "pairs of texts" if pairs is not None else "texts that are lists of words"
            raise UnsupportedError(type(self).__name__, f"it does not encode {what}", "", "use HFTokenizer")
        return [self._encode(text, special, cut) for text in texts]

    def _encode(self, text: str, special: bool, cut: Cut | None) -> Encoding:
        pieces = self.pieces(text)
        before = [self.bos_token] if special and self.bos_token is not None else []
        after = [self.eos_token] if special and self.eos_token is not None else []
        if cut is not None and (room := max(cut.length - len(before) - len(after), 0)) < len(pieces):
            pieces = pieces[:room] if cut.side == "right" else pieces[len(pieces) - room :]
        tokens = [*before, *(piece[0] for piece in pieces), *after]
        offsets = [*[(0, 0)] * len(before), *(piece[1:] for piece in pieces), *[(0, 0)] * len(after)]
        mask = [1] * len(before) + [0] * len(pieces) + [1] * len(after)
        return Encoding(self._ids(tokens), tokens, offsets, special_tokens_mask=mask)

    def _ids(self, tokens: Sequence[str]) -> list[int]:
        if self.unk_token is not None:
            rest = self._index[self.unk_token]
            return [self._index.get(token, rest) for token in tokens]
        try:
            return [self._index[token] for token in tokens]
        except KeyError:
            at = next(i for i, token in enumerate(tokens) if token not in self._index)
            name = type(self).__name__
            what = f"{self.unit} {tokens[at]!r} at position {at} is not in the vocabulary"
            expected = f"expected one of its {len(self)} {self.unit}s"
            raise UnknownNameError(f"{name}.encode", what, expected, "pass unknown=") from None

    unit = "token"

    def decode(self, token_ids: Any, skip_special_tokens: bool = False, **options: Any) -> str:
        """The text of numbers: a list, a one-dimensional tensor, an `Encoding` or a single number.

        Raises an IndexError for a number outside ``0 .. len(self) - 1``, a TypeError for what is no whole number.
        """
        where = f"{type(self).__name__}.decode"
        if options:
            raise UnsupportedError(where, f"it does not know {', '.join(sorted(options))}")
        numbers = whole_numbers(where, token_ids)
        for at, number in enumerate(numbers):
            if not 0 <= number < len(self):
                raise RangeError(where, f"indices[{at}] is {number}", f"expected 0 to {len(self) - 1}")
        special = set(self.all_special_ids) if skip_special_tokens else ()
        return self.join([self.vocab[number] for number in numbers if number not in special])
