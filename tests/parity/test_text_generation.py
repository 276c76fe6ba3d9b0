"""generate beside that of Hugging Face transformers: the same tokens, greedy, by beams, drawn by the same seed."""

from __future__ import annotations

import numpy as np
import pytest

import dovetail as dv
from dovetail_text.generation import choose
from tests.parity.test_text_decoders import GPT2, SIZES
from tests.parity.test_text_t5 import KINDS
from tests.parity.text_pairs import IDS, MASK, pair, torch, transformers

pytestmark = pytest.mark.parity

END = 7
FAMILIES = {
    "gpt2": ("GPT2LMHeadModel", "GPT2Config", {**GPT2, "pad_token_id": 1, "eos_token_id": END}),
    "llama": ("LlamaForCausalLM", "LlamaConfig", {**SIZES, "pad_token_id": 1, "eos_token_id": [END, 9]}),
    "t5": ("T5ForConditionalGeneration", "T5Config", {**KINDS["flan"], "num_decoder_layers": 2, "pad_token_id": 1, "eos_token_id": END}),
}
WAYS = {
    "greedy": {},
    "penalty": {"repetition_penalty": 1.7},
    "beams": {"num_beams": 3},
    "beams-long": {"num_beams": 4, "length_penalty": 2.0, "num_return_sequences": 2},
    "beams-short": {"num_beams": 4, "length_penalty": -1.0, "early_stopping": True, "num_return_sequences": 4},
    "beams-never": {"num_beams": 2, "early_stopping": "never", "repetition_penalty": 1.3},
    "one-beam-more": {"num_beams": 5, "early_stopping": True},
}
DRAWN = {
    "plain": {},
    "cooled": {"temperature": 0.6, "repetition_penalty": 1.2},
    "top": {"top_k": 6, "top_p": 0.8, "num_return_sequences": 3},
}


@pytest.fixture(scope="module", params=FAMILIES)
def models(request, tmp_path_factory):
    name, config, fields = FAMILIES[request.param]
    ours, theirs = pair(tmp_path_factory.mktemp(request.param), name, config, **fields)
    with torch.no_grad(), dv.no_grad():  # flat enough that texts end at different places
        for model in (ours, theirs):
            model.lm_head.weight.mul_(0.3)
    return ours, theirs


def _texts(models, ids=IDS, mask=None, new=14, **options):
    ours, theirs = models
    masks = {} if mask is None else {"attention_mask": np.ascontiguousarray(mask)}
    want = theirs.generate(
        torch.from_numpy(ids), **{k: torch.from_numpy(a) for k, a in masks.items()}, max_new_tokens=new, **{"do_sample": False, **options}
    )
    got = ours.generate(dv.from_numpy(ids), new, **{k: dv.from_numpy(a) for k, a in masks.items()}, **options)
    np.testing.assert_array_equal(got.numpy(), want.numpy())
    return got


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("use_cache", [True, False])
def test_the_likeliest_text(models, way, use_cache):
    for ids, mask in ((IDS, None), (IDS, MASK[:, ::-1]), (IDS[:1, :4], None)):
        _texts(models, ids, mask, **WAYS[way], use_cache=use_cache)


def test_a_text_ends_and_others_go_on(models):
    free = models[0].generate(dv.from_numpy(IDS), 14, eos=(), repetition_penalty=1.3).numpy()[:, -14:]
    for end in {int(free[0, 3]), int(free[1, 5]), int(free[2, 8])}:
        for way in ({}, {"num_beams": 3, "num_return_sequences": 3}):
            found = _texts(models, repetition_penalty=1.3, eos_token_id=end, **way).numpy()
            assert (found[:, 1 if hasattr(models[0], "encode") else 9 :] == end).any()


@pytest.mark.parametrize("way", DRAWN)
def test_drawn_text_by_the_same_seed(models, way):
    options = {"top_k": 0, **DRAWN[way]}
    torch.manual_seed(5)
    want = models[1].generate(torch.from_numpy(IDS), max_new_tokens=10, do_sample=True, **options)
    dv.manual_seed(5)
    options["top_k"] = options["top_k"] or None
    got = models[0].generate(dv.from_numpy(IDS), 10, do_sample=True, **options)
    np.testing.assert_array_equal(got.numpy(), want.numpy())


def test_beams_in_double_precision(tmp_path):
    name, config, fields = FAMILIES["llama"]
    ours, theirs = pair(tmp_path, name, config, **fields)
    _texts((ours.double(), theirs.double()), num_beams=3)


def test_the_warpers_are_theirs():
    scores = np.random.default_rng(3).normal(size=(64, 40)).astype("float32") * 3
    process = transformers.LogitsProcessorList(
        [transformers.TemperatureLogitsWarper(0.7), transformers.TopKLogitsWarper(12), transformers.TopPLogitsWarper(0.7)]
    )
    torch.manual_seed(1)
    want = torch.multinomial(process(None, torch.from_numpy(scores)).softmax(-1), 1)[:, 0]
    dv.manual_seed(1)
    np.testing.assert_array_equal(choose(dv.from_numpy(scores), 0.7, 12, 0.7).numpy(), want.numpy())
