"""Metrics of texts: known values, batches against the whole, and what is refused; beside the packages that define them where installed."""

from __future__ import annotations

import math
import random

import pytest

import dovetail as dv
from dovetail_text import metrics

WORDS = "the cat dog a big small sat on mat ran fast and slow".split()


def texts(seed: int, count: int) -> list[str]:
    rng = random.Random(seed)
    return ["\n".join(" ".join(rng.choices(WORDS, k=rng.randint(0, 9))) for _ in range(rng.randint(1, 4))) for _ in range(count)]


def test_perplexity_counts_tokens_over_batches() -> None:
    dv.manual_seed(0)
    scores, tokens = dv.randn(4, 6, 9), dv.randint(0, 9, (4, 6))
    tokens[1, 3:] = -100
    metric = metrics.Perplexity()
    assert math.isnan(metric.compute())
    metric.update(scores[:1], tokens[:1])
    metric.update(scores[1:], tokens[1:])
    whole = dv.nn.functional.cross_entropy(scores.reshape(-1, 9).double(), tokens.reshape(-1)).exp().item()
    assert metric.compute() == pytest.approx(whole, rel=1e-12)
    assert metric(scores[:1], tokens[:1]) == pytest.approx(
        dv.nn.functional.cross_entropy(scores[0].double(), tokens[0]).exp().item(), rel=1e-12
    )
    assert metric.compute() == pytest.approx(whole, rel=1e-12)  # the call left it as it was
    with pytest.raises(RuntimeError, match=r"expected \(\.\.\., V\) and \(\.\.\.\)"):
        metric.update(scores, tokens[:1])


def test_exact_match_and_f1_are_squad_s() -> None:
    assert metrics.exact_match("An apple!", "apple") == 1 and metrics.exact_match("apples", ["apple", "pear"]) == 0
    assert metrics.f1("", "the") == 1 and metrics.f1("", "cat") == 0 and metrics.f1("big cat", ["dog", "cat big"]) == 1
    for kind in (metrics.ExactMatch, metrics.F1):
        metric = kind()
        assert math.isnan(metric.compute())
        metric.update(["a cat", "the dog"], ["cat", ["cow", "dog there"]])
        value = metric.compute()
        assert metric(["a cat"], ["a cat"]) == 1 and metric.compute() == value
        metric.reset()
        assert metric(["a cat", "the dog"], ["cat", ["cow", "dog there"]]) == value


def test_rouge_beside_google_s() -> None:
    scorer = pytest.importorskip("rouge_score.rouge_scorer")
    kinds = ["rouge1", "rouge2", "rouge3", "rougeL", "rougeLsum"]
    reference = scorer.RougeScorer(kinds)
    for one, other in zip(texts(0, 300), texts(1, 300), strict=True):
        want = reference.score(other, one)
        found = metrics.rouge(one, other, kinds)
        assert found == pytest.approx({kind: want[kind].fmeasure for kind in kinds}, abs=1e-12)


def test_rouge_takes_the_best_of_several_references() -> None:
    metric = metrics.Rouge()
    metric.update(["the cat sat"], [["dog", "the cat sat"]])
    assert metric.compute() == {"rouge1": 1.0, "rouge2": 1.0, "rougeL": 1.0}
    with pytest.raises(ValueError, match="expected rouge1 to rouge9, rougeL or rougeLsum"):
        metrics.Rouge(["rougeX"])


@pytest.mark.parametrize("name", ["Bleu", "ChrF"])
def test_corpus_scores_are_sacrebleu_s(name: str) -> None:
    sacrebleu = pytest.importorskip("sacrebleu")
    found, wanted = texts(2, 40), texts(3, 40)
    metric = getattr(metrics, name)()
    for start in range(0, 40, 8):
        metric.update(found[start : start + 8], wanted[start : start + 8])
    want = getattr(sacrebleu, f"corpus_{name.lower()}")(found, [wanted]).score
    assert metric.compute() == pytest.approx(want, abs=1e-9)
    several = getattr(metrics, name)()
    several.update(found[:2], [[wanted[0], found[0]], [found[1]]])
    assert several.compute() == pytest.approx(100, abs=1e-6)


@pytest.mark.parametrize("make", [metrics.F1, metrics.Rouge])
def test_lists_of_other_lengths_are_refused(make) -> None:
    with pytest.raises(IndexError, match="expected lists of equal length"):
        make().update(["a"], ["b", "c"])
    with pytest.raises(IndexError, match="predictions has one text"):
        make().update("a", ["b"])
