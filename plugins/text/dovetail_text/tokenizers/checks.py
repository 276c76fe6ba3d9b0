"""What the tokenizers ask of their arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dovetail.errors import TypeMismatch, ValueRangeError

__all__ = ["is_one", "no_pad", "pair_list", "pairs_of", "whole_numbers"]


class _NoText(TypeMismatch, ValueError):
    """What is no text: a TypeError of tokenizers, a ValueError of transformers."""


def no_pad(tokenizer: Any) -> Exception:
    """The error of padding without a pad token, a ValueError as Hugging Face's."""
    expected = f"expected one; {type(tokenizer).__name__}.pad_token is None"
    return ValueRangeError("pad", "asking to pad but the tokenizer does not have a padding token", expected, "set tokenizer.pad_token")


def is_one(text: Any, words: bool) -> bool:
    """Whether it is one text, not a list of them; a TypeError for what is neither."""
    if isinstance(text, str):
        return True
    if isinstance(text, list | tuple):
        return words and (not text or isinstance(text[0], str))
    if hasattr(text, "__len__") and hasattr(text, "__getitem__") and not isinstance(text, Mapping | bytes | bytearray):
        return False  # a column of a dataset, an array of strings
    what = f"text is {type(text).__name__}"
    raise _NoText("Tokenizer", what, "expected a string, or a list of strings", "bytes: text.decode(); a tensor: decode it first")


def pair_list(pair: Any, single: bool) -> list[Any] | None:
    """The second texts as a list."""
    return None if pair is None else [pair] if single else list(pair)


def pairs_of(texts: list[Any], pairs: list[Any] | None, words: bool) -> tuple[list[Any], list[Any] | None]:
    """Split pairs of texts, check that there are as many of both, and that everything is text."""
    if pairs is None and not words and texts and all(isinstance(t, list | tuple) and len(t) == 2 for t in texts):
        texts, pairs = [t[0] for t in texts], [t[1] for t in texts]
    if pairs is not None and len(pairs) != len(texts):
        raise ValueRangeError("Tokenizer", f"there are {len(texts)} texts and {len(pairs)} in text_pair", "expected as many of both")
    for where, items in (("text", texts), ("text_pair", pairs or ())):
        for at, item in enumerate(items):
            for part in item if words and isinstance(item, list | tuple) else (item,):
                if not isinstance(part, str):
                    raise TypeMismatch(
                        "Tokenizer", f"{where}[{at}] is {type(part).__name__}", "expected a string", "bytes: .decode() first"
                    )
                if not part.isascii() and (found := _surrogate(part)) is not None:
                    what = f"{where}[{at}] has a lone surrogate at position {found}"
                    raise ValueRangeError("Tokenizer", what, "expected text that UTF-8 can hold", "read the file with errors='replace'")
    return texts, pairs


def _surrogate(text: str) -> int | None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return error.start
    return None


def whole_numbers(where: str, ids: Any) -> list[int]:
    """Numbers from a list, a one-dimensional tensor or array, an `Encoding` or a single number."""
    ids = getattr(ids, "ids", ids)
    numbers = ids.tolist() if hasattr(ids, "tolist") else ids
    numbers = [numbers] if hasattr(numbers, "__index__") else list(numbers)
    for at, number in enumerate(numbers):
        if not hasattr(number, "__index__"):
            what = f"indices[{at}] is {type(number).__name__} ({number!r})"
            raise TypeMismatch(where, what, "expected whole numbers", "decode one text at a time")
    return [int(number) for number in numbers]
