"""Pipelines beside those of transformers, on folders that both read: answers, their types and their order, drawn texts too."""

from __future__ import annotations

import random
import warnings

import numpy as np
import pytest

import dovetail as dv
from dovetail_text import generation, models, pipelines, tokenizers
from tests.parity.text_pairs import torch, transformers

pytestmark = pytest.mark.parity

LINES = ["Angela Merkel met Barack Obama in Berlin, Germany.", "it fits well, no glue: naïve 😀", "a small core and plugins, it fits"] * 4
NAMES = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
CHAT = "{% for m in messages %}<{{ m.role }}> {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}<assistant> {% endif %}"


def _named(names):
    return {"id2label": dict(enumerate(names)), "label2id": {name: at for at, name in enumerate(names)}}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Folders with a tokenizer of BERT's kind, and, for the others, one of GPT-2's."""
    folder = tmp_path_factory.mktemp("models")
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    wordpiece = tokenizers.train_wordpiece(LINES, 120, special_tokens=special)
    ends = [(token, wordpiece.token_to_id(token)) for token in ("[CLS]", "[SEP]")]
    processors = pytest.importorskip("tokenizers").processors
    pair = "[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1"
    wordpiece.backend.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", pair, special_tokens=ends)
    wordpiece.model_input_names = ["input_ids", "token_type_ids", "attention_mask"]
    bpe = tokenizers.train_bpe(LINES, 300, special_tokens=["<pad>", "<|endoftext|>", "<mask>"])
    bpe.mask_token, bpe.eos_token = "<mask>", "<|endoftext|>"
    bert = dict(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=20, max_position_embeddings=80, initializer_range=0.5
    )
    gpt = dict(n_positions=300, n_embd=16, n_layer=1, n_head=2, initializer_range=0.5, bos_token_id=1, eos_token_id=1)
    distil = dict(dim=16, n_layers=1, n_heads=2, hidden_dim=20, max_position_embeddings=80, initializer_range=0.5)
    made = {
        "classes": ("BertForSequenceClassification", bert | _named(["bad", "so", "good"]), wordpiece),
        "follows": ("BertForSequenceClassification", bert | _named(["contradiction", "neutral", "entailment"]), wordpiece),
        "one": ("BertForSequenceClassification", bert | {"num_labels": 1}, wordpiece),
        "several": ("BertForSequenceClassification", bert | {"num_labels": 3, "problem_type": "multi_label_classification"}, wordpiece),
        "numbers": ("BertForSequenceClassification", bert | {"num_labels": 2, "problem_type": "regression"}, wordpiece),
        "distilled": ("DistilBertForSequenceClassification", distil, wordpiece),
        "masked": ("BertForMaskedLM", bert, wordpiece),
        "masked_bytes": ("RobertaForMaskedLM", bert | {"pad_token_id": 0}, bpe),
        "names": ("BertForTokenClassification", bert | _named(NAMES), wordpiece),
        "names_bytes": ("RobertaForTokenClassification", bert | _named(NAMES) | {"pad_token_id": 0}, bpe),
        "vectors": ("BertModel", bert, wordpiece),
        "writes": ("GPT2LMHeadModel", gpt, bpe),
    }
    torch.manual_seed(0)
    for name, (kind, fields, tokenizer) in made.items():
        config = getattr(transformers, kind.partition("For")[0].removesuffix("LMHeadModel").removesuffix("Model") + "Config")
        getattr(transformers, kind)(config(vocab_size=len(tokenizer), **fields)).eval().save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)
    return folder


def _same(got, want, where=""):
    """Equal in types and order; numbers to rounding."""
    assert type(got) is type(want), f"{where}: {got!r} against {want!r}"
    if isinstance(want, dict):
        assert list(got) == list(want), where
        for name in want:
            _same(got[name], want[name], f"{where}.{name}")
    elif isinstance(want, list | tuple):
        assert len(got) == len(want), where
        for at, (one, other) in enumerate(zip(got, want, strict=True)):
            _same(one, other, f"{where}[{at}]")
    elif isinstance(want, float | np.floating):
        np.testing.assert_allclose(got, want, rtol=2e-5, atol=1e-6, err_msg=where)
    else:
        assert got == want, where


def _both(task, folder, asks, **options):
    found = []
    for kind, library in ((dv, pipelines), (torch, transformers)):
        kind.manual_seed(0)
        pipe = library.pipeline(task, model=str(folder), device=-1, **options)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found.append([ask(pipe) for ask in asks])
    _same(*found)
    return found[0]


@pytest.mark.parametrize("name", ["classes", "one", "several", "numbers", "distilled"])
def test_classes_of_texts(home, name):
    pair = {"text": "a core", "text_pair": "it fits"}
    asks = [
        lambda pipe: pipe("it fits well"), lambda pipe: pipe(["it fits", "no glue"]), lambda pipe: pipe("it", top_k=None),
        lambda pipe: pipe(["it", "core"], top_k=2), lambda pipe: pipe("it", top_k=1), lambda pipe: pipe(pair),
        lambda pipe: pipe([pair], top_k=2), lambda pipe: pipe("it", function_to_apply="none"),
        lambda pipe: pipe("it", function_to_apply="SIGMOID"), lambda pipe: list(pipe(word for word in ["it", "no"])),
        lambda pipe: pipe("it fits well, it fits", truncation=True, max_length=4),
    ]  # fmt: skip
    _both("text-classification", home / name, asks)
    _both("sentiment-analysis", home / name, [lambda pipe: pipe("it"), lambda pipe: pipe(["it"])], top_k=None)


def test_labels_that_follow(home):
    asks = [
        lambda pipe: pipe("a small core", candidate_labels=["size", "glue", "core"]), lambda pipe: pipe("a core", "size, glue"),
        lambda pipe: pipe(["a core", "it"], candidate_labels=["x", "y"], multi_label=True), lambda pipe: pipe("a", ["it"]),
        lambda pipe: pipe("a", ["b", "c"], hypothesis_template="So {}!"),
    ]  # fmt: skip
    _both("zero-shot-classification", home / "follows", asks)


def test_vectors_of_tokens(home):
    asks = [
        lambda pipe: pipe("it fits"), lambda pipe: pipe(["it", "a core"]), lambda pipe: tuple(pipe("it", return_tensors=True).shape),
        lambda pipe: pipe("it fits well", tokenize_kwargs={"truncation": True, "max_length": 4}),
    ]  # fmt: skip
    _both("feature-extraction", home / "vectors", asks)


@pytest.mark.parametrize("name, mask", [("masked", "[MASK]"), ("masked_bytes", "<mask>")])
def test_words_for_masks(home, name, mask):
    asks = [
        lambda pipe: pipe(f"it {mask} well"), lambda pipe: pipe([f"it {mask} well"]),
        lambda pipe: pipe([f"it {mask}", f"a {mask}"], top_k=2), lambda pipe: pipe(f"a {mask} b {mask}", top_k=3),
        lambda pipe: pipe(f"the {mask} core", targets=["it", "a"]), lambda pipe: pipe(f"the {mask}", targets="wombat"),
    ]  # fmt: skip
    _both("fill-mask", home / name, asks)


@pytest.mark.parametrize("strategy", ["none", "simple", "first", "average", "max"])
@pytest.mark.parametrize("name", ["names", "names_bytes"])
def test_names_in_texts(home, name, strategy):
    words = ["Angela", "Merkel", "in", "Berlin"]
    asks = [
        lambda pipe: pipe(LINES[0]), lambda pipe: pipe(LINES[:3]), lambda pipe: pipe(LINES[1], ignore_labels=[]),
        lambda pipe: pipe(LINES[0], ignore_labels=["O", "PER", "B-PER"]), lambda pipe: pipe(words, is_split_into_words=True),
        lambda pipe: pipe([words, ["it"]], is_split_into_words=True, delimiter="--"),
    ]  # fmt: skip
    found = _both("ner", home / name, asks, aggregation_strategy=strategy)
    assert any(found[0]) or any(found[1])

    def windows(pipe):
        pipe.tokenizer.model_max_length = 12
        return pipe(LINES[0] * 2)

    if strategy != "none":
        _both("token-classification", home / name, [windows], aggregation_strategy=strategy, stride=3)


def test_texts_and_chats(home):
    """Drawn texts too: a list draws a number before its first text, since it goes through a loader."""
    short = {"max_new_tokens": 5}

    def padded(pipe, **options):
        pipe.tokenizer.pad_token, pipe.tokenizer.chat_template = "<pad>", CHAT
        return pipe(["a small core", "it", "no glue: it"], batch_size=2, **short, **options)

    said = {"role": "user", "content": "it fits?"}
    asks = [
        lambda pipe: pipe("a core", **short, do_sample=False), lambda pipe: pipe("a core", **short),
        lambda pipe: pipe(["a", "it"], **short),
        lambda pipe: pipe("it", **short, num_return_sequences=3), lambda pipe: pipe("it", max_length=9),
        lambda pipe: pipe("it", **short, return_full_text=False), lambda pipe: pipe("it", **short, return_tensors=True),
        lambda pipe: pipe("it", **short, do_sample=False, num_beams=3), lambda pipe: pipe("it", **short, temperature=1.3, top_k=5),
        lambda pipe: pipe("it", **short, prefix="no glue "), lambda pipe: pipe("it", max_new_tokens=30, stop_sequence="e"),
        lambda pipe: pipe("it"), padded, lambda pipe: padded(pipe, do_sample=False),
        lambda pipe: pipe([said], **short), lambda pipe: pipe([[said], [said]], **short),
        lambda pipe: pipe([said, {"role": "assistant", "content": "So"}], **short),
        lambda pipe: pipe([said], **short, return_full_text=False),
    ]  # fmt: skip
    _both("text-generation", home / "writes", asks)
    _both("text-generation", home / "writes", [lambda pipe: pipe("it")], max_new_tokens=3, top_p=0.8)
    drawn = []
    for kind, library, settings in ((dv, pipelines, generation), (torch, transformers, transformers)):
        kind.manual_seed(3)
        config = settings.GenerationConfig(max_new_tokens=4, do_sample=True, top_p=0.9)
        pipe = library.pipeline("text-generation", model=str(home / "writes"), device=-1)
        drawn.append(pipe("it", generation_config=config))
    assert drawn[0] == drawn[1]


def test_a_model_and_its_tokenizer(home):
    model = models.AutoModelForSequenceClassification.from_pretrained(home / "classes")
    tokenizer = tokenizers.AutoTokenizer.from_pretrained(home / "classes")
    pipe = pipelines.pipeline("text-classification", model, tokenizer=tokenizer, device=-1)
    want = transformers.pipeline("text-classification", model=str(home / "classes"), device=-1)
    _same(pipe("it fits"), want("it fits"))
    pipe.save_pretrained(home / "again")
    _same(pipelines.pipeline("text-classification", str(home / "again"))("it"), want("it"))
    drawn = []
    for library, kind in ((pipelines, dv), (transformers, torch)):
        library.set_seed(4)
        drawn.append((kind.rand(3).tolist(), np.random.rand(), random.random()))
    assert drawn[0] == drawn[1]
