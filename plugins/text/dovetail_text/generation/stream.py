"""Where a text ends, and what is seen of it while it grows."""

from __future__ import annotations

import queue
import re
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import dovetail as dv
from dovetail import Tensor
from dovetail.errors import TypeMismatch, ValueRangeError

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
            raise ValueRangeError("generate", what, "expected a tokenizer, which reads the tokens")
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

    Pieces are those of transformers: letters, digits and spaces are written at once; other characters, of which some may still be
    incomplete, wait for the next space or the end of a line, and ``end`` writes what is left. ``text`` holds all that was written.
    The prompt is written too unless ``skip_prompt`` is True; without ``write`` the text goes to the standard output, and a new line at
    its end. Other arguments go to the tokenizer's ``decode``, as ``skip_special_tokens``. A subclass may have an
    ``on_finalized_text(text, stream_end)`` of its own, which takes the pieces.

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
        self.write: Callable[[str], Any] | None = write or None
        self.tokens: list[int] = []  # what is decoded: all of them, or those since the end of a line
        self.text = ""
        self._prompted = False
        self._said = 0  # how many characters of what is decoded were written

    def put(self, value: Tensor) -> None:
        """Take the prompt, then the token of each step. Raises a ValueError for those of several texts."""
        if value.ndim > 1 and value.shape[0] > 1:
            raise ValueRangeError("TextStreamer", f"there are {value.shape[0]} texts", "expected one", "give one prompt")
        if self._prompted or not self.skip_prompt:
            self._take(value.reshape(-1).tolist())
        self._prompted = True

    def __call__(self, token: Tensor) -> None:
        """Take the token of a step, ``(1,)``. Raises a ValueError for those of several texts."""
        if token.numel() != 1:
            raise ValueRangeError("TextStreamer", f"there are {token.numel()} texts", "expected one", "give one prompt")
        self._take([int(token.item())])

    def end(self) -> None:
        """Write what was held back; what comes after begins anew."""
        left = self._decoded(self.tokens)[self._said :] if self.tokens else ""
        self.tokens, self._said, self._prompted = [], 0, False
        self._finish(left, True)

    def on_finalized_text(self, text: str, stream_end: bool = False) -> None:
        """Write a piece, which will not change any more; with ``stream_end`` it is the last one."""
        if self.write is None:
            print(text, flush=True, end="\n" if stream_end else "")
        elif text:
            self.write(text)

    def _take(self, tokens: list[int]) -> None:
        self.tokens += tokens
        text = self._decoded(self.tokens)
        piece = text[self._said : _settled(text, self._said)]
        self._said += len(piece)
        if text.endswith("\n"):  # the last token stays, lest a decoder drop the space that begins the next line
            self.tokens = self.tokens[-1:]
            self._said = len(self._decoded(self.tokens))
        self._finish(piece, False)

    def _decoded(self, tokens: list[int]) -> str:
        return str(self.tokenizer.decode(tokens, **self.decoding))

    def _finish(self, piece: str, last: bool) -> None:
        self.text += piece
        self.on_finalized_text(piece, last)


class TextIteratorStreamer(TextStreamer):
    """A streamer whose pieces are iterated over while another thread generates; ``timeout`` is how long one is waited for.

    As in transformers a step may bring an empty piece. Raises queue.Empty where none comes in time.

    >>> from dovetail_text.tokenizers import Char
    >>> streamer = TextIteratorStreamer(Char(["a", "b"]))
    >>> streamer(dv.tensor([1])), streamer(dv.tensor([0])), streamer.end(), list(streamer)
    (None, None, None, ['b', 'a', ''])
    """

    def __init__(self, tokenizer: Any, skip_prompt: bool = False, timeout: float | None = None, **decoding: Any) -> None:
        super().__init__(tokenizer, skip_prompt=skip_prompt, **decoding)
        self.text_queue: queue.Queue[str | None] = queue.Queue()
        self.timeout = timeout

    def on_finalized_text(self, text: str, stream_end: bool = False) -> None:
        """Let a piece be iterated over, and the iteration end after the last."""
        self.text_queue.put(text)
        if stream_end:
            self.text_queue.put(None)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        piece = self.text_queue.get(timeout=self.timeout)
        if piece is None:
            raise StopIteration
        return piece


# Ideographs, between which no space comes that a piece could wait for.
_IDEOGRAPHS = re.compile("[\u4e00-\u9fff\u3400-\u4dbf\U00020000-\U0002a6df\U0002a700-\U0002ceaf\uf900-\ufaff\U0002f800-\U0002fa1f]")


def _settled(text: str, said: int) -> int:
    """How many characters of a text can be written, of which ``said`` are.

    >>> _settled("it's", 0), _settled("it fits: \ufffd", 2), _settled("it fits", 2)
    (0, 9, 7)
    """
    plain = all(char.isspace() or unicodedata.category(char)[0] in "LMN" for char in text[said:])
    return len(text) if plain or text.endswith("\n") or _IDEOGRAPHS.match(text[-1]) else text.rfind(" ") + 1
