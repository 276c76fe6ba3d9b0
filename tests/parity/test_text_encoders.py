"""RoBERTa, XLM-RoBERTa and DistilBERT beside Hugging Face transformers: folders, results, gradients."""

from __future__ import annotations

import numpy as np
import pytest

import dovetail as dv
from dovetail_text import models
from tests.parity.text_pairs import IDS, LABELS, MASK, RNG, both, close, pair, same_gradients, transformers

pytestmark = pytest.mark.parity

ROBERTA = dict(
    vocab_size=30, hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=48, max_position_embeddings=16,
    initializer_range=0.3, type_vocab_size=2, pad_token_id=1,
)  # fmt: skip
DISTIL = dict(vocab_size=30, dim=24, n_layers=2, n_heads=3, hidden_dim=48, max_position_embeddings=16, initializer_range=0.3)
FAMILIES = {"Roberta": ROBERTA, "XLMRoberta": ROBERTA, "DistilBert": DISTIL}
NAMES = [(family, head) for family in FAMILIES for head in ("Model", "ForMaskedLM", "ForSequenceClassification")]
PADDED = np.where(MASK, IDS, 1)


def _pair(tmp_path, family, head, **more):
    more = {"num_labels": 3, **more} if head == "ForSequenceClassification" else more
    return pair(tmp_path, family + head, f"{family}Config", **FAMILIES[family], **more)


def _asked(head):
    if head == "ForMaskedLM":
        return {"labels": LABELS}
    return {"labels": np.array([0, 2, 1])} if head == "ForSequenceClassification" else {}


@pytest.mark.parametrize(("family", "head"), NAMES)
def test_results_and_gradients(family, head, tmp_path):
    ours, theirs = _pair(tmp_path, family, head)
    for ids, mask in ((IDS, None), (PADDED, MASK)):
        got, want = both(ours, theirs, input_ids=ids, **_asked(head), **({} if mask is None else {"attention_mask": mask}))
        assert list(got) == list(want)
        for key in want:
            close(got[key], want[key])
    for out in (got, want):
        (out.loss if "loss" in out else out.last_hidden_state.square().mean()).backward()
    same_gradients(ours, theirs)


@pytest.mark.parametrize(("family", "head"), [("Roberta", "ForSequenceClassification"), ("DistilBert", "ForMaskedLM")])
def test_in_double_precision(family, head, tmp_path):
    ours, theirs = _pair(tmp_path, family, head)
    got, want = both(ours.double(), theirs.double(), input_ids=PADDED, attention_mask=MASK, **_asked(head))
    close(got.logits, want.logits, atol=1e-12)
    got.loss.backward()
    want.loss.backward()
    same_gradients(ours, theirs, atol=1e-12)


@pytest.mark.parametrize(("family", "head"), NAMES)
def test_folders_go_back(family, head, tmp_path):
    ours, _ = _pair(tmp_path / "theirs", family, head)
    ours.save_pretrained(tmp_path / "ours")
    yours, info = getattr(transformers, family + head).from_pretrained(tmp_path / "ours", output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"]
    got, want = both(ours, yours.eval(), input_ids=IDS)
    close(got[0], want[0])


@pytest.mark.parametrize("family", ["Roberta", "DistilBert"])
def test_positions_embeddings_and_tuples(family, tmp_path):
    ours, theirs = _pair(tmp_path, family, "Model")
    words = RNG.random((2, 5, 24)).astype("float32")
    for given in ({"input_ids": IDS, "position_ids": IDS[:, ::-1] % 16}, {"inputs_embeds": words}):
        got, want = both(ours, theirs, **given)
        close(got.last_hidden_state, want.last_hidden_state)
    got, want = both(ours, theirs, input_ids=IDS, output_hidden_states=True)
    for a, b in zip(got.hidden_states, want.hidden_states, strict=True):
        close(a, b)
    assert isinstance(ours(dv.from_numpy(IDS), return_dict=False), tuple)


def test_types_of_tokens(tmp_path):
    ours, theirs = _pair(tmp_path, "Roberta", "ForSequenceClassification")
    got, want = both(ours, theirs, input_ids=IDS, token_type_ids=np.array([[0] * 4 + [1] * 5] * 3))
    close(got.logits, want.logits)


def test_a_new_head_on_a_base_model(tmp_path):
    for family in ("Roberta", "DistilBert"):
        _pair(tmp_path / family, family, "Model")
        with pytest.warns(UserWarning) as seen:
            model = getattr(models, f"{family}ForSequenceClassification").from_pretrained(tmp_path / family, num_labels=4)
        assert "are not in the folder and start untrained" in str(seen[0].message)
        assert model(dv.from_numpy(IDS)).logits.shape == (3, 4)
