"""get_tokenizer: a tokenizer by torchtext's name for it, or by its key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dovetail import plugins
from dovetail.errors import UnsupportedError, ValueRangeError

from .basic_english import BasicEnglish

__all__ = ["get_tokenizer"]

_ELSEWHERE = ("spacy", "moses", "toktok", "revtok", "subword")


def get_tokenizer(tokenizer: str | Callable[[str], list[str]] | None, language: str = "en", **config: Any) -> Any:
    """Return a function from text to tokens, as torchtext's function of this name does.

    ``None`` splits at white space, ``"basic_english"`` gives `BasicEnglish`, a function is returned as it is. Any other
    name is looked up among the registered tokenizers, and ``config`` goes to its target: that is a whole `Tokenizer`.
    Raises a ValueError for ``"basic_english"`` in another language and for an unknown name, a NotImplementedError for
    those of torchtext's tokenizers that wrap another package.

    >>> get_tokenizer("basic_english")("It fits!")
    ['it', 'fits', '!']
    >>> get_tokenizer("text/char", vocab="ab").encode("abba").ids
    [0, 1, 1, 0]
    """
    if tokenizer is None:
        return str.split
    if callable(tokenizer):
        return tokenizer
    if tokenizer == "basic_english":
        if language != "en":
            raise ValueRangeError("get_tokenizer", f"basic_english has no language {language!r}", "expected 'en'")
        return BasicEnglish()
    if tokenizer in _ELSEWHERE:
        remedy = "install that package and pass its function"
        raise UnsupportedError("get_tokenizer", f"tokenizer {tokenizer!r} is another package's", "", remedy)
    return plugins.tokenizers.load(tokenizer)(**config)
