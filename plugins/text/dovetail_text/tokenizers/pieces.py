"""Unigram and BPE tokenizers from sentencepiece's ``.model`` files, read without the package: a short part of protobuf's format."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import IO, Any

from dovetail.errors import FormatError, UnsupportedError

from .backend import package
from .hf import HFTokenizer

__all__ = ["from_sentencepiece"]

_NORMAL, _UNKNOWN, _CONTROL, _USER, _UNUSED, _BYTE = range(1, 7)
_LARGEST = 64 * 2**20


def from_sentencepiece(path: str | os.PathLike[str] | IO[bytes], **special_tokens: str | None) -> HFTokenizer:
    """The tokenizer of a sentencepiece model, a file or its path: pieces and scores, its clean-up of text, bytes for what has no piece.

    Encoding adds no ``<s>`` or ``</s>``, as sentencepiece itself does not. What differs: around a symbol of the user's blanks are not
    pieces, "<unk>" in a text is the unknown piece, and where several sequences of pieces have one score another may be taken.

    Raises a FormatError for a file that is none, an UnsupportedError for a model of words or characters.
    Source: Kudo and Richardson 2018, https://arxiv.org/abs/1808.06226.
    """
    if isinstance(path, str | os.PathLike):
        with open(path, "rb") as file:
            data = file.read(_LARGEST + 1)
    else:
        data, path = path.read(_LARGEST + 1), getattr(path, "name", "a sentencepiece model")
    if len(data) > _LARGEST:
        raise FormatError(path, None, f"it has more than {_LARGEST} bytes, which is too much for a sentencepiece model")
    model = _model(data, path)
    kind = model["trainer"].get(3, 1)
    if kind not in (1, 2):
        raise UnsupportedError("from_sentencepiece", f"{path} has models of kind {kind}", "expected unigram (1) or BPE (2)")
    try:
        return HFTokenizer(_made(model, kind), **{**_unknown_token(model), **special_tokens})
    except (KeyboardInterrupt, SystemExit, MemoryError, TypeError):
        raise
    except BaseException as error:  # the package raises bare Exceptions, and its panics are no Exceptions
        raise FormatError(path, None, f"its pieces and settings make no tokenizer: {error}") from error


def _unknown_token(model: dict[str, Any]) -> dict[str, str]:
    found = [text for text, _, what in model["pieces"] if what == _UNKNOWN]
    return {"unk_token": found[0]} if found else {}


def _made(model: dict[str, Any], kind: int) -> Any:
    tk, pieces = package(), model["pieces"]
    unknown = next((i for i, (_, _, what) in enumerate(pieces) if what == _UNKNOWN), None)
    bytes_too = any(what == _BYTE for _, _, what in pieces)
    if kind == 1:
        made = tk.models.Unigram([(text, score) for text, score, _ in pieces], unknown, bytes_too)
    else:
        made = _bpe(tk, pieces, unknown, bytes_too)
    tokenizer = tk.Tokenizer(made)
    tokenizer.normalizer = _normalizer(tk, model["normalizer"])
    before = model["normalizer"].get(3, 1)  # add_dummy_prefix
    scheme = "always" if before else "never"
    tokenizer.pre_tokenizer = tk.pre_tokenizers.Metaspace(replacement="▁", prepend_scheme=scheme, split=kind == 1)
    steps = [tk.decoders.ByteFallback(), tk.decoders.Metaspace(replacement="▁", prepend_scheme=scheme)]
    tokenizer.decoder = tk.decoders.Sequence(steps if bytes_too else steps[1:])
    tokenizer.add_special_tokens([tk.AddedToken(text, normalized=False, special=True) for text, _, what in pieces if what == _CONTROL])
    tokenizer.add_tokens([tk.AddedToken(text, normalized=False) for text, _, what in pieces if what == _USER])
    return tokenizer


def _bpe(tk: Any, pieces: list[tuple[str, float, int]], unknown: int | None, bytes_too: bool) -> Any:
    """Merges in the order of the scores of what they make."""
    vocab = {text: i for i, (text, _, _) in enumerate(pieces)}
    merges = []
    for text, score, what in pieces:
        if what == _NORMAL and len(text) > 1:
            halves = ((text[:i], text[i:]) for i in range(1, len(text)))
            merges += [(-score, vocab[a], vocab[b], a, b) for a, b in halves if a in vocab and b in vocab]
    ordered = [(a, b) for *_, a, b in sorted(merges, key=lambda m: m[:3])]
    token = None if unknown is None else pieces[unknown][0]
    return tk.models.BPE(vocab, ordered, unk_token=token, fuse_unk=True, byte_fallback=bytes_too)


def _normalizer(tk: Any, about: dict[int, Any]) -> Any:
    steps = []
    if about.get(2):  # the compiled map of characters
        steps.append(tk.normalizers.Precompiled(about[2]))
    if about.get(4, 1):  # remove_extra_whitespaces
        steps += [tk.normalizers.Strip(), tk.normalizers.Replace(tk.Regex(" {2,}"), " ")]
    return tk.normalizers.Sequence(steps) if steps else None


# ---------------------------------------------------------------------------------------------------- protobuf


def _model(data: bytes, path: Any) -> dict[str, Any]:
    """Pieces (text, score, kind), and the fields of the trainer's and the normalizer's settings by number."""
    found: dict[str, Any] = {"pieces": [], "trainer": {}, "normalizer": {}}
    for number, value in _fields(data, path):
        if number == 1:
            piece = dict(_fields(value, path))
            try:
                text = piece[1].decode("utf-8")
                score = struct.unpack("<f", piece[2])[0] if 2 in piece else 0.0
            except (KeyError, AttributeError, UnicodeDecodeError, struct.error, TypeError):
                raise FormatError(path, None, f"piece {len(found['pieces'])} has no text or no score") from None
            found["pieces"].append((text, score, piece.get(3, _NORMAL)))
        elif number in (2, 3):
            found["trainer" if number == 2 else "normalizer"] = dict(_fields(value, path))
    if not found["pieces"]:
        raise FormatError(path, None, "it has no pieces; expected a sentencepiece model")
    return found


def _fields(data: Any, path: Any) -> Iterator[tuple[int, Any]]:
    """The fields of a message: numbers for those of kind 0, bytes for the others."""
    if not isinstance(data, bytes):
        raise FormatError(path, None, "a field is a number where a message was expected; is it a sentencepiece model?")
    at = 0
    while at < len(data):
        key, at = _number(data, at, path)
        number, kind = key >> 3, key & 7
        if kind == 0:
            value, at = _number(data, at, path)
            yield number, value
            continue
        if kind == 2:
            size, at = _number(data, at, path)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise FormatError(path, at, f"a field is of kind {kind}; is it a sentencepiece model?")
        if at + size > len(data):
            raise FormatError(path, at, f"a field of {size} bytes ends after the file does; is it cut off?")
        yield number, data[at : at + size]
        at += size


def _number(data: bytes, at: int, path: Any) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            break
        byte = data[at]
        value, at = value | (byte & 0x7F) << shift, at + 1
        if byte < 0x80:
            return value, at
    raise FormatError(path, at, "a number does not end; is it a sentencepiece model?")
