"""text/udhr: what is in it, what damaged copies say, and that its recipe learns."""

from __future__ import annotations

import pytest

import dovetail as dv
from dovetail import datasets
from dovetail.errors import FormatError, HashMismatch, RangeError, ValueRangeError
from dovetail_text.datasets import UDHR
from dovetail_text.recipes import languages
from tests.support.figures import note


def test_the_paragraphs():
    train, test, every = (datasets.load("text/udhr", **({"split": split} if split else {})) for split in ("train", "test", None))
    assert (len(train), len(test), len(every)) == (2931, 1314, 4245) and len(every.classes) == len(every.names) == 73
    assert sorted(every.samples) == sorted(train.samples + test.samples) and not set(train.samples) & set(test.samples)
    assert {label for label, _ in train} == {label for label, _ in test} == set(range(73))
    english = train.classes.index("eng")
    assert train.names[english] == "English"
    assert any(text.startswith("All human beings are born free") for label, text in train if label == english)
    assert repr(test) == "UDHR(split='test'): 1,314 paragraphs in 73 languages"


def test_what_is_wrong_is_said(tmp_path):
    with pytest.raises(ValueRangeError, match="split is 'valid'"):
        UDHR(split="valid")
    with pytest.raises(RangeError, match="index is 1314"):
        UDHR(split="test")[1314]
    with pytest.raises(FormatError, match="leave root out"):
        UDHR(tmp_path)
    (tmp_path / "udhr.json.gz").write_bytes(b"other")
    with pytest.raises(HashMismatch, match="expected 297d2eab"):
        UDHR(tmp_path)


def _few(split):
    data = UDHR(split=split)
    chosen = {data.classes.index(code): at for at, code in enumerate(("deu", "eng", "fra", "ita"))}
    return [(chosen[label], text) for label, text in data if label in chosen]


def test_a_few_languages_are_told_apart():
    dv.manual_seed(0)
    model, samples = languages.TrigramClassifier(4, buckets=2000, width=8), _few("train")
    before = languages.accuracy(model, _few("test"))
    languages.train(model, samples, epochs=8, batch_size=16)
    assert before < 0.6 and languages.accuracy(model, _few("test")) > 0.95


@pytest.mark.soak
def test_the_recipe(capsys):
    assert languages.main([]) == 0
    share = float(capsys.readouterr().out.split(" s; ")[1].split(" ")[0])
    note("text/udhr", "accuracy of a bag of trigrams, 12 epochs", share, "0.95")
    assert share > 0.95
