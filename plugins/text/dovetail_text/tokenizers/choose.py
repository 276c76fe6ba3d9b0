"""get_tokenizer: a tokenizer by torchtext's name for it, or by its key."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

from dovetail import plugins
from dovetail.errors import ValueRangeError

from ..errors import MissingPackage
from .basic_english import BasicEnglish

__all__ = ["get_tokenizer"]

# torchtext's names for tokenizers of other packages: the package, and what it is asked for.
_ELSEWHERE = {"spacy": "spacy", "moses": "sacremoses", "toktok": "nltk", "revtok": "revtok", "subword": "revtok"}


def get_tokenizer(tokenizer: str | Callable[[str], list[str]] | None, language: str = "en", **config: Any) -> Any:
    """Return a function from text to tokens, as torchtext's function of this name does.

    ``None`` splits at white space, ``"basic_english"`` gives `BasicEnglish`, a function is returned as it is. Any other
    name is looked up among the registered tokenizers, and ``config`` goes to its target: that is a whole `Tokenizer`.
    "spacy" (with ``language`` the name of its model), "moses", "toktok", "revtok" and "subword" are those of the packages
    spacy, sacremoses, nltk and revtok. Raises a ValueError for ``"basic_english"`` in another language and for an unknown
    name, an ImportError that says what to install.

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
        return _elsewhere(tokenizer, language)
    return plugins.tokenizers.load(tokenizer)(**config)


def _elsewhere(name: str, language: str) -> Callable[[str], list[str]]:
    package = _ELSEWHERE[name]
    try:
        module = import_module("nltk.tokenize.toktok" if name == "toktok" else package)
    except ImportError as error:
        what = f"{name!r} needs the package {package}, which is not installed"
        raise MissingPackage("get_tokenizer", what, "", f"pip install {package}") from error
    if name == "spacy":
        model = module.load(language)
        return lambda text: [token.text for token in model.tokenizer(text)]
    if name == "moses":
        return module.MosesTokenizer().tokenize
    if name == "toktok":
        return module.ToktokTokenizer().tokenize
    return partial(module.tokenize, decap=True) if name == "subword" else module.tokenize
