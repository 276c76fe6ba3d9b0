"""torchtext's ``data.functional``: small steps over iterators of text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from dovetail.utils.data import Dataset

__all__ = ["custom_replace", "numericalize_tokens_from_iterator", "simple_space_split", "to_map_style_dataset"]


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
