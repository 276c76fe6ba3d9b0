"""Datasets of Hugging Face's from local files and from a cache; nothing is fetched."""

from __future__ import annotations

import builtins
import copy
import shutil

import numpy as np
import pytest

import dovetail as dv
from dovetail.errors import FormatError, TypeMismatch, UnsupportedError, ValueRangeError
from dovetail.utils.data import DataLoader
from dovetail_text.data import DataCollatorWithPadding
from dovetail_text.datasets import HFDataset, HFIterableDataset, from_files, hf
from dovetail_text.errors import HubError, MissingPackage
from dovetail_text.tokenizers import train_bpe

hub = pytest.importorskip("datasets", reason="the extra hub of dovetail-text")


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


def test_a_tokenizer_maps_a_dataset():
    from datasets.fingerprint import Hasher

    tokenizer = train_bpe(["it fits well"] * 3, 270, special_tokens=["<pad>"])
    source = rows().select_columns(["text", "label"])
    before = Hasher.hash(tokenizer)
    mapped = source.map(lambda batch: tokenizer(batch["text"]), batched=True)
    assert Hasher.hash(tokenizer) == before == Hasher.hash(copy.deepcopy(tokenizer))  # so that what an earlier run kept is found
    data = HFDataset(mapped, columns=["input_ids", "attention_mask", "label"])
    assert data[1]["input_ids"].tolist() == tokenizer("fits").input_ids
    batch = next(iter(DataLoader(data, batch_size=3, collate_fn=DataCollatorWithPadding(tokenizer))))
    assert batch["labels"].tolist() == [0, 1, 0] and batch["input_ids"].shape == batch["attention_mask"].shape
    assert tokenizer(source["text"]) == tokenizer(["it", "fits", "well"])


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


@pytest.mark.filterwarnings("ignore:This DataLoader will create 3")
def test_streams(folder):
    stream = hf(folder, split="train", streaming=True)
    assert isinstance(stream, HFIterableDataset) and [row["label"] for row in stream] == [1, 0, 0] == [row["label"] for row in stream]
    assert next(iter(DataLoader(stream, batch_size=2)))["label"].tolist() == [1, 0]
    assert sorted(label for batch in DataLoader(stream, num_workers=2) for label in batch["label"].tolist()) == [0, 0, 1]
    several = from_files([folder / "train.csv"] * 3 + [folder / "test.csv"], streaming=True)
    for count in (2, 3):
        found = [label for batch in DataLoader(several, num_workers=count) for label in batch["label"].tolist()]
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
