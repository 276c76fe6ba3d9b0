"""Where a text ends, and what is seen of it while it grows."""

from __future__ import annotations

import queue
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import dovetail as dv
from dovetail import Tensor
from dovetail.errors import ShapeError, TypeMismatch

__all__ = ["Stop", "TextIteratorStreamer", "TextStreamer"]


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
        self.strings = [strings] if isinstance(strings, str) else list(strings or ()) if isinstance(strings, Iterable | None) else [""]
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
    writes what is left. ``text`` holds all that was written. Other arguments go to the tokenizer's ``decode``, as
    ``skip_special_tokens``. The prompt is written too, as by transformers' streamer, unless ``skip_prompt`` is True; without ``write``
    the text goes to the standard output, and a new line at its end.

    >>> from dovetail_text.tokenizers import Char
    >>> streamer = TextStreamer(Char(["a", "b", "c"]), pieces := [].append)
    >>> streamer(dv.tensor([1])), streamer(dv.tensor([0])), streamer.end(), streamer.text
    (None, None, None, 'ba')
    """

    def __init__(
        self, tokenizer: Any, write: Callable[[str], Any] | bool | None = None, skip_prompt: bool = False, **decoding: Any
    ) -> None:  # fmt: skip
        if isinstance(write, bool):  # the second argument of transformers' streamer
            write, skip_prompt = None, write
        self.tokenizer, self.skip_prompt, self.decoding = tokenizer, skip_prompt, decoding
        self.write: Callable[[str], Any] = write or _print
        self.tokens: list[int] = []
        self.text = ""
        self._prompted = False

    def put(self, value: Tensor) -> None:
        """Take the prompt, then the token of each step. Raises a RuntimeError for those of several texts."""
        if value.ndim > 1 and value.shape[0] > 1:
            raise ShapeError("TextStreamer", f"there are {value.shape[0]} texts", "expected one", "give one prompt")
        if self._prompted or not self.skip_prompt:
            self._take(value.reshape(-1).tolist())
        self._prompted = True

    def __call__(self, token: Tensor) -> None:
        """Take the token of a step, ``(1,)``. Raises a RuntimeError for those of several texts."""
        if token.numel() != 1:
            raise ShapeError("TextStreamer", f"there are {token.numel()} texts", "expected one", "give one prompt")
        self._take([int(token.item())])

    def end(self) -> None:
        """Write what was held back; what comes after begins anew."""
        self._say(self._decoded(), whole=True)
        if self.write is _print and self._prompted:
            _print("\n")
        self.tokens, self._before, self._prompted = [], len(self.text), False

    _before = 0  # of the text, what earlier generations wrote

    def _take(self, tokens: list[int]) -> None:
        self.tokens += tokens
        self._say(self._decoded(), whole=False)

    def _decoded(self) -> str:
        return str(self.tokenizer.decode(self.tokens, **self.decoding)) if self.tokens else ""

    def _say(self, text: str, whole: bool) -> None:
        if whole or not text.endswith("\ufffd"):
            piece = text[len(self.text) - self._before :]
            self.text += piece
            if piece:
                self.write(piece)


class TextIteratorStreamer(TextStreamer):
    """A streamer whose pieces are iterated over while another thread generates; ``timeout`` is how long one is waited for.

    >>> from dovetail_text.tokenizers import Char
    >>> streamer = TextIteratorStreamer(Char(["a", "b"]))
    >>> streamer(dv.tensor([1])), streamer(dv.tensor([0])), streamer.end(), list(streamer)
    (None, None, None, ['b', 'a'])
    """

    def __init__(self, tokenizer: Any, skip_prompt: bool = False, timeout: float | None = None, **decoding: Any) -> None:
        self.text_queue: queue.Queue[str | None] = queue.Queue()
        self.timeout = timeout
        super().__init__(tokenizer, self.text_queue.put, skip_prompt=skip_prompt, **decoding)

    def end(self) -> None:
        """Write what was held back, and let the iteration end."""
        super().end()
        self.text_queue.put(None)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        piece = self.text_queue.get(timeout=self.timeout)
        if piece is None:
            raise StopIteration
        return piece


def _print(piece: str) -> None:
    sys.stdout.write(piece)
    sys.stdout.flush()
