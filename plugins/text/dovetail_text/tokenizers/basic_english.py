"""The tokenizer that torchtext calls basic_english."""

from __future__ import annotations

from typing import Any

from dovetail.errors import TypeMismatch

__all__ = ["BasicEnglish"]

_MARKS = str.maketrans({mark: f" {mark} " for mark in "'.,()!?"} | {";": " ", ":": " "})


class BasicEnglish:
    """Split English text into lower-case words and the marks ``' . , ( ) ! ?``, each a token of its own.

    Double quotes vanish, joining what stood around them; ``;``, ``:`` and ``<br />`` end a word and are dropped. The
    tokens are those of torchtext's ``get_tokenizer("basic_english")``. Raises a TypeError for what is not a string.

    >>> BasicEnglish()("You can't \\"learn\\" in a day; (or can you?)<br />")
    ['you', 'can', "'", 't', 'learn', 'in', 'a', 'day', '(', 'or', 'can', 'you', '?', ')']
    """

    def __call__(self, text: str) -> list[str]:
        if not isinstance(text, str):
            raise TypeMismatch("BasicEnglish", f"text is {_name(text)}", "expected a string", "call it once for each string")
        # Quotes go first: without them, what is left may read "<br />".
        return text.lower().replace('"', "").replace("<br />", " ").translate(_MARKS).split()

    def __repr__(self) -> str:
        return "BasicEnglish()"


def _name(value: Any) -> str:
    return type(value).__name__
