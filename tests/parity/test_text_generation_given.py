"""What generate takes beside tokens, as transformers': vectors, caches, what an encoder found, guidance; and what it gives back."""

from __future__ import annotations

import numpy as np
import pytest

import dovetail as dv
from dovetail_text.generation import GenerationConfig
from dovetail_text.models import DynamicCache
from tests.parity.test_text_generation import models as models_  # noqa: F401 - a fixture
from tests.parity.text_pairs import close, torch, transformers

pytestmark = pytest.mark.parity

IDS = np.array([[5, 6, 7, 8], [9, 3, 4, 11]])
MASK = np.array([[0, 1, 1, 1], [1, 1, 1, 1]])
WAYS = {
    "greedy": {}, "beams": {"num_beams": 3, "num_return_sequences": 2}, "drawn": {"do_sample": True, "top_k": 9},
    "ruled": {"repetition_penalty": 1.5, "no_repeat_ngram_size": 2, "min_new_tokens": 4}, "least": {"min_length": 7},
}  # fmt: skip
DECODERS = pytest.mark.parametrize("models_", ["gpt2", "llama"], indirect=True)
ANSWERS = pytest.mark.parametrize("models_", ["t5"], indirect=True)


def _sides(models_):
    """Each model, its library and its prompts."""
    for model, kind in zip(models_, (dv, torch), strict=True):
        kind.manual_seed(0)
        yield model, kind, kind.tensor(IDS)


def _same(models_, ask):
    """That both give the same when asked by ``ask(model, kind, ids)``, and what ours gave."""
    got, want = (ask(*side) for side in _sides(models_))
    np.testing.assert_array_equal(got.numpy(), want.numpy())
    return got


def _answers(models_):
    return getattr(models_[0].config, "is_encoder_decoder", False)


@pytest.mark.parametrize("way", WAYS)
def test_vectors_instead_of_tokens(models_, way):
    options = {"max_new_tokens": 6, **WAYS[way]}
    _same(models_, lambda model, kind, ids: model.generate(inputs_embeds=model.get_input_embeddings()(ids), **options))


@DECODERS
@pytest.mark.parametrize("way", WAYS)
def test_vectors_beside_tokens(models_, way):
    options = {"max_new_tokens": 6, **WAYS[way]}

    def beside(model, kind, ids):
        return model.generate(ids, inputs_embeds=model.get_input_embeddings()(ids), attention_mask=kind.tensor(MASK), **options)

    _same(models_, beside)


def test_lengths_count_the_vectors(models_):
    found = _same(models_, lambda model, kind, ids: model.generate(inputs_embeds=model.get_input_embeddings()(ids), max_length=9))
    assert found.shape[1] <= (9 if _answers(models_) else 5)


@DECODERS
def test_a_cache_goes_on(models_):
    def begun(model, kind, ids):
        return model.generate(ids, past_key_values=model(ids[:, :3], use_cache=True).past_key_values, max_new_tokens=5)

    def twice(model, kind, ids):
        first = model.generate(ids, max_new_tokens=5, return_dict_in_generate=True)
        assert first.past_key_values.get_seq_length() == first.sequences.shape[1] - 1
        text = kind.cat([first.sequences, ids], 1)
        return model.generate(text, past_key_values=first.past_key_values, max_new_tokens=5)

    def ones_own(model, kind, ids):
        cache = (DynamicCache if kind is dv else transformers.DynamicCache)(config=model.config)
        text = model.generate(ids, max_new_tokens=5, cache=cache)
        return model.generate(kind.cat([text, ids], 1), cache=cache, max_new_tokens=5, do_sample=True)

    plain = _same(models_, lambda model, kind, ids: model.generate(ids, max_new_tokens=5))
    assert _same(models_, begun).tolist() == plain.tolist()
    for ask in (twice, ones_own):
        _same(models_, ask)


@DECODERS
def test_without_a_prompt(models_):
    _same(models_, lambda model, kind, ids: model.generate(bos_token_id=4, max_new_tokens=5))
    _same(models_, lambda model, kind, ids: model.generate(bos_token_id=4, max_new_tokens=5, do_sample=True, num_return_sequences=3))


@ANSWERS
def test_an_answer_needs_a_prompt(models_):
    for model in models_:
        with pytest.raises(ValueError, match="there is no prompt|`bos_token_id` has to be defined"):
            model.generate(max_new_tokens=3)
    for model, _, ids in _sides(models_):
        with pytest.raises(ValueError, match="pick one"):
            model.generate(ids, inputs_embeds=model.get_input_embeddings()(ids))


@ANSWERS
@pytest.mark.parametrize("options", [{}, {"num_beams": 3}, {"do_sample": True}])
def test_answers_that_have_begun(models_, options):
    for begun in ([[0, 5], [0, 7]], [[5], [7]]):
        for length in ({"max_new_tokens": 6}, {"max_length": 7}):
            _same(models_, lambda m, kind, ids: m.generate(ids, decoder_input_ids=kind.tensor(begun), **length, **options))  # noqa: B023
    mask = {"decoder_attention_mask": [[1, 1], [1, 1]], "decoder_input_ids": [[0, 5], [0, 7]]}
    for given in ({"decoder_start_token_id": 3}, {"decoder_start_token_id": [3, 4]}, mask):
        _same(
            models_,
            lambda model, kind, ids: model.generate(
                ids, max_new_tokens=6, **options,
                **{name: kind.tensor(value) if name != "decoder_start_token_id" else value for name, value in given.items()},  # noqa: B023
            ),
        )  # fmt: skip


@ANSWERS
@pytest.mark.parametrize("options", [{}, {"num_beams": 3, "num_return_sequences": 2}])
def test_what_an_encoder_found(models_, options):
    for mask in (None, MASK[:, ::-1].copy()):

        def ask(model, kind, ids, mask=mask):
            mask = None if mask is None else kind.tensor(mask)
            found = model.get_encoder()(ids, attention_mask=mask)
            return model.generate(encoder_outputs=found, attention_mask=mask, max_new_tokens=6, **options)

        found = _same(models_, ask)
        assert found.shape[0] == 2 * options.get("num_return_sequences", 1)


@DECODERS
@pytest.mark.parametrize("options", [{}, {"use_cache": False}, {"do_sample": True, "num_return_sequences": 2}])
def test_guidance(models_, options):
    options = {"max_new_tokens": 6, "guidance_scale": 1.7, **options}
    plain = _same(models_, lambda model, kind, ids: model.generate(ids, **{**options, "guidance_scale": 1.0}))
    led = _same(models_, lambda model, kind, ids: model.generate(ids, **options))
    _same(models_, lambda model, kind, ids: model.generate(ids, attention_mask=kind.tensor(MASK), **options))
    if "num_return_sequences" not in options:
        away = _same(models_, lambda model, kind, ids: model.generate(ids, negative_prompt_ids=ids[:, 1:].flip(0), **options))
        assert len({str(found.tolist()) for found in (plain, led, away)}) > 1


@DECODERS
def test_places_and_kinds_of_tokens(models_):
    _same(models_, lambda model, kind, ids: model.generate(ids, position_ids=kind.arange(4)[None].repeat(2, 1) + 1, max_new_tokens=5))
    if hasattr(models_[0], "transformer"):
        kinds = [[0, 0, 1, 1], [2, 2, 2, 1]]
        _same(models_, lambda model, kind, ids: model.generate(ids, token_type_ids=kind.tensor(kinds), max_new_tokens=5))
        got, want = (model(ids, token_type_ids=kind.tensor(kinds)).logits for model, kind, ids in _sides(models_))
        close(got, want)


def test_settings_in_the_second_place(models_):
    for asked in ({}, {"max_new_tokens": 2}):
        _same(
            models_,
            lambda model, kind, ids: model.generate(
                ids, (GenerationConfig if kind is dv else transformers.GenerationConfig)(max_new_tokens=4, num_beams=2), **asked  # noqa: B023
            ),
        )  # fmt: skip


@pytest.mark.parametrize(
    "means",
    [
        {"temperature": 0.0, "top_p": 7.0}, {"low_memory": True}, {"synced_gpus": False}, {"num_beam_groups": 1, "diversity_penalty": 0.0},
        {"cache_implementation": "dynamic"}, {"disable_compile": True, "output_attentions": False}, {"num_assistant_tokens": 3},
    ],
)  # fmt: skip
def test_what_makes_no_difference(models_, means):
    plain = _same(models_, lambda model, kind, ids: model.generate(ids, max_new_tokens=4))
    assert _same(models_, lambda model, kind, ids: model.generate(ids, max_new_tokens=4, **means)).tolist() == plain.tolist()


@pytest.mark.parametrize("way", ["greedy", "beams", "drawn"])
def test_states_and_their_shapes(models_, way):
    options = {"max_new_tokens": 4, "return_dict_in_generate": True, "output_hidden_states": True, "output_scores": True, **WAYS[way]}
    got, want = (model.generate(ids, **options) for model, kind, ids in _sides(models_))
    assert list(got) == list(want)
    name = "decoder_hidden_states" if _answers(models_) else "hidden_states"
    assert len(got[name]) == len(want[name]) > 1
    for step, other in zip(got[name], want[name], strict=True):
        for one, two in zip(step, other, strict=True):
            close(one, two)


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("beams", [2, 4])
def test_scores_of_the_tokens_of_beams(models_, beams, normalize):
    options = {"max_new_tokens": 8, "num_beams": beams, "num_return_sequences": 2, "length_penalty": 0.4}
    found = []
    for model, _, ids in _sides(models_):
        out = model.generate(ids, return_dict_in_generate=True, output_scores=True, **options)
        found.append((out, model.compute_transition_scores(out.sequences, out.scores, out.beam_indices, normalize_logits=normalize)))
    (got, taken), (want, wanted) = found
    np.testing.assert_array_equal(got.beam_indices.numpy(), want.beam_indices.numpy())
    close(taken, wanted)
    if not normalize:  # a text's score is the sum of its tokens' over its length to the power of the penalty
        lengths = (got.beam_indices >= 0).sum(1)
        close(taken.sum(1) / lengths**0.4, want.sequences_scores)
