"""Another number of words, beside transformers: the same rows stay, and new ones are where theirs are."""

from __future__ import annotations

import numpy as np
import pytest

import dovetail as dv
from tests.parity.test_text_generation import FAMILIES
from tests.parity.text_pairs import close, pair, torch

pytestmark = pytest.mark.parity

BERT = dict(vocab_size=40, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=20)
KINDS = {
    **FAMILIES,
    "bert": ("BertForMaskedLM", "BertConfig", BERT),
    "roberta": ("RobertaForMaskedLM", "RobertaConfig", BERT),
    "distilbert": ("DistilBertForMaskedLM", "DistilBertConfig", dict(vocab_size=40, dim=16, n_layers=1, n_heads=2, hidden_dim=20)),
    "own-head": ("BertForMaskedLM", "BertConfig", {**BERT, "tie_word_embeddings": False}),
    "encoder": ("BertModel", "BertConfig", BERT),
}


@pytest.mark.parametrize("name", KINDS)
def test_more_words_and_fewer(name, tmp_path):
    kind, config, fields = KINDS[name]
    two = pair(tmp_path, kind, config, **fields)
    for asked in ({"new_num_tokens": 50}, {"new_num_tokens": 51, "pad_to_multiple_of": 16}, {"new_num_tokens": 20}, {}):
        ours, theirs = (model.resize_token_embeddings(**asked) for model in two)
        assert ours.num_embeddings == theirs.num_embeddings
        assert two[0].config.vocab_size == two[1].config.vocab_size == theirs.num_embeddings
        close(ours.weight, theirs.weight, atol=2e-4)  # new rows are drawn, within some 3e-5 of the mean
        heads = [model.get_output_embeddings() for model in two]
        assert (heads[0] is None) == (heads[1] is None)
        if heads[0] is not None:
            close(heads[0].weight, heads[1].weight, atol=2e-4)
            shared = [head.weight is model.get_input_embeddings().weight for head, model in zip(heads, two, strict=True)]
            assert shared[0] == shared[1]
        ids = np.array([[3, 4, 19, 7]])
        more = {"decoder_input_ids": ids} if name == "t5" else {}
        got = two[0](dv.from_numpy(ids), **{k: dv.from_numpy(a) for k, a in more.items()})
        want = two[1](torch.from_numpy(ids), **{k: torch.from_numpy(a) for k, a in more.items()})
        close(got[0], want[0], atol=1e-3)
