"""Which token, word and character belong together in a batch: the questions that labels of words and answers ask."""

from __future__ import annotations

from typing import Any, NamedTuple

from dovetail.errors import UnsupportedError

__all__ = ["CharSpan", "Places", "TokenSpan"]


class CharSpan(NamedTuple):
    """Characters ``start`` to ``end``, without the last."""

    start: int
    end: int


class TokenSpan(NamedTuple):
    """Tokens ``start`` to ``end``, without the last."""

    start: int
    end: int


class Places:
    """The questions, by the names of transformers; the first number says which text of the batch, and may be left out for a single one.

    Tokens of padding belong to nothing. Raises an UnsupportedError for tokenizers that do not tell words, IndexError for no such text.
    """

    encodings: list[Any]
    data: dict[str, Any]
    side = "right"
    pad_token = ""
    is_fast = True

    def tokens(self, batch_index: int = 0) -> list[str]:
        """The tokens of one text of the batch, with its padding."""
        return self._filled(batch_index, self._raw(batch_index).tokens, self.pad_token)

    def word_ids(self, batch_index: int = 0) -> list[int | None]:
        """The number of each token's word; None for special tokens."""
        return self._filled(batch_index, self._known(batch_index).word_ids, None)

    words = word_ids

    def sequence_ids(self, batch_index: int = 0) -> list[int | None]:
        """0 for tokens of the first text, 1 for those of its pair, None for special tokens."""
        one = self._raw(batch_index)
        found = getattr(one, "sequence_ids", None)
        if found is None:
            found = [None if special else kind for kind, special in zip(one.type_ids, one.special_tokens_mask, strict=True)]
        return self._filled(batch_index, found, None)

    def char_to_token(self, batch_or_char_index: int, char_index: int | None = None, sequence_index: int = 0) -> int | None:
        """The token of a character of the text; None where it has none, as blanks."""
        row, at = _two(batch_or_char_index, char_index)
        return self._moved(row, self._known(row).char_to_token(at, sequence_index))

    def token_to_chars(self, batch_or_token_index: int, token_index: int | None = None) -> CharSpan | None:
        """The characters of a token."""
        row, at = self._token(batch_or_token_index, token_index)
        found = self._known(row).token_to_chars(at)
        return None if found is None else CharSpan(*found)

    def token_to_word(self, batch_or_token_index: int, token_index: int | None = None) -> int | None:
        """The word of a token."""
        row, at = self._token(batch_or_token_index, token_index)
        return self._known(row).token_to_word(at)

    def token_to_sequence(self, batch_or_token_index: int, token_index: int | None = None) -> int | None:
        """0 or 1, for the text or its pair that a token is of."""
        row, at = self._token(batch_or_token_index, token_index)
        return self._known(row).token_to_sequence(at)

    def word_to_tokens(self, batch_or_word_index: int, word_index: int | None = None, sequence_index: int = 0) -> TokenSpan | None:
        """The tokens of a word."""
        row, at = _two(batch_or_word_index, word_index)
        found = self._known(row).word_to_tokens(at, sequence_index)
        return None if found is None else TokenSpan(*(self._moved(row, one) or 0 for one in found))

    def word_to_chars(self, batch_or_word_index: int, word_index: int | None = None, sequence_index: int = 0) -> CharSpan:
        """The characters of a word."""
        row, at = _two(batch_or_word_index, word_index)
        return CharSpan(*self._known(row).word_to_chars(at, sequence_index))

    def char_to_word(self, batch_or_char_index: int, char_index: int | None = None, sequence_index: int = 0) -> int | None:
        """The word of a character."""
        row, at = _two(batch_or_char_index, char_index)
        return self._known(row).char_to_word(at, sequence_index)

    def _raw(self, row: int) -> Any:
        return list.__getitem__(self.encodings, row)

    def _known(self, row: int) -> Any:
        one = self._raw(row)
        if not hasattr(one, "word_ids"):
            raise UnsupportedError("BatchEncoding", "this tokenizer does not tell which word a token is of", "expected an HFTokenizer's")
        return one

    def _lead(self, row: int) -> int:
        """How many tokens of padding come first."""
        return self._extra(row) if self.side == "left" else 0

    def _extra(self, row: int) -> int:
        rows = self.data.get("input_ids", ())
        whole = len(rows) if len(rows) and isinstance(rows[0], int) else len(rows[row]) if len(rows) > row else 0
        return max(0, whole - len(self._raw(row)))

    def _filled(self, row: int, items: Any, fill: Any) -> list[Any]:
        extra = [fill] * self._extra(row)
        return [*extra, *items] if self.side == "left" else [*items, *extra]

    def _moved(self, row: int, token: int | None) -> int | None:
        return None if token is None else token + self._lead(row)

    def _token(self, first: int, second: int | None) -> tuple[int, int]:
        row, at = _two(first, second)
        at = at + len(self._raw(row)) + self._extra(row) if at < 0 else at
        return row, max(-1, at - self._lead(row)) if at >= self._lead(row) else 2**31


def _two(first: int, second: int | None) -> tuple[int, int]:
    return (0, first) if second is None else (first, second)
