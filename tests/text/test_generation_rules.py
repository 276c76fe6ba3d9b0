"""The rules of generate, the settings of a model, and what a generation keeps: each by what it must not or must say."""

from __future__ import annotations

import json
from itertools import pairwise
from threading import Thread

import pytest

import dovetail as dv
from dovetail.errors import FormatError, ShapeError, TypeMismatch, UnsupportedError, ValueRangeError
from dovetail_text.generation import GenerationConfig, TextIteratorStreamer, TextStreamer, generate
from dovetail_text.models import GPT, GPTConfig
from dovetail_text.tokenizers import Char

PROMPTS = [[1, 2, 3, 4, 5], [6], [7, 8, 9]]


def _model(seed=0, **config):
    dv.manual_seed(seed)
    return GPT(
        GPTConfig(**{"vocab_size": 30, "block_size": 40, "n_layer": 2, "n_head": 2, "n_embd": 16, "initializer_range": 0.4, **config})
    ).eval()


MODEL = _model()
LETTERS = Char([chr(97 + i) for i in range(30)])
WAYS = [{}, {"num_beams": 3}, {"do_sample": True}, {"do_sample": True, "num_beams": 2, "top_k": 9}]


@pytest.mark.parametrize("way", WAYS)
def test_what_a_rule_asks_is_so(way):
    for seed in range(4):
        dv.manual_seed(seed)
        text = generate(MODEL, [1, 2, 3], 20, no_repeat_ngram_size=2, **way).tolist()
        pairs = list(pairwise(text))
        assert len(set(pairs)) == len(pairs)
        text = generate(MODEL, [1, 2, 3], 12, bad_words_ids=[[4], [21, 21], [3, 9, 25]], suppress_tokens=[3], **way).tolist()[3:]
        assert not {3, 4} & set(text) and (21, 21) not in set(pairwise(text))
        text = generate(MODEL, [1, 2, 3], 12, prefix_allowed_tokens_fn=lambda row, ids: [10, 11 + len(ids) % 2], **way).tolist()[3:]
        assert set(text) <= {10, 11, 12}
        assert generate(MODEL, [1, 2, 3], 5, forced_eos_token_id=8, **way).tolist()[-1] == 8
        assert generate(MODEL, [1, 2, 3], 5, sequence_bias={(8,): 1e4}, **way).tolist()[3:] == [8] * 5
        assert generate(MODEL, [1, 2, 3], 3, begin_suppress_tokens=list(range(29)), **way).tolist()[3] == 29


@pytest.mark.parametrize("way", WAYS)
def test_no_text_ends_before_its_time(way):
    ends = list(range(0, 30, 2))
    for least in (0, 3, 7):
        for seed in range(5):
            dv.manual_seed(seed)
            found = generate(MODEL, PROMPTS, 12, eos=ends, pad=29, min_new_tokens=least, **way)[:, 5:].tolist()
            assert all(not set(row[:least]) & set(ends) for row in found)
    assert generate(MODEL, [1, 2, 3], 12, eos=ends, min_length=8).shape[0] >= 8


def test_least_probabilities_leave_the_likeliest():
    scores = dv.tensor([[1.0, 3.0, 2.0, 0.0, -9.0]])
    from dovetail_text.generation.scores import warped

    def left(**options):
        return warped(scores, **options).isfinite()[0].tolist()

    assert left(min_p=0.3) == [False, True, True, False, False]
    assert left(min_p=1.0) == left(epsilon_cutoff=0.9) == [False, True, False, False, False]
    assert left(epsilon_cutoff=0.9, keep=2) == left(top_p=0.01, keep=2) == left(min_p=1.0, keep=2) == [False, True, True, False, False]
    assert left(epsilon_cutoff=0.05) == [True, True, True, False, False]
    # by hand: the entropy is 0.947; the information of token 2, 1.440, is nearest to it, then that of token 1, 0.440
    assert left(typical_p=0.2) == [False, False, True, False, False]
    assert left(typical_p=0.5) == [False, True, True, False, False]


def test_what_is_kept_of_each_step():
    out = generate(MODEL, PROMPTS, 4, return_dict_in_generate=True, output_scores=True, output_logits=True, suppress_tokens=[3])
    assert out.sequences.shape == (3, 9) and len(out.scores) == len(out.logits) == 4
    for step, (scores, logits) in enumerate(zip(out.scores, out.logits, strict=True)):
        assert scores.argmax(-1).tolist() == out.sequences[:, 5 + step].tolist()
        assert scores[0, 3].item() == -float("inf") < logits[0, 3].item()
    plain = generate(MODEL, PROMPTS, 4, return_dict_in_generate=True)
    assert list(plain) == ["sequences", "cache"]
    beams = generate(MODEL, [[1, 2]], 4, num_beams=3, num_return_sequences=3, return_dict_in_generate=True, output_scores=True)
    assert beams.sequences_scores.tolist() == sorted(beams.sequences_scores.tolist(), reverse=True)


def test_ones_own_end_and_the_clock():
    free = generate(MODEL, [1, 2, 3], 12)
    found = generate(MODEL, [1, 2, 3], 12, stopping_criteria=[lambda ids, scores: ids.shape[1] >= 7])
    assert found.tolist() == free[:7].tolist()
    assert generate(MODEL, [1, 2, 3], 12, max_time=1e-9).shape == (4,)
    assert generate(MODEL, [1, 2, 3], 12, max_time=600).tolist() == free.tolist()


def test_streamers_of_both_kinds():
    class Put:
        def __init__(self):
            self.said = []

        def put(self, value):
            self.said.append(value.tolist())

        def end(self):
            self.said.append("end")

    streamer = Put()
    text = generate(MODEL, [1, 2, 3], 3, streamer=streamer).tolist()
    assert streamer.said == [[[1, 2, 3]], *([token] for token in text[3:]), "end"]
    pieces = []
    generate(MODEL, [1, 2, 3], 3, streamer=TextStreamer(LETTERS, pieces.append))
    assert "".join(pieces) == LETTERS.decode(text)
    late = TextIteratorStreamer(LETTERS, skip_prompt=True, timeout=60)
    thread = Thread(target=generate, args=(MODEL, [1, 2, 3], 3), kwargs={"streamer": late})
    thread.start()
    assert "".join(late) == LETTERS.decode(text[3:])
    thread.join()


def test_text_on_the_standard_output(capsys):
    text = generate(MODEL, [1, 2, 3], 3).tolist()
    for streamer, said in ((TextStreamer(LETTERS, True), text[3:]), (TextStreamer(LETTERS), text)):
        generate(MODEL, [1, 2, 3], 3, streamer=streamer)
        assert capsys.readouterr().out == LETTERS.decode(said) + "\n" and streamer.text == LETTERS.decode(said)
    with pytest.raises(ValueError, match="TextStreamer: there are 3 texts; expected one"):
        generate(MODEL, PROMPTS, 3, streamer=TextStreamer(LETTERS))


def test_the_settings_of_a_folder(tmp_path):
    MODEL.save_pretrained(tmp_path)
    assert not (tmp_path / "generation_config.json").exists()
    about = {"max_new_tokens": 4, "no_repeat_ngram_size": 1, "eos_token_id": [5], "transformers_version": "9", "custom": 1}
    (tmp_path / "generation_config.json").write_text(json.dumps(about))
    model = GPT.from_pretrained(tmp_path)
    assert model.generation_config.to_dict() == about
    assert model.generate([1, 2, 3]).tolist() == generate(MODEL, [1, 2, 3], 4, no_repeat_ngram_size=1, eos=5).tolist()
    assert model.generate([1, 2, 3], 6, eos=()).tolist() == generate(MODEL, [1, 2, 3], 6, no_repeat_ngram_size=1).tolist()
    own = GenerationConfig(max_new_tokens=2, no_repeat_ngram_size=0)
    assert model.generate([1, 2, 3], generation_config=own).tolist() == generate(MODEL, [1, 2, 3], 2, eos=5).tolist()
    with pytest.warns(UserWarning, match="max_length is given, but the generation_config has max_new_tokens = 4"):
        model.generate([1, 2, 3], max_length=30)
    model.generation_config.num_beams = 2
    model.save_pretrained(tmp_path / "again")
    assert GPT.from_pretrained(tmp_path / "again").generation_config.to_dict() == {**about, "num_beams": 2}
    assert model.generation_config.update(top_k=3, nothing=1) == {"nothing": 1} and model.generation_config.top_k == 3


def test_hostile_settings(tmp_path):
    MODEL.save_pretrained(tmp_path)
    for text in ("[1]", "{", "\xff", "[" * 100_000):
        (tmp_path / "generation_config.json").write_text(text, encoding="latin1")
        with pytest.raises(FormatError, match=r"generation_config.json: (is not JSON|holds a list)"):
            GPT.from_pretrained(tmp_path)
    (tmp_path / "generation_config.json").write_text(json.dumps({"asked": 1, "to_dict": 2, "__class__": 3, "num_beams": 1}))
    assert GPT.from_pretrained(tmp_path).generate([1, 2], 2).tolist() == generate(MODEL, [1, 2], 2).tolist()
    for name, value, error in (
        ("penalty_alpha", 0.6, UnsupportedError), ("num_beam_groups", 2, UnsupportedError), ("force_words_ids", [[1]], UnsupportedError),
        ("min_p", 7, ValueRangeError), ("bad_words_ids", "no", ValueRangeError), ("no_repeat_ngram_size", -2, ValueRangeError),
    ):  # fmt: skip
        (tmp_path / "generation_config.json").write_text(json.dumps({name: value}))
        with pytest.raises(error, match=f"generate: {name} is "):
            GPT.from_pretrained(tmp_path).generate([1, 2], 2, do_sample=True)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"min_new_token": 3}, ValueRangeError, "there is no such argument; did you mean 'min_new_tokens'?"),
        ({"guidance": 3}, ValueRangeError, r"\['guidance'\] are not used by the model: there is no .* mean 'guidance_scale'\?"),
        ({"min_new_tokens": -1}, ValueRangeError, "min_new_tokens is -1; expected 0 or more"),
        ({"bad_words_ids": [[]]}, ValueRangeError, r"bad_words_ids is \[\[\]\]; expected lists of tokens; tokenizer"),
        ({"bad_words_ids": [["a"]]}, ValueRangeError, "expected lists of tokens"),
        ({"bad_words_ids": [[99]]}, ValueRangeError, r"tokens \[99\] are asked for and the vocabulary has 30"),
        ({"suppress_tokens": [-1]}, ValueRangeError, r"tokens \[-1\] are asked for"),
        ({"sequence_bias": {}}, ValueRangeError, "sequence_bias is {}; expected numbers by tuples of tokens"),
        ({"prefix_allowed_tokens_fn": lambda row, ids: []}, ValueRangeError, r"allows nothing after \[1, 2\]; expected a token at least"),
        ({"max_time": 0}, ValueRangeError, "max_time is 0; expected more than 0"),
        ({"num_beams": 2, "num_return_sequences": 3, "do_sample": True}, ValueRangeError, "num_return_sequences is 3, num_beams 2"),
        ({"encoder_outputs": [1]}, ValueRangeError, r"\['encoder_outputs'\] are not used by the model; GPT does not take them"),
        ({"past_key_values": ()}, TypeMismatch, "past_key_values is tuple; expected a cache; pass on what the model gave"),
        ({"guidance_scale": "much"}, TypeMismatch, "guidance_scale is 'much'; expected a number"),
        ({"bos_token_id": [1]}, TypeMismatch, r"bos_token_id is \[1\]; expected the number of a token"),
        ({"decoder_start_token_id": "a"}, TypeMismatch, "'a' stands for a token"),
        ({"guidance_scale": 2.0, "num_beams": 2}, UnsupportedError, "guidance_scale is 2.0 with beams; it is there for decoders"),
        ({"assistant_model": MODEL}, UnsupportedError, "assistant_model is GPT; it is not there; set assistant_model to None"),
        ({"output_attentions": True}, UnsupportedError, "output_attentions is True; it is not there"),
    ],
)
def test_errors(options, error, text):
    with pytest.raises(error, match=text):
        generate(MODEL, [1, 2], 3, **options)


def test_a_cache_of_other_texts_is_refused():
    ids = dv.tensor([[1, 2, 3], [4, 5, 6]])
    with pytest.raises(ShapeError, match="past_key_values has 3 tokens and the prompt 3; expected the whole text"):
        generate(MODEL, ids, 2, past_key_values=MODEL(ids).past_key_values)
    for texts, copies in ((ids[:1], 1), (ids, 2)):
        past = MODEL(texts[:, :2]).past_key_values
        wanted = len(ids) * copies
        with pytest.raises(ShapeError, match=f"past_key_values has {len(texts)} texts; expected {wanted}, one for each that is generated"):
            generate(MODEL, ids, 2, past_key_values=past, do_sample=True, num_return_sequences=copies)


def test_vectors_and_no_cache_give_the_same():
    """Each step again from the vectors on: transformers forgets them without a cache."""
    ids = dv.tensor([[1, 2, 3], [4, 5, 6]])
    vectors = MODEL.get_input_embeddings()(ids)
    want = generate(MODEL, ids, 6)[:, 3:].tolist()
    for way in ({}, {"use_cache": False}, {"num_beams": 1}):
        assert generate(MODEL, inputs_embeds=vectors, max_new_tokens=6, **way).tolist() == want
    long = generate(MODEL, ids[:1], 60)  # beyond the 40 places
    assert generate(MODEL, inputs_embeds=vectors[:1], max_new_tokens=60).tolist() == long[:, 3:].tolist()
