"""torchtext's ``data.utils``: get_tokenizer, n-grams, sort keys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..tokenizers.choose import get_tokenizer

__all__ = ["get_tokenizer", "interleave_keys", "ngrams_iterator"]


def ngrams_iterator(token_list: Sequence[str], ngrams: int) -> Iterator[str]:
    """Yield the tokens, then all runs of 2, 3 … ``ngrams`` of them, joined by spaces.

    >>> list(ngrams_iterator(["here", "we", "are"], 2))
    ['here', 'we', 'are', 'here we', 'we are']
    """
    yield from token_list
    for n in range(2, ngrams + 1):
        yield from map(" ".join, zip(*(token_list[i:] for i in range(n))))


def interleave_keys(a: int, b: int) -> int:
    """Mix the bits of two 16-bit sort keys: what is alike in both is near in the result.

    >>> interleave_keys(3, 9)
    75
    """
    return int("".join(x + y for x, y in zip(f"{a:016b}", f"{b:016b}")), 2)
