"""Byte-pair encodings from vocabulary and merge files: GPT-2's, CLIP's, and one on characters."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

from dovetail import nn
from dovetail.errors import AssertedError, TypeMismatch

from ..errors import TokenizerError
from .files import read_json, read_lines

__all__ = ["CLIPTokenizer", "CharBPETokenizer", "GPT2BPETokenizer", "bytes_to_unicode"]

Path = str | os.PathLike[str]
_SPECIAL = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token", "additional_special_tokens")
_WHITE = " \t\n\r\f\v"


@lru_cache
def bytes_to_unicode() -> dict[int, str]:
    """GPT-2's letters for the 256 bytes: printable ones stand for themselves, the others for U+0100 and up.

    >>> bytes_to_unicode()[ord("a")], bytes_to_unicode()[ord(" ")]
    ('a', 'Ġ')
    """
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    table = {byte: chr(byte) for byte in plain}
    return table | {byte: chr(256 + i) for i, byte in enumerate(b for b in range(256) if b not in table)}


class _Merges:
    """Merge the pair of symbols of the lowest rank, everywhere in the word, until no pair has a rank."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.ranks = {tuple(line.split()): rank for rank, line in enumerate(lines)}
        self.cache: dict[tuple[str, ...], list[str]] = {}

    def __call__(self, word: Sequence[str]) -> list[str]:
        key = tuple(word)
        if key not in self.cache:
            self.cache[key] = self._merged(list(word))
        return self.cache[key]

    def _merged(self, word: list[str]) -> list[str]:
        while len(word) > 1:
            best = min(pairwise(word), key=lambda pair: self.ranks.get(pair, len(self.ranks)))
            if best not in self.ranks:
                break
            joined, at = [], 0
            while at < len(word):
                pair = tuple(word[at : at + 2]) == best
                joined.append("".join(best) if pair else word[at])
                at += 1 + pair
            word = joined
        return word


class _BPE(nn.Module):
    """What the tokenizers share: a string or a list of strings becomes numbers (as strings) or tokens."""

    def forward(self, input: Any) -> Any:
        if isinstance(input, str):
            return self._one(input)
        if isinstance(input, list) and all(isinstance(text, str) for text in input):
            return [self._one(text) for text in input]
        what = f"Input type not supported: {type(input).__name__}"
        raise TypeMismatch(type(self).__name__, what, "expected a string or a list of strings")

    def _one(self, text: str) -> Any:
        raise NotImplementedError

    def _number(self, token: str) -> Any:
        try:
            return self.encoder[token]
        except KeyError:
            remedy = "do the two files belong together?"
            raise TokenizerError(type(self).__name__, f"token {token!r} is not in the encoder file", "", remedy) from None


class GPT2BPETokenizer(_BPE):
    """GPT-2's byte-level BPE, from its ``encoder.json`` and ``vocab.bpe``.

    Gives the numbers as strings, as torchtext does, or with ``return_tokens`` the tokens. Source: Radford et al. 2019.
    """

    SPECIAL_TOKENS_ATTRIBUTES = list(_SPECIAL)

    def __init__(self, encoder_json_path: Path, vocab_bpe_path: Path, return_tokens: bool = False) -> None:
        super().__init__()
        self.encoder = read_json(encoder_json_path)
        self._merges = _Merges(read_lines(vocab_bpe_path)[1:-1])
        self._return_tokens, self._special = return_tokens, set()

    def add_special_tokens(self, special_tokens_dict: Mapping[str, str | Sequence[str]]) -> int:
        """Make tokens special, so that they are never split, and give numbers to new ones; returns how many those are."""
        for name in special_tokens_dict:
            if name not in _SPECIAL:
                what = f"Key '{name}' is not in the special token list"
                raise AssertedError("GPT2BPETokenizer", what, f"expected one of {', '.join(_SPECIAL)}")
        named = [token for name, token in special_tokens_dict.items() if name != "additional_special_tokens"]
        new = 0
        for token in [*named, *special_tokens_dict.get("additional_special_tokens", ())]:
            self._special.add(token)
            if token not in self.encoder:
                self.encoder[token] = len(self.encoder)
                new += 1
        return new

    def decode(self, tokens: list[str]) -> str:
        """The text of numbers, given as strings."""
        names = {number: token for token, number in self.encoder.items()}
        letters = {letter: byte for byte, letter in bytes_to_unicode().items()}
        out: list[bytes] = []
        before = None  # whether the token before was special
        for at, token in enumerate(tokens):
            name = names.get(int(token))
            if name is None:
                raise TokenizerError("GPT2BPETokenizer.decode", f"tokens[{at}] is {token!r}", "expected a number of the encoder file")
            special = name in self._special
            out += [b" "] if before is not None and (special or before) else []
            out.append(name.encode() if special else bytes(letters[letter] for letter in name))
            before = special
        return b"".join(out).decode("utf-8", "replace")

    def _one(self, text: str) -> list[str]:
        tokens = []
        for part, special in self._parts(text):
            tokens += [part] if special else [token for word in _gpt2_words(part) for token in self._merges(_letters(word))]
        return tokens if self._return_tokens else [str(self._number(token)) for token in tokens]

    def _parts(self, text: str) -> list[tuple[str, bool]]:
        """Cut at special tokens, each of which takes one white space from either side."""
        if not self._special:
            return [(text, False)]
        tokens = "|".join(map(re.escape, sorted(self._special)))
        found = re.split(rf"[ \t\n\r\f]?({tokens})[ \t\n\r\f]?", text)
        return [(part, i % 2 == 1) for i, part in enumerate(found) if part]


class CLIPTokenizer(_BPE):
    """CLIP's byte-level BPE, from its merges file and, where given, its ``encoder.json``; texts are put in lower case.

    ``num_merges`` uses the first merges only. Gives the numbers as strings or, with ``return_tokens``, the tokens.
    Source: Radford et al. 2021.
    """

    def __init__(
        self, merges_path: Path, encoder_json_path: Path | None = None, num_merges: int | None = None, return_tokens: bool = False
    ) -> None:
        super().__init__()
        lines = read_lines(merges_path)[1:]
        if encoder_json_path:
            self.encoder = read_json(encoder_json_path)
            num_merges = len(self.encoder) - (256 * 2 + 2)
        lines = lines[: num_merges or len(lines)]
        if not encoder_json_path:
            letters = list(bytes_to_unicode().values())
            tokens = [*letters, *(f"{letter}</w>" for letter in letters), *("".join(line.split()) for line in lines)]
            self.encoder = {token: i for i, token in enumerate([*tokens, *_CLIP_SPECIAL])}
        self._merges, self._return_tokens = _Merges(lines), return_tokens

    def _one(self, text: str) -> list[str]:
        tokens: list[str] = []
        for word in _clip_words(text.lower().strip()):
            letters = _letters(word)
            tokens += [word] if word in _CLIP_SPECIAL else self._merges([*letters[:-1], letters[-1] + "</w>"])
        return tokens if self._return_tokens else [str(self._number(token)) for token in tokens]


class CharBPETokenizer(_BPE):
    """A BPE on characters, from an encoder (JSON) and a merges file; words end where white space is.

    ``suffix`` marks the end of a word; ``unk_token`` stands for what the encoder does not have (without it that is a
    KeyError); ``special_tokens`` are never split. Gives the encoder's values or, with ``return_tokens``, the tokens.
    """

    def __init__(
        self,
        bpe_encoder_path: Path,
        bpe_merges_path: Path,
        return_tokens: bool = False,
        unk_token: str | None = None,
        suffix: str | None = None,
        special_tokens: list[str] | None = None,
    ) -> None:
        super().__init__()
        self.encoder = read_json(bpe_encoder_path)
        self._merges = _Merges(read_lines(bpe_merges_path)[1:-1])
        for name, token in [("Unknown", unk_token), *(("Special", token) for token in special_tokens or ())]:
            if token and token not in self.encoder:
                what = f"{name} token {token} not found in encoder"
                raise TokenizerError("CharBPETokenizer", what, "special tokens must be in the encoder file")
        self._decoder = {number: token for token, number in self.encoder.items()}
        self._return_tokens, self._unk, self._suffix, self._special = return_tokens, unk_token, suffix, set(special_tokens or ())

    @property
    def vocab_size(self) -> int:
        """How many tokens the encoder has."""
        return len(self.encoder)

    def encode(self, text: str) -> list[Any]:
        """The encoder's values for a text."""
        if self._unk:
            return [self.encoder.get(token, self.encoder[self._unk]) for token in self._tokens(text)]
        return [self._number(token) for token in self._tokens(text)]

    def decode(self, tokens: list[Any]) -> str:
        """The text of the encoder's values."""
        if self._unk:
            found = [self._decoder.get(token, self._unk) for token in tokens]
        else:
            found = [self._decoder[token] for token in tokens]
        return "".join(found).replace(self._suffix, " ") if self._suffix else " ".join(found)

    def _tokens(self, text: str) -> list[str]:
        tokens: list[str] = []
        for word in re.findall(r"\S+\n?", text):
            tokens += [word] if word in self._special else self._merges([*word[:-1], word[-1] + (self._suffix or "")])
        return tokens

    def _number(self, token: str) -> Any:
        return self.encoder[token]  # a KeyError, as torchtext's

    def _one(self, text: str) -> list[Any]:
        return self._tokens(text) if self._return_tokens else self.encode(text)


_CLIP_SPECIAL = ("<|startoftext|>", "<|endoftext|>")
_SHORT = re.compile(r"'(?:s|t|re|ve|m|ll|d)")
_CLIP_FIRST = re.compile(r"<\|startoftext\|>|<\|endoftext\|>|'(?:s|t|re|ve|m|ll|d)")


def _letters(word: str) -> list[str]:
    table = bytes_to_unicode()
    return [table[byte] for byte in word.encode()]


def _kind(char: str) -> str:
    """L for letters, N for numbers, W for ASCII white space, else O: the classes of the patterns below."""
    if char in _WHITE:
        return "W"
    return found if (found := unicodedata.category(char)[0]) in "LN" else "O"


def _run(text: str, at: int, kinds: str) -> int:
    while at < len(text) and _kind(text[at]) in kinds:
        at += 1
    return at


def _gpt2_words(text: str) -> list[str]:
    """Cut as ``'s|'t|'re|'ve|'m|'ll|'d| ?\\pL+| ?\\pN+| ?[^\\s\\pL\\pN]+|\\s+`` does, with torchtext's rule for white space:
    of a run before a word the last character, if a space, goes to the word, and else stands alone."""
    words, at, carried = [], 0, ""
    while at < len(text):
        if match := _SHORT.match(text, at):
            end = match.end()
        else:
            first = at + (text[at] == " " and at + 1 < len(text) and _kind(text[at + 1]) != "W")
            end = _run(text, first, _kind(text[first]))
        word, at = text[at:end], end
        if word.strip(_WHITE):
            words.append(carried + word)
            carried = ""
        elif at == len(text):
            words.append(word)
        else:
            words += [word[:-1]] if len(word) > 1 else []
            carried = " " if word[-1] == " " else ""
            words += [] if carried else [word[-1]]
    return words


def _clip_words(text: str) -> list[str]:
    """Cut as ``<|startoftext|>|<|endoftext|>|'s|'t|'re|'ve|'m|'ll|'d|\\pL+|\\pN|[^\\s\\pL\\pN]+`` does."""
    words, at = [], 0
    while at < len(text):
        kind = "W" if text[at] in " \t\n\r\f" else "O" if text[at] == "\v" else _kind(text[at])
        if match := _CLIP_FIRST.match(text, at):
            end = match.end()
        elif kind == "N" or kind == "W":
            end = at + 1
        else:
            end = _run(text, at + 1, kind)
        if kind != "W":
            words.append(text[at:end])
        at = end
    return words
