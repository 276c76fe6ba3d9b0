"""Byte-level BPE from tiktoken's rank files: a line for each token, its bytes in base64 and its rank."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from dovetail.errors import FormatError, TypeMismatch

from .backend import package
from .files import open_text
from .hf import HFTokenizer

__all__ = ["PATTERNS", "from_ranks", "read_ranks"]

#: How OpenAI's encodings cut text into words before the merges.
PATTERNS = {
    "gpt2": r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+""",
    "cl100k_base": (
        r"""(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"""
    ),
}


def read_ranks(path: str | os.PathLike[str]) -> dict[bytes, int]:
    """The tokens of a rank file and their ranks. Raises a FormatError that names the line."""
    ranks: dict[bytes, int] = {}
    for number, line in enumerate(open_text(path).splitlines(), 1):
        if not line.strip():
            continue
        try:
            token, rank = line.split()
            ranks[base64.b64decode(token, validate=True)] = int(rank)
        except (ValueError, binascii.Error):
            raise FormatError(path, None, f"line {number} is {line[:40]!r}; expected a token in base64 and its rank") from None
    if len(set(ranks.values())) != len(ranks) or any(rank < 0 for rank in ranks.values()):
        raise FormatError(path, None, "a rank is there twice, or negative; expected one for each token")
    if missing := [byte for byte in range(256) if bytes([byte]) not in ranks]:
        raise FormatError(path, None, f"{len(missing)} of the 256 single bytes have no rank, the first is {missing[0]}")
    return ranks


def from_ranks(
    ranks: str | os.PathLike[str] | Mapping[bytes, int], pattern: str = "cl100k_base", special_tokens: Mapping[str, int] | None = None
) -> HFTokenizer:
    """The tokenizer of a ``.tiktoken`` file, or of ranks by token.

    ``pattern`` cuts text into words: a name in `PATTERNS`, or a regular expression; ``special_tokens`` have numbers of their own.
    Raises a FormatError for a file that is none.

    >>> tokenizer = from_ranks({bytes([b]): b for b in range(256)} | {b"it": 256, b" it": 257}, "gpt2", {"<|end|>": 300})
    >>> tokenizer.encode("it it<|end|>").ids, tokenizer.decode([256, 257])
    ([256, 257, 300], 'it it')
    """
    if not isinstance(ranks, Mapping):
        ranks = read_ranks(ranks)
    if not all(isinstance(token, bytes) for token in ranks):
        raise TypeMismatch("from_ranks", "a token is no bytes", "expected ranks by bytes")
    from ..transforms.bpe import bytes_to_unicode

    letters, tk = bytes_to_unicode(), package()
    written = {token: "".join(letters[byte] for byte in token) for token in ranks}
    pairs = sorted((rank, token) for token, rank in ranks.items() if len(token) > 1)
    merges = [tuple(written[part] for part in parts) for rank, token in pairs if len(parts := _before(ranks, token, rank)) == 2]
    vocab: dict[str, int] = {written[token]: rank for token, rank in ranks.items()}
    tokenizer = tk.Tokenizer(tk.models.BPE(vocab, merges, ignore_merges=True))
    split = tk.pre_tokenizers.Split(tk.Regex(PATTERNS.get(pattern, pattern)), "isolated")
    tokenizer.pre_tokenizer = tk.pre_tokenizers.Sequence([split, tk.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = tk.decoders.ByteLevel()
    return HFTokenizer(_with_special(tokenizer, dict(special_tokens or {})))


def _before(ranks: Mapping[bytes, int], token: bytes, rank: int) -> list[bytes]:
    """The parts of a token just before its own merge: all merges of lower rank done."""
    parts = [token[i : i + 1] for i in range(len(token))]
    while len(parts) > 2:
        found = [(ranks.get(a + b, rank), i) for i, (a, b) in enumerate(pairwise(parts))]
        best, at = min(found)
        if best >= rank:
            break
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return parts


def _with_special(tokenizer: Any, special: dict[str, int]) -> str:
    """The tokenizer's JSON with special tokens at the numbers that they have, which its own methods do not give."""
    import json

    about = json.loads(tokenizer.to_str())
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    about["added_tokens"] = [{"id": number, "content": text, **plain} for text, number in sorted(special.items(), key=lambda t: t[1])]
    about["model"]["vocab"].update(special)
    return json.dumps(about)
