"""torchtext's ``data.metrics``: BLEU."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import dovetail as dv
from dovetail.errors import AssertedError

from .utils import ngrams_iterator

__all__ = ["bleu_score"]


def bleu_score(
    candidate_corpus: Sequence[Sequence[str]],
    references_corpus: Sequence[Sequence[Sequence[str]]],
    max_n: int = 4,
    weights: Sequence[float] = (0.25, 0.25, 0.25, 0.25),
) -> float:
    """BLEU of translations against one or more references each: ``min(1, exp(1 − r / c)) · exp(Σ wₙ log pₙ)``.

    ``pₙ`` is the share of the candidates' n-grams that a reference has, over the whole corpus; ``c`` is the length of the
    candidates and ``r`` that of the references nearest in length. 0 where some ``pₙ`` is 0. Raises an AssertionError
    where ``weights`` are not ``max_n`` or the corpora differ in length. Source: Papineni et al. 2002.

    >>> bleu_score([["it", "fits", "very", "well"]], [[["it", "fits", "very", "well"]]])
    1.0
    """
    if max_n != len(weights):
        raise AssertedError("bleu_score", 'Length of the "weights" list has be equal to max_n', f"got {len(weights)} and {max_n}")
    if len(candidate_corpus) != len(references_corpus):
        what = "The length of candidate and reference corpus should be the same"
        raise AssertedError("bleu_score", what, f"got {len(candidate_corpus)} and {len(references_corpus)}")
    hits, totals, written, wanted = [0] * max_n, [0] * max_n, 0, 0
    for candidate, references in zip(candidate_corpus, references_corpus):
        written += len(candidate)
        wanted += min(map(len, references), key=lambda length: abs(len(candidate) - length))
        known: Counter[tuple[str, ...]] = Counter()
        for reference in references:
            known |= _ngrams(reference, max_n)
        for ngram, count in (_ngrams(candidate, max_n) & known).items():
            hits[len(ngram) - 1] += count
        for n in range(max_n):
            totals[n] += max(len(candidate) - n, 0)
    if min(hits) == 0:
        return 0.0
    shares = dv.tensor(hits, dtype=dv.float32) / dv.tensor(totals, dtype=dv.float32)  # in float32, to torchtext's last digit
    score = dv.exp(sum(dv.tensor(list(weights)) * dv.log(shares)))
    return math.exp(min(1 - wanted / written, 0)) * score.item()


def _ngrams(tokens: Sequence[str], max_n: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(ngram.split(" ")) for ngram in ngrams_iterator(tokens, max_n))
