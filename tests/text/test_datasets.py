"""text/pydoc, and blocks of tokens."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import dovetail as dv
from dovetail.errors import FormatError, HashMismatch, ValueRangeError
from dovetail.utils.data import DataLoader
from dovetail_text.datasets import PyDoc, lm_blocks
from dovetail_text.datasets import pydoc as module
from dovetail_text.tokenizers import Char


def test_pydoc():
    whole, train, valid = PyDoc(), PyDoc(split="train"), PyDoc(split="valid")
    assert (len(whole), len(train), len(valid)) == (79, 75, 4) and sum(len(text) for text in whole.topics.values()) == 464_970
    assert (
        sum(len(text) for _, text in valid) == 41_729
        and {**train.topics, **valid.topics} == {t: whole.topics[t] for t in whole.topics} | {}
    )
    assert whole[0] == ("assert", whole.topics["assert"]) and whole[-1][0] == "yield" and whole.titles == sorted(whole.titles)
    assert whole.text.startswith('The "assert" statement\n**********') and whole.text.count("\n") > 10_000
    assert repr(valid) == "PyDoc(split='valid'): 4 topics, 41,732 characters"
    assert len(dv.datasets.load("text/pydoc", split="valid")) == 4 and len(dv.datasets.load("pydoc")) == 79


def test_pydocs_valid_topics_are_new():
    known = {line.strip() for line in PyDoc(split="train").text.split("\n")}
    lines = [line.strip() for line in PyDoc(split="valid").text.split("\n") if len(line.strip()) > 25]
    assert sum(len(line) for line in lines if line in known) / sum(map(len, lines)) < 0.01


def test_pydoc_is_what_its_documents_say(tmp_path):
    folder = Path(module.__file__).with_name("data")
    about = (folder / "DATA.md").read_text(encoding="utf-8")
    row = dv.datasets.get("text/pydoc")
    assert row.sha256 in about and f"({row.bytes:,} bytes)" in about and row.bytes == (folder / "pydoc.json.gz").stat().st_size
    assert "PYTHON SOFTWARE FOUNDATION LICENSE VERSION 2" in (folder / "PSF-LICENSE.txt").read_text(encoding="utf-8")
    with pytest.raises(ValueRangeError, match='PyDoc: split is \'test\'; expected "train", "valid" or None'):
        PyDoc(split="test")
    with pytest.raises(FormatError, match="pydoc.json.gz: No such file or directory; leave root out"):
        PyDoc(tmp_path)
    (tmp_path / "pydoc.json.gz").write_bytes(b"\x1f\x8b" + bytes(40))
    with pytest.raises(HashMismatch, match="SHA-256 is .*; expected ef1c22e9.*; reinstall dovetail-text or replace the file"):
        PyDoc(tmp_path)
    shutil.copy(folder / "pydoc.json.gz", tmp_path)
    assert len(PyDoc(str(tmp_path))) == 79
    with pytest.raises(IndexError, match="PyDoc: index is 79; expected -79 to 78"):
        PyDoc()[79]


def test_blocks():
    blocks = lm_blocks(range(10), 3)
    assert len(blocks) == 3 and [x.tolist() for x, _ in blocks] == [[0, 1, 2], [3, 4, 5], [6, 7, 8]] and blocks[-1][1].tolist() == [7, 8, 9]
    every = lm_blocks(np.arange(10, dtype=np.uint16), 3, stride=1)
    assert len(every) == 7 and every[6][1].tolist() == [7, 8, 9] and every[np.int64(1)][0].tolist() == [1, 2, 3]
    assert len(lm_blocks(range(4), 3)) == 1 and len(lm_blocks(range(9), 3)) == 2
    assert lm_blocks(dv.tensor([2**40, 1, 2]), 2)[0][0].tolist() == [2**40, 1] and lm_blocks([0, 1, 2], 1)[0][0].dtype == dv.int64
    corpus = PyDoc(split="valid").text
    tokenizer = Char.from_text(corpus)
    x, y = next(iter(DataLoader(lm_blocks(tokenizer.encode(corpus), 64), batch_size=8)))
    assert x.shape == y.shape == (8, 64) and tokenizer.decode(x[0]) == corpus[:64] and (x[:, 1:] == y[:, :-1]).all()
    assert repr(blocks) == "BlockDataset(3 blocks of 3, every 3 of 10 tokens)"


def test_blocks_refuse():
    for call, kind, text in (
        (lambda: lm_blocks([1, 2], 2), ValueError, "there are 2 tokens and block_size is 2; expected one token more than a block"),
        (lambda: lm_blocks([], 2), (ValueError, TypeError), "lm_blocks: "),
        (lambda: lm_blocks([1, 2, 3], 0), ValueError, "block_size is 0; expected a whole number, 1 or more"),
        (lambda: lm_blocks([1, 2, 3], 1, stride=0), ValueError, "stride is 0"),
        (lambda: lm_blocks([[1, 2], [3, 4]], 1), RuntimeError, r"tokens has shape \(2, 2\); expected one dimension"),
        (lambda: lm_blocks([0.5, 1.0], 1), TypeError, "tokens holds float64; expected whole numbers; encode the text first"),
        (lambda: lm_blocks([1, 2, 3], 1)[5], IndexError, "BlockDataset: index is 5; expected -2 to 1"),
    ):
        with pytest.raises(kind, match=text):
            call()


def test_the_package_is_imported_when_it_is_needed():
    code = "import sys, dovetail_text.datasets as d\nd.PyDoc(); d.lm_blocks([1, 2, 3], 1)\nassert 'datasets' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
