"""Where a text ends, and what is seen of it while it grows."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import dovetail as dv
from dovetail import Tensor
from dovetail.errors import ShapeError, TypeMismatch

__all__ = ["Stop", "TextStreamer"]


class Stop:
    """Which texts ``(N, L)`` end with their last token: a token of ``ends``, or one that completes one of ``strings``.

    ``criteria`` are functions of the texts and None, which say whether all, or each, are to end; after ``seconds`` all do.

    >>> Stop([7], (), None)(dv.tensor([[1, 7], [7, 1]]), 0)
    tensor([ True, False])
    """

    def __init__(
        self, ends: Sequence[int], strings: str | Sequence[str] | None, tokenizer: Any,
        criteria: Sequence[Callable[[Tensor, Any], Any]] | None = None, seconds: float | None = None,
    ) -> None:  # fmt: skip
        self.ends, self.criteria = list(ends), list(criteria or ())
        self.until = None if seconds is None else time.monotonic() + seconds
        self.strings = [strings] if isinstance(strings, str) else list(strings or ())
        if not all(isinstance(text, str) and text for text in self.strings):
            raise TypeMismatch("generate", f"stop_strings is {strings!r}", "expected strings that are not empty")
        if self.strings and not hasattr(tokenizer, "decode"):
            what = f"stop_strings are given and tokenizer is {type(tokenizer).__name__}"
            raise TypeMismatch("generate", what, "expected a tokenizer, which reads the tokens")
        self.tokenizer = tokenizer
        self.reach = 4 * max(map(len, self.strings), default=0) + 4  # a character takes at most four tokens, of a byte each

    @property
    def asked(self) -> bool:
        """Whether anything ends a text."""
        return bool(self.ends or self.strings or self.criteria) or self.until is not None

    def __call__(self, ids: Tensor, start: int) -> Tensor:
        """``(N,)`` of bool; the new text begins at the token ``start``, and strings are looked for in it alone."""
        last = ids[:, -1]
        found = dv.zeros_like(last).to(dv.bool)
        for end in self.ends:
            found = found | (last == end)
        if self.strings:
            tails = ids[:, max(start, ids.shape[1] - self.reach) :].tolist()
            said = [self.tokenizer.decode(tail) for tail in tails]
            hits = [any(text in one for text in self.strings) for one in said]
            found = found | dv.tensor(hits, dtype=dv.bool, device=ids.device)
        for criterion in self.criteria:
            found = found | criterion(ids, None)
        return found if self.until is None or time.monotonic() < self.until else dv.ones_like(found)


class TextStreamer:
    """Write a text while it is generated: a streamer for one prompt, whose ``write`` is called with each new piece.

    A piece is held back while its last character may still be incomplete, as with bytes of a character in several tokens; ``end``
    writes what is left. ``text`` holds all that was written.

    >>> from dovetail_text.tokenizers import Char
    >>> streamer = TextStreamer(Char(["a", "b", "c"]), pieces := [].append)
    >>> streamer(dv.tensor([1])), streamer(dv.tensor([0])), streamer.end(), streamer.text
    (None, None, None, 'ba')
    """

    def __init__(self, tokenizer: Any, write: Callable[[str], Any] | None = None) -> None:
        self.tokenizer, self.write = tokenizer, write or _print
        self.tokens: list[int] = []
        self.text = ""

    def __call__(self, token: Tensor) -> None:
        """Take the token of a step, ``(1,)``. Raises a RuntimeError for those of several texts."""
        if token.numel() != 1:
            raise ShapeError("TextStreamer", f"there are {token.numel()} texts", "expected one", "give one prompt")
        self.tokens.append(int(token.item()))
        self._say(self.tokenizer.decode(self.tokens), whole=False)

    def end(self) -> None:
        """Write what was held back."""
        self._say(self.tokenizer.decode(self.tokens), whole=True)

    def _say(self, text: str, whole: bool) -> None:
        if whole or not text.endswith("�"):
            piece, self.text = text[len(self.text) :], text
            if piece:
                self.write(piece)


def _print(piece: str) -> None:
    sys.stdout.write(piece)
    sys.stdout.flush()
