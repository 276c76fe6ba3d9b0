"""The language models on the stand-in for CuPy: the same results, gradients and texts as on the CPU."""

from __future__ import annotations

import numpy as np
import pytest

import dovetail as dv
from dovetail_text.models import GPT, BertConfig, BertForMaskedLM, GPTConfig, SentenceEncoder
from dovetail_text.models.bert import BertModel
from tests.support.cupy_standin import standin  # noqa: F401

BERT = BertConfig(20, 12, 2, 3, 20, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
IDS, MASK = dv.tensor([[1, 2, 3, 4], [5, 6, 7, 0]]), dv.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])
MODELS = {
    "gpt": lambda: GPT(GPTConfig(20, 8, 2, 2, 12)),
    "bert": lambda: BertForMaskedLM(BERT),
    "sentences": lambda: SentenceEncoder(BertModel(BERT)),
}


@pytest.mark.parametrize("name", MODELS)
def test_results_and_gradients(name, standin):
    dv.manual_seed(0)
    found = []
    model = MODELS[name]()
    for device in ("cpu", "cuda"):
        model = model.to(device)
        model.zero_grad()
        ids, mask = IDS.to(device), MASK.to(device)
        out = model(ids, mask) if name == "sentences" else model(ids, mask, labels=ids)
        loss = out.square()[:, 0].sum() if name == "sentences" else out.loss
        loss.backward()
        assert loss.device.type == device
        found.append([loss.item(), *(p.grad.cpu().numpy() for p in model.parameters() if p.grad is not None)])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("use_cache", [True, False])
def test_text(use_cache, standin):
    dv.manual_seed(0)
    model = GPT(GPTConfig(20, 8, 2, 2, 12, initializer_range=0.4)).eval()
    prompts = [[1, 2, 3], [4]]
    want = model.generate(prompts, 8, use_cache=use_cache)
    got = model.to("cuda").generate(prompts, 8, use_cache=use_cache)
    assert got.device.type == "cuda" and got.cpu().tolist() == want.tolist()
    drawn = model.generate(prompts, 4, do_sample=True, top_k=5, top_p=0.9, eos=3)
    assert drawn.device.type == "cuda"
