"""How good texts are: perplexity, BLEU, chrF, ROUGE, exact match and F1; functions for one list, running metrics for many batches."""

from __future__ import annotations

import copy
import math
import re
import string
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from dovetail import Tensor
from dovetail.errors import RangeError, ShapeError, UnsupportedError, ValueRangeError
from dovetail.nn import functional as F

__all__ = ["Bleu", "ChrF", "ExactMatch", "F1", "Metric", "Perplexity", "Rouge", "exact_match", "f1", "normalized", "rouge"]

References = Sequence[str | Sequence[str]]


def normalized(text: str) -> str:
    """An answer as SQuAD compares it: lower case, without punctuation and the articles, single blanks.

    >>> normalized("The  cat, asleep.")
    'cat asleep'
    """
    text = "".join(c for c in text.lower() if c not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def exact_match(prediction: str, references: str | Sequence[str]) -> float:
    """1 where an answer equals one of the references, after `normalized`; else 0.

    >>> exact_match("The cat.", ["a cat", "dog"])
    1.0
    """
    return float(any(normalized(prediction) == normalized(one) for one in _listed(references)))


def f1(prediction: str, references: str | Sequence[str]) -> float:
    """The words that an answer shares with a reference, ``2 p r / (p + r)``, after `normalized`; the best of several references.

    Source: Rajpurkar et al. 2016, SQuAD, https://arxiv.org/abs/1606.05250.

    >>> f1("black cat", "a cat")
    0.6666666666666666
    """
    return max(_f1(normalized(prediction).split(), normalized(one).split()) for one in _listed(references))


def _f1(found: list[str], wanted: list[str]) -> float:
    if not found or not wanted:
        return float(found == wanted)
    shared = sum((Counter(found) & Counter(wanted)).values())
    return 2 * shared / (len(found) + len(wanted))


def _listed(references: str | Sequence[str]) -> Sequence[str]:
    return [references] if isinstance(references, str) else references


# ---------------------------------------------------------------------------------------------------- ROUGE


def rouge(prediction: str, reference: str, kinds: Sequence[str] = ("rouge1", "rouge2", "rougeL")) -> dict[str, float]:
    """Overlap with a reference, as F-measures: of words and pairs of words, and of the longest common subsequence.

    ``rougeN`` for any N, ``rougeL``, and ``rougeLsum``, which takes lines as sentences. Words are runs of ``a-z0-9``, in lower case and
    not stemmed, as in Google's ``rouge_score``. Raises a ValueError for another kind. Source: Lin 2004.

    >>> rouge("the cat sat", "the cat lay", ["rouge1", "rouge2"])
    {'rouge1': 0.6666666666666666, 'rouge2': 0.5}
    """
    return {kind: _rouge(kind, prediction, reference) for kind in kinds}


def _words(text: str) -> list[str]:
    return re.findall("[a-z0-9]+", text.lower())


def _rouge(kind: str, prediction: str, reference: str) -> float:
    if kind == "rougeLsum":
        return _summary(*([w for line in text.split("\n") if (w := _words(line))] for text in (prediction, reference)))
    found, wanted = _words(prediction), _words(reference)
    if kind == "rougeL":
        return _measure(len(_common(found, wanted)), len(found), len(wanted))
    if not re.fullmatch(r"rouge[1-9]", kind):
        raise ValueRangeError("rouge", f"there is no {kind!r}", "expected rouge1 to rouge9, rougeL or rougeLsum")
    grams = [Counter(zip(*(words[i:] for i in range(int(kind[5:]))), strict=False)) for words in (found, wanted)]
    return _measure(sum((grams[0] & grams[1]).values()), sum(grams[0].values()), sum(grams[1].values()))


def _measure(shared: int, found: int, wanted: int) -> float:
    return 2 * shared / (found + wanted) if shared else 0.0


def _common(a: Sequence[str], b: Sequence[str]) -> list[int]:
    """The places in ``b`` of a longest common subsequence."""
    rows = [[0] * (len(b) + 1)]
    for x in a:
        above, row = rows[-1], [0]
        for j, y in enumerate(b):
            row.append(above[j] + 1 if x == y else max(above[j + 1], row[j]))
        rows.append(row)
    i, j, places = len(a), len(b), []
    while i and j:
        if a[i - 1] == b[j - 1]:
            places.append(j - 1)
            i, j = i - 1, j - 1
        elif rows[i - 1][j] > rows[i][j - 1]:
            i -= 1
        else:
            j -= 1
    return places[::-1]


def _summary(found: list[list[str]], wanted: list[list[str]]) -> float:
    """Each sentence of the reference against the union of what it has in common with all sentences; a word counts once."""
    left, had = (Counter(w for line in side for w in line) for side in (found, wanted))
    counts, hits = (sum(left.values()), sum(had.values())), 0
    for line in wanted:
        for place in sorted({p for other in found for p in _common(other, line)}):
            if left[line[place]] > 0 and had[line[place]] > 0:
                hits += 1
                left[line[place]] -= 1
                had[line[place]] -= 1
    return _measure(hits, *counts)


# ---------------------------------------------------------------------------------------------------- running metrics


class Metric(ABC):
    """A number over many batches: ``update`` with each, ``compute`` at the end, ``reset`` to begin again.

    Called with a batch, it gives the number of that batch alone and stays as it is.
    """

    def __init__(self) -> None:
        self.reset()

    @abstractmethod
    def reset(self) -> None:
        """Forget all batches."""

    @abstractmethod
    def update(self, predictions: Any, targets: Any) -> None:
        """Take a batch."""

    @abstractmethod
    def compute(self) -> Any:
        """The number so far; NaN for none."""

    def __call__(self, predictions: Any, targets: Any) -> Any:
        alone = copy.copy(self)
        alone.reset()
        alone.update(predictions, targets)
        return alone.compute()


class Perplexity(Metric):
    """``exp`` of the mean negative log-likelihood of the tokens: scores (N, L, V), tokens (N, L); those of ``ignore_index`` do not count.

    >>> from dovetail import tensor, zeros
    >>> metric = Perplexity()
    >>> metric.update(zeros(1, 3, 5), tensor([[1, 2, -100]]))
    >>> round(metric.compute(), 4)
    5.0
    """

    def __init__(self, ignore_index: int = -100) -> None:
        self.ignore_index = ignore_index
        super().__init__()

    def reset(self) -> None:
        """Forget all batches."""
        self._sum, self._count = 0.0, 0

    def update(self, predictions: Tensor, targets: Tensor) -> None:
        """Take scores, which say the token at their own place: shift them for a model that says the next one."""
        if predictions.ndim != targets.ndim + 1 or predictions.shape[:-1] != targets.shape:
            what = f"predictions has shape {tuple(predictions.shape)} and targets {tuple(targets.shape)}"
            raise ShapeError("Perplexity", what, "expected (..., V) and (...)")
        flat = predictions.detach().reshape(-1, predictions.shape[-1]).double()
        self._sum += float(F.cross_entropy(flat, targets.reshape(-1), ignore_index=self.ignore_index, reduction="sum"))
        self._count += int((targets != self.ignore_index).sum())

    def compute(self) -> float:
        """The perplexity so far; NaN for no token."""
        if not self._count:
            return math.nan
        mean = self._sum / self._count
        return math.exp(mean) if mean < 700 else math.inf


class _OfTexts(Metric):
    """Texts and their references, kept until the end."""

    def reset(self) -> None:
        """Forget all batches."""
        self._predictions: list[str] = []
        self._references: list[list[str]] = []

    def update(self, predictions: Sequence[str], targets: References) -> None:
        """Take texts, and for each a reference or several."""
        if isinstance(predictions, str) or len(predictions) != len(targets):
            what = f"predictions has {'one text' if isinstance(predictions, str) else len(predictions)} and targets {len(targets)}"
            raise RangeError(type(self).__name__, what, "expected lists of equal length")
        self._predictions += predictions
        self._references += [list(_listed(one)) for one in targets]


class _Mean(_OfTexts):
    one: Callable[[str, Sequence[str]], float]

    def compute(self) -> float:
        """The mean over all texts; NaN for none."""
        if not self._predictions:
            return math.nan
        return sum(type(self).one(p, r) for p, r in zip(self._predictions, self._references, strict=True)) / len(self._predictions)


class ExactMatch(_Mean):
    """The share of answers that equal a reference, after `normalized`.

    >>> metric = ExactMatch()
    >>> metric.update(["The cat", "dog"], ["cat", ["a cow", "a pig"]])
    >>> metric.compute()
    0.5
    """

    one = staticmethod(exact_match)


class F1(_Mean):
    """The mean `f1` of answers.

    >>> metric = F1()
    >>> metric.update(["black cat"], ["a cat"])
    >>> round(metric.compute(), 4)
    0.6667
    """

    one = staticmethod(f1)


class Rouge(_OfTexts):
    """The mean `rouge` of texts; of several references the best counts.

    >>> metric = Rouge(["rougeL"])
    >>> metric.update(["the cat sat"], ["the cat lay"])
    >>> metric.compute()
    {'rougeL': 0.6666666666666666}
    """

    def __init__(self, kinds: Sequence[str] = ("rouge1", "rouge2", "rougeL")) -> None:
        self.kinds = tuple(kinds)
        rouge("", "", self.kinds)  # refuses an unknown one at once
        super().__init__()

    def compute(self) -> dict[str, float]:
        """The mean of each kind; NaN for no text."""
        scores = {kind: 0.0 for kind in self.kinds}
        for text, references in zip(self._predictions, self._references, strict=True):
            for kind in self.kinds:
                scores[kind] += max(_rouge(kind, text, one) for one in references)
        count = len(self._predictions)
        return {kind: score / count if count else math.nan for kind, score in scores.items()}


class _Sacre(_OfTexts):
    """A corpus score of the sacrebleu package."""

    def __init__(self, **settings: Any) -> None:
        try:
            from sacrebleu import metrics
        except ImportError as error:
            name = type(self).__name__
            raise UnsupportedError(name, "it needs the sacrebleu package", "", 'pip install "dovetail-text[metrics]"') from error
        self._metric = getattr(metrics, self._name)(**settings)
        super().__init__()

    _name = ""

    def compute(self) -> float:
        """The score of the whole corpus, 0 to 100; NaN for no text."""
        if not self._predictions:
            return math.nan
        most = max(map(len, self._references))
        columns = [[refs[k] if k < len(refs) else None for refs in self._references] for k in range(most)]
        return float(self._metric.corpus_score(self._predictions, columns).score)


class Bleu(_Sacre):
    """BLEU of the sacrebleu package, which is the score that papers compare; ``settings`` are those of its ``BLEU``.

    Source: Post 2018, A Call for Clarity in Reporting BLEU Scores, https://arxiv.org/abs/1804.08771.

    >>> metric = Bleu()
    >>> metric.update(["The dog bit the man."], [["The dog bit the man.", "The dog had bit the man."]])
    >>> round(metric.compute(), 2)
    100.0
    """

    _name = "BLEU"


class ChrF(_Sacre):
    """chrF of the sacrebleu package: the F-measure of character n-grams; ``settings`` are those of its ``CHRF``.

    Source: Popović 2015.

    >>> metric = ChrF()
    >>> metric.update(["The dog"], ["The dog"])
    >>> round(metric.compute(), 2)
    100.0
    """

    _name = "CHRF"
