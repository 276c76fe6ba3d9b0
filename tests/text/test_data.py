"""Collators, the bucket sampler, and torchtext's small tools; see tests/parity/test_text.py for the draws of transformers."""

from __future__ import annotations

import os

import pytest

import dovetail as dv
from dovetail.utils.data import DataLoader, default_collate
from dovetail_text import data
from dovetail_text.data import BucketBatchSampler, DataCollatorForLanguageModeling, DataCollatorWithPadding, PadCollator
from dovetail_text.data.collate import pad_features
from dovetail_text.tokenizers import Char, Encoding, train_wordpiece

TEXTS = ["it fits", "a", "", "fits"]


@pytest.fixture(scope="module")
def chars():
    return Char.from_text("_", *TEXTS, pad="_")


def test_a_data_loader_pads_encodings(chars):
    samples = [(chars.encode(text), at) for at, text in enumerate(TEXTS)]
    batches = list(DataLoader(samples, batch_size=2))
    inputs, numbers = batches[0]
    assert set(inputs) == {"input_ids", "attention_mask"} and numbers.tolist() == [0, 1]
    assert inputs["input_ids"].shape == (2, 7) and inputs["input_ids"][1].tolist() == [chars.token_to_id("a")] + [chars.pad_token_id] * 6
    assert inputs["attention_mask"].tolist() == [[1] * 7, [1] + [0] * 6] and inputs["input_ids"].dtype == dv.int64
    assert default_collate([{"x": chars.encode("a"), "y": 1}] * 2)["x"]["input_ids"].tolist() == [[2], [2]]
    assert default_collate(chars.encode_batch(["", ""]))["input_ids"].shape == (2, 0)
    typed = [Encoding([1, 2], type_ids=[0, 1]), Encoding([3])]
    assert default_collate(typed)["token_type_ids"].tolist() == [[0, 1], [0, 0]] and typed[0].features()["token_type_ids"] == [0, 1]


def test_pad_collator(chars):
    collate = PadCollator(9, padding_side="left", pad_to_multiple_of=4)
    batch = collate([{"input_ids": [1, 2, 3], "labels": [4, 5, 6]}, {"input_ids": dv.tensor([1]), "labels": [7]}])
    assert batch["input_ids"].tolist() == [[9, 1, 2, 3], [9, 9, 9, 1]] and batch["labels"].tolist() == [[-100, 4, 5, 6], [-100] * 3 + [7]]
    assert batch["attention_mask"].tolist() == [[0, 1, 1, 1], [0, 0, 0, 1]]
    assert PadCollator()([[1, 2], [3]])["input_ids"].tolist() == [[1, 2], [3, 0]]
    assert PadCollator(padding="max_length", max_length=3)([[1]])["input_ids"].tolist() == [[1, 0, 0]]
    one, two = PadCollator()([(chars.encode("it"), "name"), (chars.encode("a"), "other")])
    assert one["input_ids"].shape == (2, 2) and list(two) == ["name", "other"]
    more = PadCollator(fills={"tags": 7})([{"input_ids": [1, 2], "tags": [1, 1], "id": "x"}, {"input_ids": [1], "tags": [2], "id": "y"}])
    assert more["tags"].tolist() == [[1, 1], [2, 7]] and more["id"] == ["x", "y"]
    floats = PadCollator()([{"input_ids": [1], "score": 0.5}, {"input_ids": [2], "score": 1.5}])
    assert floats["score"].dtype == dv.float32 and floats["score"].tolist() == [0.5, 1.5]


def test_pad_features_takes_what_tokenizers_give(chars):
    assert pad_features({"input_ids": [[1], [1, 2]]})["input_ids"] == [[1, 0], [1, 2]]
    assert pad_features([[1], [1, 2]], padding=False)["attention_mask"] == [[1], [1, 1]]
    assert chars.pad(chars.encode_batch(["it", "a"]), return_tensors="np")["input_ids"].shape == (2, 2)
    with pytest.raises(ValueError, match="pad: there are no samples"):
        pad_features([])
    with pytest.raises(ValueError, match="pad: the samples have labels; expected 'input_ids' among it"):
        pad_features([{"labels": 1}])
    with pytest.raises(ValueError, match="pad: sample 1 has input_ids; sample 0 has input_ids, labels"):
        pad_features([{"input_ids": [1], "labels": 1}, {"input_ids": [1]}])
    with pytest.raises(ValueError, match="return_tensors: tags has rows of unequal length"):
        pad_features([{"input_ids": [1, 2], "tags": [1, 2]}, {"input_ids": [1], "tags": [1]}], return_tensors="pt")


def test_collator_with_padding(chars):
    batch = DataCollatorWithPadding(chars)([{"input_ids": [1, 2], "label_ids": 0}, {"input_ids": [1], "label_ids": 1}])
    assert batch["labels"].tolist() == [0, 1] and "label_ids" not in batch and batch["input_ids"][1, 1] == chars.pad_token_id


def test_language_model_collators(chars):
    causal = DataCollatorForLanguageModeling(chars, mlm=False)(chars.encode_batch(["it fits", "a"]))
    assert (causal["labels"] == -100).tolist()[1] == [False] + [True] * 6 and (causal["labels"][0] == causal["input_ids"][0]).all()
    tokenizer = train_wordpiece(["it fits well, it fits"] * 3, 60)
    rows = [tokenizer("it fits well " * 30).input_ids] * 8
    batch = DataCollatorForLanguageModeling(tokenizer, mlm_probability=0.5, seed=0)(rows)
    true = dv.tensor(rows)
    chosen = batch["labels"] != -100
    assert 0.4 < chosen.float().mean() < 0.6 and not chosen[:, 0].any() and not chosen[:, -1].any()
    assert (batch["labels"][chosen] == true[chosen]).all() and (batch["input_ids"][~chosen] == true[~chosen]).all()
    hidden = (batch["input_ids"][chosen] == tokenizer.mask_token_id).float().mean()
    assert 0.7 < hidden < 0.9
    again = DataCollatorForLanguageModeling(tokenizer, mlm_probability=0.5, seed=0)(rows)
    assert (again["input_ids"] == batch["input_ids"]).all()
    with pytest.raises(ValueError, match="DataCollatorForLanguageModeling: the tokenizer has no mask token; mlm needs one; pass mlm=False"):
        DataCollatorForLanguageModeling(chars)
    for options in ({"mlm_probability": 1.5}, {"mask_replace_prob": 0.9, "random_replace_prob": 0.2}, {"mask_replace_prob": -0.1}):
        with pytest.raises(ValueError, match="expected 0 to 1"):
            DataCollatorForLanguageModeling(tokenizer, **options)
    with pytest.raises(ValueError, match="return_tensors is 'np'; expected 'pt' or 'dv'"):
        DataCollatorForLanguageModeling(tokenizer, return_tensors="np")
    with pytest.raises(TypeError, match="a sample is int; expected lists or dicts"):
        DataCollatorForLanguageModeling(tokenizer)([1, 2])


def test_buckets():
    lengths = [(i * 37) % 100 for i in range(1000)]
    sampler = BucketBatchSampler(lengths, 16, bucket_size_multiplier=10, generator=dv.Generator().manual_seed(0))
    batches = list(sampler)
    assert sorted(i for batch in batches for i in batch) == list(range(1000)) and len(batches) == len(sampler) == 63
    waste = sum(max(lengths[i] for i in b) * len(b) for b in batches) / sum(lengths)
    assert waste < 1.12  # a random order wastes 1.9
    first = [lengths[b[0]] for b in batches]
    assert first != sorted(first) and list(sampler) != batches
    again = BucketBatchSampler(lengths, 16, bucket_size_multiplier=10, generator=dv.Generator().manual_seed(0))
    assert list(again) == batches
    dv.manual_seed(3)
    one = list(BucketBatchSampler(lengths, 7, drop_last=True))
    dv.manual_seed(3)
    assert list(BucketBatchSampler(lengths, 7, drop_last=True)) == one and {len(b) for b in one} == {7} and len(one) == 142


def test_buckets_of_a_dataset(chars):
    encodings = chars.encode_batch(TEXTS)
    sampler = BucketBatchSampler(encodings, 2, shuffle=False)
    assert [[len(encodings[i]) for i in batch] for batch in sampler] == [[0, 1], [4, 7]]
    loader = DataLoader(encodings, batch_sampler=sampler)
    assert [batch["input_ids"].shape for batch in loader] == [(2, 1), (2, 7)]
    assert len(BucketBatchSampler(dv.tensor([3, 1, 2]), 2)) == 2 and len(BucketBatchSampler([3, 1, 2], 2, drop_last=True)) == 1
    assert list(BucketBatchSampler([("ab", 0), ("c", 1)], 1, shuffle=False, key=lambda row: len(row[0]))) == [[1], [0]]
    for wrong in (0, True, 2.0):
        with pytest.raises(ValueError, match="BucketBatchSampler: batch_size is .*; expected a whole number, 1 or more"):
            BucketBatchSampler([1], wrong)
    with pytest.raises(TypeError, match="BucketBatchSampler: sample 0 is NoneType and has no length"):
        BucketBatchSampler([None], 1)


def test_torchtexts_tools():
    assert list(data.ngrams_iterator(["here", "we", "are"], 3)) == ["here", "we", "are", "here we", "we are", "here we are"]
    assert list(data.ngrams_iterator(["here"], 0)) == ["here"] and data.interleave_keys(3, 9) == 75
    assert list(data.custom_replace([("S", "s"), (r"\s+", " ")])(["aS  b"])) == ["as b"]
    assert list(data.simple_space_split(["a b", ""])) == [["a", "b"], []]
    ids = data.numericalize_tokens_from_iterator({"a": 0, "b": 1}, [["a", "b"], ["b"]], removed_tokens=["a"])
    assert [list(row) for row in ids] == [[1], [1]]
    rows = data.to_map_style_dataset(iter("abc"))
    assert (len(rows), rows[1], rows[-1]) == (3, "b", "c")
    assert data.get_tokenizer("basic_english")("It fits!") == ["it", "fits", "!"]


def test_bleu():
    """Numbers of torchtext 0.18.0."""
    corpus = [["My", "full", "pytorch", "test"], ["Another", "Sentence"]]
    references = [[["My", "full", "pytorch", "test"], ["Completely", "Different"]], [["No", "Match"]]]
    assert data.bleu_score(corpus, references) == 0.8408964276313782
    assert data.bleu_score([list("abcde")], [[list("abcdf"), list("ab")]]) == 0.6687402725219727
    assert data.bleu_score([list("abc")], [[list("abcd")]], max_n=2, weights=[0.5, 0.5]) == 0.7165313105737893
    assert data.bleu_score([["a"]], [[["b"]]]) == 0.0
    with pytest.raises(AssertionError, match='Length of the "weights" list has be equal to max_n; got 4 and 3'):
        data.bleu_score([["a"]], [[["b"]]], max_n=3)
    with pytest.raises(AssertionError, match="The length of candidate and reference corpus should be the same"):
        data.bleu_score([["a"]], [])


def test_tokenizers_of_worker_processes_are_told_to_use_one_thread(monkeypatch):

    class Asks:
        def __len__(self):
            return 2

        def __getitem__(self, index):
            return os.environ.get("TOKENIZERS_PARALLELISM")

    monkeypatch.delenv("TOKENIZERS_PARALLELISM", raising=False)
    assert list(DataLoader(Asks(), batch_size=None, num_workers=2)) == ["false", "false"]
    assert "TOKENIZERS_PARALLELISM" not in os.environ
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "true")  # who says so himself has it
    assert list(DataLoader(Asks(), batch_size=None, num_workers=1)) == ["true", "true"]


def test_samples_end_to_end():
    flat = data.DataCollatorWithFlattening()
    batch = flat([{"input_ids": [5, 6, 7]}, {"input_ids": dv.tensor([8, 9])}])
    assert {name: t.tolist() for name, t in batch.items()} == {
        "input_ids": [[5, 6, 7, 8, 9]], "labels": [[-100, 6, 7, -100, 9]], "position_ids": [[0, 1, 2, 0, 1]],
    }  # fmt: skip
    batch = data.DataCollatorWithFlattening(False, -1)([{"input_ids": [5, 6], "labels": [1, -100]}, {"input_ids": [7], "labels": [2]}])
    assert list(batch) == ["input_ids", "labels"] and batch["labels"].tolist() == [[-1, -100, -1]]
    assert flat([[1, 2], Char("abc").encode("ca")])["input_ids"].tolist() == [[1, 2, 2, 0]]
    with pytest.raises(ValueError, match="a sample has 2 tokens and 1 labels; expected as many"):
        flat([{"input_ids": [5, 6], "labels": [1]}])
    for bad, what in (([], "is empty"), ("ab", "is str"), (3, "is int")):
        with pytest.raises(TypeError, match=f"a sample {what}; expected a list of numbers"):
            flat([bad])


def test_packed_for_a_recurrent_layer():
    table, lstm = dv.nn.Embedding(10, 4), dv.nn.LSTM(4, 3, batch_first=True)
    samples = [([5, 6], 1), ([7, 8, 9], 0), ([1], 1)]
    packed, labels = next(iter(DataLoader(samples, batch_size=3, collate_fn=data.PackCollator())))
    last = lstm(packed._replace(data=table(packed.data)))[1][0][0]
    alone = [lstm(table(dv.tensor([ids])))[0][0, -1] for ids, _ in samples]
    assert dv.allclose(last, dv.stack(alone), atol=1e-6) and labels.tolist() == [1, 0, 1]
    assert data.PackCollator()([{"input_ids": [1]}, {"input_ids": [2, 3]}]).data.tolist() == [2, 1, 3]
