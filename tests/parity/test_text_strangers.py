"""What programs of transformers' users ask beside generation: the same lines on its classes and on ours give the same."""

from __future__ import annotations

import inspect
from types import SimpleNamespace

import numpy as np
import pytest

import dovetail as dv
from dovetail_text import data, generation, models, schedules, tokenizers
from tests.parity.text_pairs import close, pair, same_gradients, torch, transformers

pytestmark = pytest.mark.parity

CORPUS = ["it fits well, it fits", "The dog ran home.", "A cat sat on the mat!", "hello worlds, how are you?"] * 4
ENCODER = dict(vocab_size=40, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=20, max_position_embeddings=24)
DISTIL = dict(vocab_size=40, dim=16, n_layers=1, n_heads=2, hidden_dim=20, max_position_embeddings=24)
KINDS = {"Bert": ENCODER, "Roberta": {**ENCODER, "pad_token_id": 1}, "XLMRoberta": {**ENCODER, "pad_token_id": 1}, "DistilBert": DISTIL}
IDS = np.array([[5, 6, 7, 8], [9, 3, 2, 1]])
MASK = np.array([[1, 1, 1, 1], [1, 1, 1, 0]])


@pytest.fixture(scope="module")
def wordpiece(tmp_path_factory):
    """A folder with BERT's kind of tokenizer, which both sides read."""
    folder = tmp_path_factory.mktemp("wordpiece")
    ours = tokenizers.train_wordpiece(CORPUS, 120, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    processors = pytest.importorskip("tokenizers").processors
    ends = [(token, ours.token_to_id(token)) for token in ("[CLS]", "[SEP]")]
    pair_of = "[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1"
    ours.backend.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", pair_of, special_tokens=ends)
    ours.save_pretrained(folder)
    return tokenizers.AutoTokenizer.from_pretrained(folder), transformers.AutoTokenizer.from_pretrained(folder)


@pytest.mark.parametrize("kind", KINDS)
def test_classes_of_tokens(kind, tmp_path):
    name = f"{kind}ForTokenClassification"
    ours, theirs = pair(tmp_path, name, f"{kind}Config", **KINDS[kind], num_labels=3)
    labels = np.array([[0, 1, -100, 2], [2, -100, 1, -100]])
    got = ours(dv.from_numpy(IDS), dv.from_numpy(MASK), labels=dv.from_numpy(labels))
    want = theirs(torch.from_numpy(IDS), torch.from_numpy(MASK), labels=torch.from_numpy(labels))
    close(got.loss, want.loss)
    close(got.logits, want.logits, keep=MASK.astype(bool))
    got.loss.backward()
    want.loss.backward()
    same_gradients(ours, theirs)
    assert type(models.AutoModelForTokenClassification.from_pretrained(tmp_path)).__name__ == name


@pytest.mark.parametrize("kind", KINDS)
def test_answers_in_texts(kind, tmp_path):
    name = f"{kind}ForQuestionAnswering"
    ours, theirs = pair(tmp_path, name, f"{kind}Config", **KINDS[kind])
    places = {"start_positions": np.array([1, 9]), "end_positions": np.array([[2], [0]])}
    got = ours(dv.from_numpy(IDS), dv.from_numpy(MASK), **{key: dv.from_numpy(a) for key, a in places.items()})
    want = theirs(torch.from_numpy(IDS), torch.from_numpy(MASK), **{key: torch.from_numpy(a) for key, a in places.items()})
    close(got.loss, want.loss)
    for key in ("start_logits", "end_logits"):
        close(got[key], want[key], keep=MASK.astype(bool))
    got.loss.backward()
    want.loss.backward()
    same_gradients(ours, theirs)
    assert list(got) == list(want) == ["loss", "start_logits", "end_logits"]
    assert type(models.AutoModelForQuestionAnswering.from_pretrained(tmp_path)).__name__ == name


def test_a_gpt_without_its_head(tmp_path):
    fields = dict(vocab_size=40, n_positions=24, n_embd=16, n_layer=2, n_head=2, initializer_range=0.3)
    ours, theirs = pair(tmp_path, "GPT2LMHeadModel", "GPT2Config", **fields)
    ids, words = dv.from_numpy(IDS), ours.get_input_embeddings()(dv.from_numpy(IDS))
    got = ours(inputs_embeds=words, output_hidden_states=True)
    want = theirs(torch.from_numpy(IDS), output_hidden_states=True)
    close(got.logits, want.logits)
    assert len(got.hidden_states) == len(want.hidden_states) == 3
    for one, other in zip(got.hidden_states, want.hidden_states, strict=True):
        close(one, other)
    base = models.AutoModel.from_pretrained(tmp_path)
    close(base(ids).last_hidden_state, transformers.AutoModel.from_pretrained(tmp_path)(torch.from_numpy(IDS)).last_hidden_state)
    base.save_pretrained(tmp_path / "base")
    again = models.GPT2LMHeadModel.from_pretrained(tmp_path / "base")
    close(again(ids).logits, want.logits)
    assert ours.base_model is ours.transformer and base.base_model is base
    for one in ours.base_model.parameters():
        one.requires_grad_(False)
    assert (ours.num_parameters(), ours.num_parameters(only_trainable=True)) == (theirs.num_parameters(), 0)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("tensors", [None, "pt"])
def test_places_in_a_batch(wordpiece, side, tensors):
    found = []
    for tokenizer in wordpiece:
        tokenizer.padding_side = side
        batch = tokenizer(["The dog, ran.", "hello worlds"], ["a cat", "it fits"], padding=True, return_tensors=tensors)
        lists = [[batch.word_ids(i), batch.tokens(i), batch.sequence_ids(i)] for i in range(2)]
        chars = [batch.char_to_token(i, at, text) for i in range(2) for at in range(5) for text in range(2)]
        length = len(batch.tokens(0))
        spans = [batch.token_to_chars(i, at) and tuple(batch.token_to_chars(i, at)) for i in range(2) for at in range(length)]
        words = [(batch.token_to_word(i, at), batch.token_to_sequence(i, at)) for i in range(2) for at in range(length)]
        back = [(tuple(batch.word_to_tokens(1, at)), tuple(batch.word_to_chars(1, at)), batch.char_to_word(1, 3 * at)) for at in range(2)]
        found.append((lists, chars, spans, words, back, batch.is_fast))
    assert found[0] == found[1]


def _lists(batch):
    return {name: value.tolist() if hasattr(value, "tolist") else value for name, value in batch.items()}


def test_labels_and_targets(wordpiece):
    found = []
    for tokenizer, kind in zip(wordpiece, (data, transformers), strict=True):
        tokenizer.padding_side = "right"
        batch = tokenizer([["hello", "worlds", "mat"], ["dog"]], is_split_into_words=True, truncation=True)
        labels = [[-100 if word is None else word + 1 for word in batch.word_ids(i)] for i in range(2)]
        samples = [{"input_ids": batch["input_ids"][i], "labels": labels[i]} for i in range(2)]
        named = kind.DataCollatorForTokenClassification(tokenizer, pad_to_multiple_of=4)(samples)
        both = tokenizer(["The dog", "A cat sat"], text_target=["hello worlds", "it"], padding=True, return_tensors="pt")
        answers = kind.DataCollatorForSeq2Seq(tokenizer, pad_to_multiple_of=3)(samples)
        alone = tokenizer(text_target=["hello worlds"])
        ids = [tokenizer.encode("hello worlds", return_tensors="pt"), tokenizer.encode("a cat", "dog", max_length=4, truncation=True)]
        plain = [
            {key: getattr(value, "tolist", lambda value=value: value)() for key, value in one.items()}
            for one in (named, both, answers, alone)
        ]
        found.append((plain, ids[0].tolist(), list(ids[1])))
    assert found[0] == found[1]


def test_a_decoder_s_inputs_from_labels(wordpiece, tmp_path):
    fields = dict(vocab_size=40, d_model=16, d_kv=8, d_ff=20, num_layers=1, num_heads=2, decoder_start_token_id=0)
    two = pair(tmp_path, "T5ForConditionalGeneration", "T5Config", **fields)
    samples = [{"input_ids": [5, 6, 7], "labels": [8, 9]}, {"input_ids": [5], "labels": [8, 9, 3]}]
    made = [
        kind.DataCollatorForSeq2Seq(tokenizer, model=model)(samples)
        for tokenizer, model, kind in zip(wordpiece, two, (data, transformers), strict=True)
    ]
    assert {name: t.tolist() for name, t in made[0].items()} == {name: t.tolist() for name, t in made[1].items()}


SCHEDULES = [
    *((name, {}) for name in schedules.__all__ if name != "get_scheduler"),
    ("get_cosine_with_hard_restarts_schedule_with_warmup", {"num_cycles": 3}), ("get_inverse_sqrt_schedule", {"timescale": 5}),
    ("get_polynomial_decay_schedule_with_warmup", {"power": 2.0, "lr_end": 0.01}),
    ("get_polynomial_decay_schedule_with_warmup", {"num_warmup_steps": 12, "num_training_steps": 5}),
    ("get_inverse_sqrt_schedule", {"num_warmup_steps": 0}),
    *(("get_scheduler", {"name": kind}) for kind in ("linear", "cosine", "cosine_with_restarts", "polynomial", "constant", "inverse_sqrt")),
    ("get_scheduler", {"name": "cosine", "scheduler_specific_kwargs": {"num_cycles": 1.5}}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "more"), SCHEDULES)
def test_rates_that_warm_up(name, more):
    steps = {"num_warmup_steps": 3, "num_training_steps": 11}
    steps = {key: value for key, value in steps.items() if key in inspect.signature(getattr(schedules, name)).parameters} | more
    rates = []
    for kind, home in ((dv, schedules), (torch, transformers)):
        optimizer = kind.optim.SGD([kind.nn.Parameter(kind.zeros(1))], 0.5)
        schedule, seen = getattr(home, name)(optimizer=optimizer, **steps), []
        for _ in range(14):
            seen.append(schedule.get_last_lr()[0])
            optimizer.step()
            schedule.step()
        rates.append(seen)
    np.testing.assert_allclose(rates[0], rates[1], rtol=1e-12)


@pytest.mark.parametrize(
    "call",
    [
        lambda home, o: home.get_scheduler("steep", o), lambda home, o: home.get_scheduler("linear", o, num_training_steps=3),
        lambda home, o: home.get_scheduler("cosine", o, 2),
        lambda home, o: home.get_polynomial_decay_schedule_with_warmup(o, 1, 2, lr_end=1.0),
    ],
)  # fmt: skip
def test_schedules_that_are_refused(call):
    for kind, home in ((dv, schedules), (torch, transformers)):
        with pytest.raises(ValueError, match=r"(?i)name is 'steep'|not a valid|requires `num_|must be smaller than initial lr"):
            call(home, kind.optim.SGD([kind.nn.Parameter(kind.zeros(1))], 0.5))


ARRAYS = SimpleNamespace(ones=np.ones, zeros=np.zeros, tensor=np.array, int32=np.int32, float64=np.float64)


@pytest.mark.parametrize(
    "samples",
    [
        lambda T: [{"input_ids": [1, 2], "label": 1, "text": "it"}, {"input_ids": [3, 4], "label": 0, "text": "fits"}],
        lambda T: [{"x": [0.5, 1.5], "label": 0.5, "none": None}, {"x": [2.0, 3.0], "label": 1.0, "none": None}],
        lambda T: [{"x": T.ones(2), "label_ids": [1, 2]}, {"x": T.zeros(2), "label_ids": [3, 4]}],
        lambda T: [{"x": np.ones(2, np.float32), "label": T.tensor(3), "labels": 5}] * 2,
        lambda T: [{"x": [True], "label": True}, {"x": [False], "label": False}],
        lambda T: [{"x": np.float64(1), "label": T.tensor(1.0, dtype=T.float64)}, {"x": np.float64(2), "label": T.tensor(0.0)}],
        lambda T: [{"x": np.ones(2), "label": T.tensor(1, dtype=T.int32)}, {"x": np.ones(2), "label": 2}],
        lambda T: [{"x": 1, "label_ids": [True, False]}, {"x": 2.5, "label_ids": [False, True]}],
        lambda T: [{"x": [], "label_ids": T.ones(2, dtype=T.int32)}] * 2,
    ],
)
def test_the_default_collator(samples):
    for kind in ("pt", "np"):
        found = []
        for T, collate in ((dv, data.default_data_collator), (torch, transformers.default_data_collator)):
            batch = collate(samples(ARRAYS if kind == "np" else T), kind)
            found.append([(key, str(t.dtype).rpartition(".")[2], t.tolist()) for key, t in batch.items()])
        assert found[0] == found[1]
    with pytest.raises(ValueError, match="input_ids has rows of unequal length"):
        data.default_data_collator([{"input_ids": [1]}, {"input_ids": [1, 2]}])
    with pytest.raises(ValueError, match="label has rows of unequal length, or what is no number"):
        data.default_data_collator([{"label": "good"}])
    grown = dv.ones(2, requires_grad=True)
    assert data.default_data_collator([{"x": grown}] * 2)["x"].requires_grad


def test_rules_derived_from_theirs(tmp_path):
    fields = dict(vocab_size=40, n_positions=24, n_embd=16, n_layer=1, n_head=2, initializer_range=0.3)
    found = []
    two = pair(tmp_path, "GPT2LMHeadModel", "GPT2Config", **fields)
    for model, T, home in zip(two, (dv, torch), (generation, transformers), strict=True):

        class Odd(home.LogitsProcessor):
            def __call__(self, input_ids, scores):
                return scores.masked_fill(scores.new_tensor(range(40)) % 2 == 0, -1e9)

        class Long(home.StoppingCriteria):
            def __call__(self, input_ids, scores, **kwargs):
                return (input_ids[:, -1] > 20) & (input_ids.shape[1] > 5)

        rules, ends = home.LogitsProcessorList([Odd()]), home.StoppingCriteriaList([Long(), lambda ids, scores, **_: ids[:, 0] > 30])
        ids = T.tensor(IDS.tolist())
        out = model.generate(ids, max_new_tokens=9, logits_processor=rules, stopping_criteria=ends, pad_token_id=0)
        found.append([out.tolist(), rules(ids, T.zeros(2, 40)).tolist(), ends(ids, T.zeros(2, 40)).tolist()])
        assert home.StoppingCriteriaList()(ids[:, :0], None).tolist() == [False, False]
        for base in (home.LogitsProcessor, home.StoppingCriteria):
            with pytest.raises(NotImplementedError):
                base()(ids, None)
    assert found[0] == found[1]


def test_scores_of_the_tokens_taken(tmp_path):
    fields = dict(vocab_size=40, n_positions=24, n_embd=16, n_layer=1, n_head=2, initializer_range=0.3)
    found = []
    for model, kind in zip(pair(tmp_path, "GPT2LMHeadModel", "GPT2Config", **fields), (dv, torch), strict=True):
        out = model.generate(kind.tensor(IDS.tolist()), max_new_tokens=5, return_dict_in_generate=True, output_scores=True, pad_token_id=0)
        found.append([model.compute_transition_scores(out.sequences, out.scores, normalize_logits=normal) for normal in (False, True)])
    for one, other in zip(*found, strict=True):
        close(one, other)


def test_a_streamer_says_what_theirs_says(wordpiece, tmp_path, capsys):
    fields = dict(vocab_size=len(wordpiece[0]), n_positions=24, n_embd=16, n_layer=1, n_head=2, initializer_range=0.3)
    two = pair(tmp_path, "GPT2LMHeadModel", "GPT2Config", **fields)
    said = []
    for model, tokenizer, kind, home in zip(two, wordpiece, (dv, torch), (generation, transformers), strict=True):
        for skip in (False, True):
            ids = kind.tensor([[9, 10, 11]])
            model.generate(ids, max_new_tokens=6, do_sample=False, pad_token_id=0, streamer=home.TextStreamer(tokenizer, skip))
            said.append(capsys.readouterr().out)
    assert said[:2] == said[2:]


def test_a_decoder_s_loop_of_ones_own(tmp_path):
    fields = dict(vocab_size=40, d_model=16, d_kv=8, d_ff=20, num_layers=2, num_heads=2, decoder_start_token_id=0)
    said = []
    for model, kind in zip(pair(tmp_path, "T5ForConditionalGeneration", "T5Config", **fields), (dv, torch), strict=True):
        with kind.no_grad():
            encoded = model(kind.tensor(IDS.tolist()), decoder_input_ids=kind.tensor([[0], [0]])).encoder_last_hidden_state
            tokens, past, scores = kind.tensor([[0], [0]]), None, []
            for _ in range(5):
                out = model(encoder_outputs=(encoded,), decoder_input_ids=tokens, past_key_values=past, use_cache=True)
                past, tokens = out.past_key_values, out.logits[:, -1:].argmax(-1)
                scores.append(out.logits)
            assert past.get_seq_length() == 5
        said.append(kind.cat(scores, 1))
    close(*said)


def test_tokens_and_their_text(wordpiece):
    found = [(t.convert_tokens_to_string(t.tokenize("hello worlds, naïve")), t.get_added_vocab(), t.is_fast) for t in wordpiece]
    assert found[0] == found[1]
