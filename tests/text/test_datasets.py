"""text/pydoc, blocks, and the datasets of Hugging Face's from local files and a cache; nothing is fetched."""

from __future__ import annotations

import builtins
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import dovetail as dv
from dovetail.errors import FormatError, HashMismatch, TypeMismatch, UnsupportedError, ValueRangeError
from dovetail.utils.data import DataLoader
from dovetail_text.datasets import HFDataset, HFIterableDataset, PyDoc, from_files, hf, lm_blocks
from dovetail_text.datasets import pydoc as module
from dovetail_text.errors import HubError, MissingPackage
from dovetail_text.tokenizers import Char

hub = pytest.importorskip("datasets", reason="the extra hub of dovetail-text")


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


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("files")
    (place / "train.csv").write_text("text,label\nit fits,1\nwell,0\nno,0\n")
    (place / "test.csv").write_text("text,label\na,1\n")
    return place


def rows():
    answers = [{"start": [3], "text": ["a"]}, {"start": [], "text": []}, {"start": [1, 2], "text": ["b", "c"]}]
    columns = {"text": ["it", "fits", "well"], "ids": [[1], [2, 3], []], "pair": [[1, 2], [3, 4], [5, 6]], "label": [0, 1, 0]}
    return hub.Dataset.from_dict({**columns, "score": [0.5, 1.0, 2.0], "tags": [["x"], [], ["y", "z"]], "answers": answers})


def plain(value):
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    return [plain(v) for v in value] if isinstance(value, list) else (value.dtype, value.tolist()) if hasattr(value, "dtype") else value


def test_samples_are_plain_values_and_tensors():
    data = HFDataset(rows())
    one = data[1]
    assert (
        (one["text"], one["label"], one["score"], one["tags"]) == ("fits", 1, 1.0, [])
        and type(one["label"]) is int
        and type(one["score"]) is float
    )
    assert one["ids"].tolist() == [2, 3] and one["ids"].dtype == dv.int64 and data[2]["ids"].shape == (0,)
    assert data[0]["answers"]["start"].tolist() == [3] and data[0]["answers"]["text"] == ["a"]
    assert (
        data[-1]["text"] == data[np.int64(2)]["text"] == "well"
        and data["text"] == ["it", "fits", "well"]
        and data["label"].tolist() == [0, 1, 0]
    )
    assert data[0:2]["text"] == ["it", "fits"] and data[[0, 2]]["pair"].tolist() == [[1, 2], [5, 6]] and len(list(data)) == len(data) == 3
    assert plain(data.__getitems__([2, 0, 1])) == plain([data[2], data[0], data[1]]) == plain([list(data)[i] for i in (2, 0, 1)])
    batch = next(iter(DataLoader(HFDataset(rows(), columns=["label", "pair"]), batch_size=3)))
    assert batch["label"].tolist() == [0, 1, 0] and batch["pair"].shape == (3, 2)
    assert HFDataset(rows(), transform=lambda row: row["text"].upper())[0] == "IT"
    assert HFDataset(rows(), transform=lambda row: row["label"]).__getitems__([1]) == [1]
    assert repr(data).startswith("HFDataset(3 samples of text, ids") and data.features["label"].dtype == "int64"
    with pytest.raises(IndexError, match="HFDataset: index is 3; expected -3 to 2"):
        data[3]
    with pytest.raises(ValueRangeError, match="HFDataset: there is no column 'nope'; expected one of text, ids"):
        data["nope"]
    with pytest.raises(ValueRangeError, match="columns: there is no column 'nope'"):
        HFDataset(rows(), columns=["nope"])
    with pytest.raises(TypeMismatch, match="HFDataset: source is DatasetDict; expected a datasets.Dataset; use hf"):
        HFDataset(hub.DatasetDict())
    with pytest.raises(TypeMismatch, match="HFIterableDataset: source is Dataset"):
        HFIterableDataset(rows())


def test_folders_and_files(folder):
    both = hf(folder)
    assert {key: len(part) for key, part in both.items()} == {"train": 3, "test": 1} and both["train"][0] == {"text": "it fits", "label": 1}
    assert len(hf(folder, split="train[:2]")) == 2
    assert len(from_files(folder / "train.csv")) == 3 and len(from_files([folder / "train.csv", folder / "test.csv"])) == 4
    named = {"train": folder / "train.csv", "valid": [folder / "test.csv"]}
    assert set(from_files(named, split=None)) == {"train", "valid"} and len(from_files(named, split="valid")) == 1
    (folder / "more").mkdir()
    (folder / "more" / "a.tsv").write_text("a\tb\n1\tx\n")
    (folder / "more" / "a.jsonl").write_text('{"ids": [1, 2]}\n{"ids": [3]}\n')
    (folder / "more" / "a.txt").write_text("one\ntwo\n")
    rows().to_parquet(folder / "more" / "a.parquet")
    assert from_files(folder / "more" / "a.tsv")[0] == {"a": 1, "b": "x"}
    assert from_files(folder / "more" / "a.jsonl")[1]["ids"].tolist() == [3] and from_files(folder / "more" / "a.txt")["text"] == [
        "one",
        "two",
    ]
    assert plain(list(from_files(folder / "more" / "a.parquet"))) == plain(list(HFDataset(rows())))
    shutil.copy(folder / "more" / "a.txt", folder / "more" / "lines")
    assert len(from_files(folder / "more" / "lines", format="text", columns=["text"])) == 2


def test_streams(folder):
    stream = hf(folder, split="train", streaming=True)
    assert isinstance(stream, HFIterableDataset) and [row["label"] for row in stream] == [1, 0, 0] == [row["label"] for row in stream]
    assert next(iter(DataLoader(stream, batch_size=2)))["label"].tolist() == [1, 0]
    with pytest.warns(UserWarning, match="num_workers"):
        assert sorted(label for batch in DataLoader(stream, num_workers=2) for label in batch["label"].tolist()) == [0, 0, 1]
        several = from_files([folder / "train.csv"] * 3 + [folder / "test.csv"], streaming=True)
        found = [label for batch in DataLoader(several, num_workers=3) for label in batch["label"].tolist()]
        assert sorted(found) == [0] * 6 + [1] * 4
    shuffled = stream.shuffle(seed=1, buffer_size=3)
    first = [row["text"] for row in shuffled]
    shuffled.set_epoch(1)
    assert sorted(first) == sorted(row["text"] for row in shuffled) and {"it fits", "well", "no"} == set(first)


def test_what_is_wrong_is_typed(folder, tmp_path):
    with pytest.raises(ValueRangeError, match='Unknown split "nope"'):
        hf(folder, split="nope")
    with pytest.raises(ValueRangeError, match="BuilderConfig 'cfg' not found"):
        hf(folder, "cfg")
    with pytest.raises(ValueRangeError, match="hf: path is empty"):
        hf("")
    with pytest.raises(HubError, match="a folder needs files such as train.parquet or test.csv"):
        hf(tmp_path)
    with pytest.raises(
        HubError, match="hf\\('stanfordnlp/imdb'\\): it cannot be opened: .*check the name and the network; once fetched it opens"
    ):
        hf("stanfordnlp/imdb", split="train")
    with pytest.raises(OSError, match="fancyzhx/ag_news"):
        dv.datasets.load("text/ag_news", split="train")
    with pytest.raises(UnsupportedError, match="hf: trust_remote_code is set; code of datasets is not run"):
        hf(folder, trust_remote_code=True)
    (tmp_path / "train.parquet").write_bytes(b"\x00\xff" * 40)
    for options in ({}, {"streaming": True}):
        with pytest.raises(FormatError, match="its files cannot be read"):
            list(hf(tmp_path, split="train", **options))
    for name, data in (("a.jsonl", b'{"a": 1\n{{{'), ("a.txt", b"one\xff\n"), ("a.csv", b"a,b\n1,2,3\n4,5,6,7\n")):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(FormatError, match=f"{name}: its files cannot be read"):
            from_files(tmp_path / name)
    with pytest.raises(FileNotFoundError, match="from_files: there is no file"):
        from_files(tmp_path / "nothing.csv")
    with pytest.raises(ValueRangeError, match="the files end in .csv, .txt; expected one of arrow, csv, json, parquet, text; pass format="):
        from_files([tmp_path / "a.csv", tmp_path / "a.txt"])
    with pytest.raises(ValueRangeError, match="format is 'pickle'; expected one of arrow"):
        from_files(tmp_path / "a.csv", format="pickle")


def test_code_of_datasets_is_not_run(tmp_path):
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "s.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    for path in (tmp_path / "s", tmp_path / "s" / "s.py"):
        with pytest.raises(HubError, match="it cannot be opened"):
            hf(path)
    assert not (tmp_path / "ran").exists()


def test_rows_open_from_a_folder_and_from_a_cache(folder, tmp_path):
    assert dv.datasets.load("text/imdb", root=folder, split="train")[0] == {"text": "it fits", "label": 1}
    assert set(dv.datasets.load("text/imdb", root=folder)) == {"train", "test"}
    with pytest.raises(ValueRangeError, match="it has no split 'nope'; expected one of train, test, unsupervised"):
        dv.datasets.load("text/imdb", root=folder, split="nope")
    # A cache as a machine with a network would have left it.
    cache = tmp_path / "cache"
    hf(folder, cache_dir=str(cache))
    made = next(path for path in cache.iterdir() if path.is_dir())
    for file in list(made.rglob("*.arrow")):
        file.rename(file.with_name(file.name.replace(made.name, "imdb")))
    made.rename(cache / "stanfordnlp___imdb")
    assert dv.datasets.load("text/imdb", root=cache, split="test")[0] == {"text": "a", "label": 1}
    with pytest.raises(HubError, match="rajpurkar/squad"):
        dv.datasets.load("text/squad", root=cache, split="train")


def test_without_the_package(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name in ("datasets", "tokenizers"):
            raise ImportError(f"No module named {name!r}")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingPackage, match=r"hf: the package datasets is not installed; pip install 'dovetail-text\[hub\]'"):
        dv.datasets.load("text/ag_news", split="train")
    from dovetail_text.tokenizers import train_bpe

    with pytest.raises(ImportError, match="HFTokenizer: the package tokenizers is not installed; pip install tokenizers"):
        train_bpe(["a"], 300)


def test_the_package_is_imported_when_it_is_needed():
    code = "import sys, dovetail_text.datasets as d\nd.PyDoc(); d.lm_blocks([1, 2, 3], 1)\nassert 'datasets' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
