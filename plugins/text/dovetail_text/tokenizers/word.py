"""A tokenizer whose tokens are words, as some rule finds them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from dovetail.errors import TypeMismatch, ValueRangeError

from ..vocab import Vocab, build_vocab_from_iterator
from .basic_english import BasicEnglish
from .vocabulary import Piece, VocabularyTokenizer

__all__ = ["Word"]

_RULES: dict[str, Callable[[str], list[str]]] = {"split": str.split, "basic_english": BasicEnglish()}
_SPECIAL = ("unknown", "pad", "bos", "eos")


class Word(VocabularyTokenizer):
    """One token for each word, numbered by its place in ``vocab`` (a list of words or a `Vocab`).

    ``rule`` finds the words: "basic_english" (lower-case words and marks), "split" (at white space), or a pattern whose
    matches are the words, such as ``r"\\w+"``. ``unknown`` stands for words that are not there; ``pad`` fills batches;
    ``bos`` and ``eos``, where given, begin and end each text. All four are entries of ``vocab``. Decoding puts spaces
    between words. Raises a ValueError for a word that is there twice and for a special one that is not there.

    >>> tokenizer = Word.from_iterator(["it fits", "it fits well"], unknown="<unk>")
    >>> tokenizer.encode("it fits badly").ids, tokenizer.decode([2, 1, 3])
    ([2, 1, 0], 'it fits well')
    """

    kind, unit = "word", "word"

    def __init__(
        self,
        vocab: Iterable[str] | Vocab,
        unknown: str | None = None,
        pad: str | None = None,
        bos: str | None = None,
        eos: str | None = None,
        rule: str = "basic_english",
    ) -> None:
        self.vocab = tuple(vocab.get_itos() if isinstance(vocab, Vocab) else vocab)
        self.rule = rule
        self._pattern = None if rule in _RULES else _compiled(rule)
        self._index = {}
        for at, word in enumerate(self.vocab):
            if not isinstance(word, str):
                raise TypeMismatch("Word", f"vocab[{at}] is {type(word).__name__} ({word!r})", "expected a word")
            if self._index.setdefault(word, at) != at:
                raise ValueRangeError("Word", f"vocab has {word!r} twice", "expected each word once", "use Word.from_iterator")
        self.init_special({"unk_token": unknown, "pad_token": pad, "bos_token": bos, "eos_token": eos})

    @classmethod
    def from_iterator(
        cls, texts: Iterable[str], *, rule: str = "basic_english", min_freq: int = 1, max_tokens: int | None = None, **special: Any
    ) -> Word:
        """Make a tokenizer of the words in ``texts``: special ones first, then by how often they occur.

        ``max_tokens`` and ``min_freq`` are those of `build_vocab_from_iterator`; ``special`` are unknown, pad, bos, eos.
        """
        shell = cls((), rule=rule)
        first = list(dict.fromkeys(special[name] for name in _SPECIAL if special.get(name) is not None))
        words = ([piece[0] for piece in shell.pieces(text)] for text in texts)
        return cls(build_vocab_from_iterator(words, min_freq, first, True, max_tokens), rule=rule, **special)

    def pieces(self, text: str) -> list[Piece]:
        if self._pattern is not None:
            return [(match[0], *match.span()) for match in self._pattern.finditer(text) if match[0]]
        found, at = [], 0
        lower = text if self.rule == "split" else text.lower()
        for word in _RULES[self.rule](text):
            start = lower.find(word, at)  # a word from which a quote was taken out has no one place
            start = at if start < 0 else start
            at = min(start + len(word), len(text))
            found.append((word, start, at))
        return found

    def join(self, tokens: Sequence[str]) -> str:
        return " ".join(tokens)

    def config(self) -> dict[str, Any]:
        named = {"unknown": self.unk_token, "pad": self.pad_token, "bos": self.bos_token, "eos": self.eos_token}
        return {"rule": self.rule, **named}

    def __repr__(self) -> str:
        more = [f"{name}={value!r}" for name, value in self.config().items() if value is not None]
        return f"Word({', '.join([f'<{len(self)} words>', *more])})"


def _compiled(rule: Any) -> re.Pattern[str]:
    try:
        return re.compile(rule)
    except (re.error, TypeError, RecursionError, OverflowError) as error:
        expected = f"expected a regular expression, or one of {', '.join(_RULES)}"
        raise ValueRangeError("Word", f"rule is {rule!r} ({error})", expected) from None
