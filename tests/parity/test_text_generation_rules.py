"""Rules of generate beside those of Hugging Face transformers: the same tokens for each, and the settings of generation_config.json."""

from __future__ import annotations

import json

import numpy as np
import pytest

import dovetail as dv
from dovetail_text import models
from dovetail_text.generation import GenerationConfig
from tests.parity.test_text_generation import END, FAMILIES
from tests.parity.test_text_generation import models as models_  # noqa: F401 - a fixture
from tests.parity.text_pairs import IDS, MASK, pair, torch, transformers

pytestmark = pytest.mark.parity

RULES = {
    "min-new": {"min_new_tokens": 6}, "min-length": {"min_length": 12}, "no-pairs": {"no_repeat_ngram_size": 2},
    "no-token-twice": {"no_repeat_ngram_size": 1}, "no-triples": {"no_repeat_ngram_size": 3, "repetition_penalty": 1.1},
    "not-the-prompt's": {"encoder_no_repeat_ngram_size": 2}, "like-the-prompt": {"encoder_repetition_penalty": 1.5},
    "bad-words": {"bad_words_ids": [[5], [11, 12], [3, 4, 5], [END], [20], [21, 22]]},
    "bias": {"sequence_bias": [[[5], 2.0], [[11], -3.5], [[8, 9], 4.0]]}, "suppressed": {"suppress_tokens": [4, 9, 13, 21, 25]},
    "begin": {"begin_suppress_tokens": list(range(10))}, "forced-end": {"forced_eos_token_id": END, "min_new_tokens": 4},
    "hurry": {"exponential_decay_length_penalty": (2, 1.4)}, "normal": {"renormalize_logits": True, "remove_invalid_values": True},
    "many": {"min_new_tokens": 3, "no_repeat_ngram_size": 2, "bad_words_ids": [[6], [7, 8]], "repetition_penalty": 1.4},
}  # fmt: skip
SEARCHES = {
    "greedy": {},
    "beams": {"num_beams": 3, "num_return_sequences": 2, "length_penalty": 0.6},
    "early": {"num_beams": 4, "early_stopping": True},
}
STEPS = [{"no_repeat_ngram_size": 2}, {"num_beams": 3, "num_return_sequences": 2}, {"do_sample": True, "top_k": 5}]
DRAWN = {
    "min-p": {"min_p": 0.2}, "typical": {"typical_p": 0.7}, "epsilon": {"epsilon_cutoff": 0.05}, "eta": {"eta_cutoff": 0.3},
    "all": {"top_k": 12, "top_p": 0.9, "min_p": 0.05, "typical_p": 0.95, "epsilon_cutoff": 0.01, "eta_cutoff": 0.02, "temperature": 0.8},
    "ruled": {"no_repeat_ngram_size": 2, "min_new_tokens": 5, "bad_words_ids": [[5]], "renormalize_logits": True},
    "beams": {"num_beams": 3}, "beams-top": {"num_beams": 4, "num_return_sequences": 3, "top_k": 3, "top_p": 0.5, "temperature": 1.5},
    "beams-one-left": {"num_beams": 2, "top_k": 1, "min_p": 0.9},
}  # fmt: skip


def _inputs(kind, mask=None):
    make = dv.from_numpy if kind is dv else torch.from_numpy
    return {"input_ids": make(IDS)} | ({} if mask is None else {"attention_mask": make(np.ascontiguousarray(mask))})


def _both(models_, mask=None, seed=None, new=12, **options):
    found, options = [], ({} if new is None else {"max_new_tokens": new}) | options
    for model, kind in zip(models_, (dv, torch), strict=True):
        if seed is not None:
            kind.manual_seed(seed)
        found.append(model.generate(**_inputs(kind, mask), **options))
    return found


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("search", SEARCHES)
def test_the_same_tokens_by_each_rule(models_, rule, search):
    for mask in (None, MASK[:, ::-1]):
        got, want = _both(models_, mask, **RULES[rule], **SEARCHES[search])
        np.testing.assert_array_equal(got.numpy(), want.numpy())


def test_a_rule_changes_what_is_said(models_):
    """So that the test above compares more than texts that no rule has touched."""
    plain = _both(models_)[0].tolist()
    touched = [rule for rule in RULES if _both(models_, **RULES[rule])[0].tolist() != plain]
    assert len(touched) > len(RULES) // 2, touched


@pytest.mark.parametrize("way", DRAWN)
def test_the_same_draws_by_the_same_seed(models_, way):
    for seed in range(3):
        got, want = _both(models_, seed=seed, do_sample=True, **{"top_k": 0, **DRAWN[way]})
        np.testing.assert_array_equal(got.numpy(), want.numpy())


def test_functions_of_ones_own(models_):
    def allowed(row, text):
        return [4, 5, 6, 7 + row, 10 + int(text[-1]) % 3]

    def shorter(kind):
        return [lambda ids, scores, **_: kind.tensor([len(set(row)) > 12 for row in ids.tolist()])]

    def processor(kind):
        return [lambda ids, scores: scores - 0.5 * kind.arange(scores.shape[1])]

    for options in ({}, {"num_beams": 3, "num_return_sequences": 3}):
        got, want = _both(models_, prefix_allowed_tokens_fn=allowed, **options)
        np.testing.assert_array_equal(got.numpy(), want.numpy())
        for name, make in (("stopping_criteria", shorter), ("logits_processor", processor)):
            lists = {"stopping_criteria": transformers.StoppingCriteriaList, "logits_processor": transformers.LogitsProcessorList}
            want = models_[1].generate(**_inputs(torch), max_new_tokens=12, **{name: lists[name](make(torch))}, **options)
            got = models_[0].generate(**_inputs(dv), max_new_tokens=12, **{name: make(dv)}, **options)
            np.testing.assert_array_equal(got.numpy(), want.numpy())


@pytest.mark.parametrize(
    "options", [{"no_repeat_ngram_size": 2}, {"num_beams": 3, "num_return_sequences": 2}, {"do_sample": True, "top_k": 5}]
)
def test_scores_and_logits_of_each_step(models_, options):
    got, want = _both(models_, seed=2, return_dict_in_generate=True, output_scores=True, output_logits=True, **options)
    np.testing.assert_array_equal(got.sequences.numpy(), want.sequences.numpy())
    assert len(got.scores) == len(want.scores) == len(got.logits) == len(want.logits)
    for name in ("scores", "logits"):
        for one, other in zip(got[name], want[name], strict=True):
            np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-4, atol=1e-4)
    if "num_beams" in options:
        np.testing.assert_allclose(got.sequences_scores.numpy(), want.sequences_scores.numpy(), rtol=1e-4)


SETTINGS = [
    {"max_new_tokens": 7}, {"max_length": 14}, {"do_sample": True, "temperature": 0.7, "top_p": 0.9, "top_k": 4},
    {"num_beams": 3, "length_penalty": 2.0, "no_repeat_ngram_size": 2, "early_stopping": True}, {"repetition_penalty": 1.6},
    {"min_new_tokens": 9, "bad_words_ids": [[5], [6]], "suppress_tokens": [8]}, {"num_return_sequences": 2, "num_beams": 2},
]  # fmt: skip


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("family", FAMILIES)
def test_the_settings_of_generation_config(family, settings, tmp_path):
    name, config, fields = FAMILIES[family]
    _, theirs = pair(tmp_path, name, config, **fields)
    transformers.GenerationConfig(pad_token_id=1, eos_token_id=END, decoder_start_token_id=0, **settings).save_pretrained(tmp_path)
    theirs = type(theirs).from_pretrained(tmp_path)
    ours = getattr(models, name).from_pretrained(tmp_path)
    assert {key: getattr(ours.generation_config, key) for key in settings} == settings
    for options in ({}, {"do_sample": True}, {"num_beams": 4, "top_k": None}, {"max_new_tokens": 5}):
        got, want = _both((ours, theirs), seed=1, new=None, **options)
        np.testing.assert_array_equal(got.numpy(), want.numpy())
    given = [kind(max_new_tokens=6, no_repeat_ngram_size=1) for kind in (GenerationConfig, transformers.GenerationConfig)]
    got, want = (
        model.generate(**_inputs(kind), generation_config=one) for model, kind, one in zip((ours, theirs), (dv, torch), given, strict=True)
    )
    np.testing.assert_array_equal(got.numpy(), want.numpy())
    ours.save_pretrained(tmp_path / "again")
    again = json.loads((tmp_path / "again" / "generation_config.json").read_text())
    assert {**again, **json.loads(json.dumps(settings))} == again
    assert transformers.GenerationConfig.from_pretrained(tmp_path / "again").eos_token_id == END


def test_settings_in_old_configurations(tmp_path):
    """Before there was a generation_config.json, its settings stood in config.json."""
    name, config, fields = FAMILIES["gpt2"]
    _, theirs = pair(tmp_path, name, config, **fields)
    (tmp_path / "generation_config.json").unlink()
    about = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**about, "num_beams": 3, "no_repeat_ngram_size": 2, "max_length": 15}))
    theirs, ours = type(theirs).from_pretrained(tmp_path), getattr(models, name).from_pretrained(tmp_path)
    got, want = (model.generate(**_inputs(kind)) for model, kind in ((ours, dv), (theirs, torch)))
    np.testing.assert_array_equal(got.numpy(), want.numpy())
