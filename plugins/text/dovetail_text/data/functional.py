"""torchtext's ``data.functional``: small steps over iterators of text."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import IO, Any

from dovetail.errors import ValueRangeError
from dovetail.utils.data import Dataset

from ..errors import MissingPackage
from ..transforms.sentencepiece import SentencePieceModel

__all__ = [
    "custom_replace", "filter_wikipedia_xml", "generate_sp_model", "load_sp_model", "numericalize_tokens_from_iterator",
    "sentencepiece_numericalizer", "sentencepiece_tokenizer", "simple_space_split", "to_map_style_dataset",
]  # fmt: skip


def custom_replace(replace_pattern: Iterable[tuple[str, str]]) -> Callable[[Iterable[str]], Iterator[str]]:
    """Make a function that applies regular expressions, one after the other, to each line.

    >>> list(custom_replace([(r"S", "s"), (r"\\s+", " ")])(["It  fitS"]))
    ['It fits']
    """
    rules = [(re.compile(pattern), text) for pattern, text in replace_pattern]

    def replaced(lines: Iterable[str]) -> Iterator[str]:
        for line in lines:
            for pattern, text in rules:
                line = pattern.sub(text, line)
            yield line

    return replaced


# after wikifil.pl of fastText, in its order: marks of XML, links whose visible text stays, then letters and spelled digits alone; its two
# runs in a row of a category's link may be parted anywhere, which took minutes for a line of them that none of them ends
_WIKI = [
    (r"<.*>", ""), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">"), (r"<ref[^<]*</ref>", ""), (r"<[^>]*>", ""), (r"\[http:[^] ]*", "["),
    (r"(?i)\|(?:thumb|left|right|\d+px)", ""), (r"(?i)\[\[image:[^\[\]]*\|", ""),
    (r"(?i)\[\[category:([^|\]]*)(?:\|[^]]*)?\]\]", r"[[\1]]"), (r"\[\[[a-z\-]*:[^\]]*\]\]", ""), (r"\[\[[^|\]]*\|", "[["),
    (r"\{\{[^}]*\}\}", ""), (r"\{[^}]*\}", ""), (r"[\[\]]", ""), (r"&[^;]*;", " "),
]  # fmt: skip
_DIGITS = "zero one two three four five six seven eight nine".split()


def filter_wikipedia_xml(text_iterator: Iterable[str]) -> Iterator[str]:
    """Yield the visible words of lines of a Wikipedia dump (EnWik9): lower-case letters and single spaces, digits spelled.

    Redirections and lines without words are left out. Images and categories are known in capitals too, as Wikipedia writes
    them: torchtext's patterns know them in small letters alone, and leave the words of the links. Source: wikifil.pl of fastText,
    by M. Mahoney.

    >>> list(filter_wikipedia_xml(["[[Image:a.png|thumb|It]] fits&amp;nbsp;2 [[wells|holes]]", "#REDIRECT [[It]]"]))
    ['it fits two holes']
    """
    visible = custom_replace(_WIKI)
    for line in text_iterator:
        if "#redirect" in line.lower():
            continue
        (line,) = visible([line])
        spelled = re.sub("[0-9]", lambda digit: f" {_DIGITS[int(digit[0])]} ", line)
        if words := re.findall("[A-Za-z]+", spelled):
            yield " ".join(words).lower()


def simple_space_split(iterator: Iterable[str]) -> Iterator[list[str]]:
    """Split each line at white space.

    >>> list(simple_space_split(["it fits", "well"]))
    [['it', 'fits'], ['well']]
    """
    for line in iterator:
        yield line.split()


def numericalize_tokens_from_iterator(
    vocab: Any, iterator: Iterable[Iterable[str]], removed_tokens: Sequence[str] | None = None
) -> Iterator[Iterator[int]]:
    """Yield, for each list of tokens, an iterator of their numbers, without those of ``removed_tokens``.

    >>> [list(ids) for ids in numericalize_tokens_from_iterator({"it": 0, "fits": 1}, [["it", "fits"], ["fits"]], ["it"])]
    [[1], [1]]
    """
    removed = removed_tokens or ()
    for tokens in iterator:
        yield (vocab[token] for token in tokens if token not in removed)


def generate_sp_model(
    filename: str | os.PathLike[str], vocab_size: int = 20000, model_type: str = "unigram", model_prefix: str = "m_user"
) -> None:  # fmt: skip
    """Learn a sentencepiece model of a text file, by the package sentencepiece: ``m_user.model`` and ``m_user.vocab`` are written.

    Raises a MissingPackage (an ImportError) without the package, and a ValueError where it cannot learn so many pieces of the text.
    """
    try:
        import sentencepiece
    except ImportError as error:
        what = "the package sentencepiece is not installed"
        raise MissingPackage(
            "generate_sp_model", what, "", "pip install sentencepiece, or learn one with tokenizers.train_unigram"
        ) from error
    options = {"input": os.fspath(filename), "model_prefix": model_prefix, "vocab_size": vocab_size, "model_type": model_type}
    try:
        sentencepiece.SentencePieceTrainer.train(**options)
    except (RuntimeError, OSError) as error:
        raise ValueRangeError("generate_sp_model", str(error).strip().split("\n")[-1]) from error


def load_sp_model(spm: str | os.PathLike[str] | IO[bytes]) -> SentencePieceModel:
    """Read a sentencepiece model, a file or its path. Raises a FormatError for a file that is none."""
    return SentencePieceModel(spm)


def sentencepiece_numericalizer(sp_model: Any) -> Callable[[Iterable[str]], Iterator[list[int]]]:
    """Make a function that yields the numbers of the pieces of each text."""
    return partial(map, sp_model.EncodeAsIds)


def sentencepiece_tokenizer(sp_model: Any) -> Callable[[Iterable[str]], Iterator[list[str]]]:
    """Make a function that yields the pieces of each text."""
    return partial(map, sp_model.EncodeAsPieces)


def to_map_style_dataset(iter_data: Iterable[Any]) -> Dataset:
    """Read an iterable to its end into a dataset with indices and a length.

    >>> lines = to_map_style_dataset(line for line in ["it fits", "well"])
    >>> len(lines), lines[1]
    (2, 'well')
    """
    return _Listed(list(iter_data))


class _Listed(Dataset):
    def __init__(self, data: list[Any]) -> None:
        self._data = data

    def __len__(self) -> int:
        return len(self._data)

    def __getitem__(self, index: Any) -> Any:
        return self._data[index]
