"""T5 beside Hugging Face transformers: ranges of distances, folders, results, gradients, texts."""

from __future__ import annotations

import numpy as np
import pytest

import dovetail as dv
from dovetail_text import models
from dovetail_text.models.relative import buckets
from tests.parity.text_pairs import IDS, LABELS, MASK, both, close, pair, same_gradients, torch, transformers

pytestmark = pytest.mark.parity

T5 = dict(
    vocab_size=30, d_model=24, d_kv=8, d_ff=40, num_layers=2, num_heads=4, relative_attention_num_buckets=8,
    relative_attention_max_distance=12, decoder_start_token_id=0, eos_token_id=None,
)  # fmt: skip
KINDS = {
    "t5": T5,
    "flan": {**T5, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False, "num_decoder_layers": 3},
    "silu": {**T5, "feed_forward_proj": "gated-silu"},
}


def _pair(tmp_path, kind, name="T5ForConditionalGeneration"):
    return pair(tmp_path, name, "T5Config", **KINDS[kind])


@pytest.mark.parametrize("both_ways", [True, False])
@pytest.mark.parametrize(("count", "longest"), [(32, 128), (8, 12), (64, 256)])
def test_ranges_of_distances(both_ways, count, longest):
    from transformers.models.t5.modeling_t5 import T5Attention

    distance = np.arange(-700, 700)
    want = T5Attention._relative_position_bucket(torch.from_numpy(distance), both_ways, count, longest)
    np.testing.assert_array_equal(buckets(dv.from_numpy(distance), both_ways, count, longest).numpy(), want.numpy())


@pytest.mark.parametrize("kind", KINDS)
def test_results_and_gradients(kind, tmp_path):
    ours, theirs = _pair(tmp_path, kind)
    asked = LABELS[:, :7].copy()
    asked[:, 0] = 5
    for mask in (None, MASK):
        got, want = both(ours, theirs, input_ids=IDS, labels=asked, **({} if mask is None else {"attention_mask": mask}))
        close(got.loss, want.loss)
        close(got.logits, want.logits)
        close(got.encoder_last_hidden_state, want.encoder_last_hidden_state)
    got.loss.backward()
    want.loss.backward()
    same_gradients(ours, theirs)
    mask = np.array([[1] * 4, [1, 1, 1, 0], [1] * 4])
    got, want = both(ours, theirs, input_ids=IDS, decoder_input_ids=IDS[:, :4], decoder_attention_mask=mask)
    close(got.logits, want.logits, keep=mask.astype(bool))


def test_in_double_precision(tmp_path):
    ours, theirs = _pair(tmp_path, "flan")
    got, want = both(ours.double(), theirs.double(), input_ids=IDS, attention_mask=MASK, labels=LABELS)
    close(got.logits, want.logits, atol=1e-5)  # theirs computes norms in single precision
    got.loss.backward()
    want.loss.backward()
    same_gradients(ours, theirs, atol=1e-5)


def test_encoders_and_models_without_a_head(tmp_path):
    _, whole = _pair(tmp_path / "whole", "flan")
    for name in ("T5EncoderModel", "T5Model"):
        ours, theirs = _pair(tmp_path / name, "flan", name)
        more = {} if name == "T5EncoderModel" else {"decoder_input_ids": IDS[:, :4]}
        got, want = both(ours, theirs, input_ids=IDS, attention_mask=MASK, output_hidden_states=True, **more)
        close(got.last_hidden_state, want.last_hidden_state)
        for key in (key for key in want if key.endswith("hidden_states")):
            for a, b in zip(got[key], want[key], strict=True):
                close(a, b)
    encoder = models.T5EncoderModel.from_pretrained(tmp_path / "whole")
    got, want = both(encoder, whole.encoder, input_ids=IDS)
    close(got.last_hidden_state, want.last_hidden_state)


@pytest.mark.parametrize("kind", KINDS)
def test_folders_go_back(kind, tmp_path):
    ours, _ = _pair(tmp_path / "theirs", kind)
    if kind == "flan":  # FLAN-T5's files have a head that is not the table of words
        ours.lm_head.weight = dv.nn.Parameter(ours.lm_head.weight.detach() * 0.5 + 0.01)
    ours.save_pretrained(tmp_path / "ours")
    again = models.T5ForConditionalGeneration.from_pretrained(tmp_path / "ours")
    yours, info = transformers.T5ForConditionalGeneration.from_pretrained(tmp_path / "ours", output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"]
    for mine in (ours, again):
        got, want = both(mine, yours.eval(), input_ids=IDS, labels=LABELS)
        close(got.logits, want.logits)
    assert (again.lm_head.weight is again.shared.weight) == (kind != "flan")
