"""Every reader of files here, given broken and hostile ones: the value, or a typed error; never another error, nor a long wait."""

from __future__ import annotations

import base64
import json
import random
import struct
import time
import warnings
from importlib.util import find_spec

import pytest

pytest.importorskip("tokenizers")

import dovetail as dv
from dovetail.errors import DovetailError, FormatError
from dovetail_text import datasets
from dovetail_text import transforms as T
from dovetail_text.data.functional import load_sp_model
from dovetail_text.lora import add_lora, load_lora, save_lora
from dovetail_text.models import (
    GPT,
    AutoConfig,
    AutoModel,
    BertConfig,
    BertModel,
    DistilBertConfig,
    DistilBertModel,
    GPTConfig,
    LlamaConfig,
    LlamaForCausalLM,
    RobertaConfig,
    RobertaModel,
    T5Config,
    T5EncoderModel,
)
from dovetail_text.reading import lines_of
from dovetail_text.tokenizers import HFTokenizer, Tokenizer, from_ranks, train_bpe, train_unigram
from dovetail_text.transforms.bpe import bytes_to_unicode
from dovetail_text.vectors import Vectors
from tests.support.figures import note

CSV = '"3","Wall St.","Bears ""claw"" back"\n"1","Two","lines"\n' * 3
ASKED = {"question": "Why?", "answers": [{"text": "It", "answer_start": 0}]}
SQUAD = {"data": [{"paragraphs": [{"context": "It fits.", "qas": [ASKED]}]}]}
BYTE = list(bytes_to_unicode().values())
GPT2 = json.dumps({letter: at for at, letter in enumerate([*BYTE, "it"])})
MERGES = "#version: 0.2\ni t\nĠ it\n"
BERT = BertConfig(20, 12, 1, 3, 20)


def _sp_model():
    """A sentencepiece model of three pieces, as protobuf writes it."""

    def field(number, data):
        return bytes([number << 3 | 2, len(data)]) + data

    def piece(text, score, kind):
        return field(1, field(1, text.encode()) + bytes([2 << 3 | 5]) + struct.pack("<f", score) + bytes([3 << 3, kind]))

    return piece("<unk>", 0.0, 2) + piece("▁it", -1.0, 1) + piece("fits", -2.0, 1) + field(2, bytes([3 << 3, 1]))


def _lora(folder):
    load_lora(BertModel(BERT), folder)


def _chat(folder):
    HFTokenizer.from_folder(folder).apply_chat_template([{"role": "user", "content": "Hi"}], tokenize=False)


def _model(folder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of heads that are missing
        AutoModel.from_pretrained(folder)


# name of the file → what it holds, and what reads it
READERS = {
    "train.csv": (CSV, lambda f: list(datasets.AG_NEWS(f, "train"))),
    "SST-2/train.tsv": ("sentence\tlabel\nit fits\t1\nwell\t0\n", lambda f: list(datasets.SST2(f, "train"))),
    "ptb.train.txt": (" it fits \n well \n", lambda f: list(datasets.PennTreebank(f, "train"))),
    "wikitext-2/wiki.train.tokens": (" \n = It = \n", lambda f: list(datasets.WikiText2(f, "train"))),
    "test.txt": ("It PRP B-NP\nfits VBZ B-VP\n\nIt PRP B-NP\n", lambda f: list(datasets.CoNLL2000Chunking(f, "test"))),
    "dev-v1.1.json": (json.dumps(SQUAD), lambda f: list(datasets.SQuAD1(f, "dev"))),
    "labelled/train.csv": (CSV, lambda f: list(dv.datasets.load("text/ag_news", root=f / "labelled", split="train"))),
    "vectors.txt": ("it 0.5 1\nfits 2 3\n", lambda f: Vectors(f / "vectors.txt")),
    "lines.txt": ("it\nfits\n", lambda f: lines_of(f / "lines.txt")),
    "labels.txt": ("good\nbad\n", lambda f: T.LabelToIndex(label_path=f / "labels.txt")("good")),
    "vocab.txt": ("[UNK]\n[CLS]\nit\n##fits\n", lambda f: T.BERTTokenizer(f / "vocab.txt")("it itfits")),
    "gpt2/encoder.json": (GPT2, lambda f: T.GPT2BPETokenizer(f / "gpt2/encoder.json", f / "gpt2/vocab.bpe")("it fits é")),
    "gpt2/vocab.bpe": (MERGES, lambda f: T.GPT2BPETokenizer(f / "gpt2/encoder.json", f / "gpt2/vocab.bpe")("it fits é")),
    "clip/merges.txt": (MERGES, lambda f: T.CLIPTokenizer(f / "clip/merges.txt")("it fits é")),
    "ranks.tiktoken": (None, lambda f: from_ranks(f / "ranks.tiktoken").encode("it fits")),
    "m.model": (_sp_model(), lambda f: load_sp_model(f / "m.model").EncodeAsPieces("it fits")),
    "bpe/tokenizer.json": (None, lambda f: HFTokenizer.from_folder(f / "bpe").encode("it fits")),
    "bpe/tokenizer_config.json": ('{"model_max_length": 8, "eos_token": "it"}', lambda f: HFTokenizer.from_folder(f / "bpe")("it fits")),
    "chat/chat_template.jinja": (
        "{% for m in messages %}<{{ m.role | upper }}> {{ m['content'] | trim ~ 'x' * 3 }}{% endfor %}", lambda f: _chat(f / "chat"),
    ),
    "chat/tokenizer_config.json": ('{"chat_template": [{"name": "a", "template": "{{ b }}"}]}', lambda f: _chat(f / "chat")),
    "unigram.json": (None, lambda f: Tokenizer.from_file(f / "unigram.json").encode("it fits")),
    "word.json": (
        '{"format": "dovetail-text tokenizer", "version": 1, "type": "word", "rule": "split", "unknown": null, "pad": null, "bos": null, '
        '"eos": null, "vocab": ["it", "fits"]}',
        lambda f: Tokenizer.from_file(f / "word.json").encode("it fits"),
    ),
    "bert/config.json": (None, lambda f: _model(f / "bert")),
    "bert/model.safetensors": (None, lambda f: _model(f / "bert")),
    "gen/generation_config.json": ('{"eos_token_id": [1, 2], "pad_token_id": 0}', lambda f: _model(f / "gen")),
    "config/config.json": ('{"model_type": "llama", "rope_scaling": {"factor": 2.0, "rope_type": "linear"}}',
                           lambda f: AutoConfig.from_pretrained(f / "config")),
    "pieces/model.safetensors.index.json": ('{"weight_map": {"a": "a.safetensors"}}', lambda f: _model(f / "pieces")),
    "lora/adapter_config.json": (None, lambda f: _lora(f / "lora")),
}  # fmt: skip
DEEP = 100_000
HOSTILE = {
    "empty": b"", "a NUL": b"\x00", "NULs": bytes(1000), "not UTF-8": b"it \xff\xfe\n\xe9\n", "UTF-16": "it fits\n".encode("utf-16"),
    "a mark": b"\xef\xbb\xbf", "blank lines": b"\n" * 1000, "carriage returns": b"a\rb\r\n\r", "a long line": b"x " * 500_000,
    "deep lists": b"[" * DEEP, "closed ones": b"[" * DEEP + b"]" * DEEP, "deep objects": b'{"a":' * DEEP, "a long number": b"9" * 5000,
    "no number": b"NaN", "null": b"null", "a list": b"[]", "an object": b"{}", "a string": b'"it"', "a surrogate": b'"\\ud800"',
    "quotes": b'"' * 1001, "tabs": b"\t" * 1000, "commas": b"," * 1000, "a pickle": b"\x80\x04cos\nsystem\n.",
}  # fmt: skip
TEXT = set(HOSTILE) - {"not UTF-8", "UTF-16", "a pickle"}
# what is no error: lines of any text, files without a sample, settings that set nothing
READ = dict.fromkeys(("ptb.train.txt", "wikitext-2/wiki.train.tokens", "lines.txt", "gpt2/vocab.bpe", "clip/merges.txt"), TEXT) | {
    "train.csv": {"empty", "a mark", "blank lines"}, "SST-2/train.tsv": TEXT - {"carriage returns"},
    "test.txt": {"empty", "a mark", "blank lines", "a long line", "tabs"},
    "labelled/train.csv": {"empty", "blank lines"} | ({"carriage returns"} if find_spec("datasets") else set()),
    "bpe/tokenizer_config.json": {"an object"}, "chat/tokenizer_config.json": {"an object"},
    "chat/chat_template.jinja": TEXT - {"a long line", "deep objects"}, "gen/generation_config.json": {"an object"},
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """All files, whole."""
    folder = tmp_path_factory.mktemp("whole")
    for name, (data, _) in READERS.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if data is not None:
            (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    lines = ["it fits well, it fits"] * 4
    for name in ("bpe", "chat"):
        train_bpe(lines, 262).save(folder / name / "tokenizer.json")
    train_unigram(lines, 20).save(folder / "unigram.json")
    (folder / "ranks.tiktoken").write_bytes(b"\n".join(base64.b64encode(bytes([b])) + b" %d" % b for b in range(256)))
    for name in ("bert", "gen", "pieces"):
        BertModel(BERT).save_pretrained(folder / name)
    (folder / "pieces/model.safetensors").unlink()
    adapted = BertModel(BERT)
    add_lora(adapted, ["query"], rank=2)
    save_lora(adapted, folder / "lora")
    return folder


def _outcome(name, folder):
    """What reading gives: "read", or the class of a typed error, which is no bare one."""
    begun = time.process_time()
    try:
        READERS[name][1](folder)
        found = "read"
    except DovetailError as error:
        assert str(error), name
        found = type(error).__name__
    assert time.process_time() - begun < 10, name
    return found


@pytest.mark.parametrize("name", READERS)
def test_each_is_read_whole_and_says_what_is_wrong_with_others(name, folder):
    whole = (folder / name).read_bytes()
    assert _outcome(name, folder) == ("FormatError" if name.startswith("pieces") else "read")  # of which one is missing
    read = set()
    try:
        for what, data in HOSTILE.items():
            (folder / name).write_bytes(data)
            try:
                read |= {what} if _outcome(name, folder) == "read" else set()
            except Exception as error:
                pytest.fail(f"{name} with {what}: {type(error).__name__}: {str(error)[:300]}")
    finally:
        (folder / name).write_bytes(whole)
    assert read == READ.get(name, set())


WORDS = [b"null", b"-1", b"1e999", b'"x"', b"{}", b"[]", b"4294967296", b"\x00", b"\t", b'"', b"\n"]


def _changed(data, draw):
    changed = bytearray(data)
    for _ in range(draw.randint(1, 4)):
        at, n = draw.randrange(len(changed) + 1), draw.randrange(1, 30)
        match draw.randrange(5):
            case 0:
                del changed[at : at + n]
            case 1:
                changed[at:at] = draw.randbytes(n)
            case 2:
                changed[at : at + 1] = draw.choice(WORDS)
            case 3:
                changed[at : at + n] = changed[:n]
            case 4:
                changed[at : at + 1] = bytes([draw.randrange(256)])
    return bytes(changed)


@pytest.mark.parametrize("cases", [80, pytest.param(800, marks=pytest.mark.soak)])
def test_changed_files_are_read_or_refused(folder, cases):
    """2,080 files in all, a tenth of the 20,800 of a soak."""
    draw, outcomes, wrong = random.Random(cases), {}, []
    for name in READERS:
        whole = (folder / name).read_bytes()
        for _ in range(cases):
            data = _changed(whole, draw)
            (folder / name).write_bytes(data)
            try:
                found = _outcome(name, folder)
                outcomes[found] = outcomes.get(found, 0) + 1
            except Exception as error:
                wrong.append(f"{name}: {type(error).__name__}: {str(error)[:200]}: {data[:300]!r}")
        (folder / name).write_bytes(whole)
    right = f"{sum(outcomes.values())} of {len(READERS) * cases}"
    note("S6", "changed files of text's formats, read or refused by a typed error", right, "all")
    assert not wrong, f"{len(wrong)}\n" + "\n".join(wrong[:20])
    assert outcomes["read"] > cases and outcomes["FormatError"] > cases


@pytest.mark.parametrize(
    ("about", "error"),
    [
        ({"model_type": "bert", "num_hidden_layers": 10**9}, "num_hidden_layers is 1000000000; expected a whole number from 0 to 10000"),
        ({"model_type": "bert", "vocab_size": 10**15}, "vocab_size is 1000000000000000; expected a whole number from 0 to 268435456"),
        ({"model_type": "bert", "hidden_size": 1e300}, r"hidden_size is 1e\+300; expected a whole number from 1"),
        ({"model_type": "bert", "hidden_size": 2**28, "num_attention_heads": 1}, "not enough memory for 32,772,747,952,128 bytes"),
        ({"model_type": "gpt2", "n_layer": -5}, "n_layer is -5; expected"), ({"model_type": "gpt2", "n_embd": 0}, "n_embd is 0; expected"),
        ({"model_type": "gpt2", "n_positions": 10**18}, "block_size is 1000000000000000000; expected"),
        ({"model_type": "gpt2", "vocab_size": None}, "vocab_size is None; expected a whole number"),
        ({"model_type": "gpt2", "activation_function": {}}, "activation_function is {}; expected a string"),
        ({"model_type": "gpt2", "eos_token_id": "x"}, "eos_token_id is 'x'; expected the number of a token"),
        ({"model_type": "llama", "num_attention_heads": 0}, "num_attention_heads is 0; expected a whole number from 1"),
        ({"model_type": "llama", "rms_norm_eps": "a"}, "rms_norm_eps is 'a'; expected a number"),
        ({"model_type": "t5", "num_heads": "x"}, "num_heads is 'x'; expected"), ({"model_type": ["bert"]}, r"the model_type is \['bert'\]"),
    ],
)  # fmt: skip
def test_configurations_of_no_model(about, error, tmp_path):
    """Sizes that no memory holds, or that would be built for ever, and values of other types: refused before anything is made."""
    BertModel(BERT).save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(about))
    begun = time.process_time()
    with pytest.raises(DovetailError, match=error):
        AutoModel.from_pretrained(tmp_path)
    assert time.process_time() - begun < 5


@pytest.mark.parametrize("name", ["../other.safetensors", "/etc/hostname", "a/b.safetensors", "..", 5, None, ["a"]])
def test_pieces_outside_the_folder_are_not_read(name, tmp_path):
    BertModel(BERT).save_pretrained(tmp_path / "model")
    (tmp_path / "model/model.safetensors").rename(tmp_path / "other.safetensors")
    (tmp_path / "model/model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": name}}))
    with pytest.raises(FormatError, match=r"weight_map is not a table of tensors and files in the same folder|which is not in the folder"):
        AutoModel.from_pretrained(tmp_path / "model")


@pytest.mark.parametrize(
    "settings",
    [
        {"temperature": "x"}, {"top_k": 1.5}, {"top_p": []}, {"eos_token_id": "x"}, {"eos_token_id": [1.5]}, {"num_beams": "2"},
        {"min_p": "x"}, {"max_new_tokens": "9"}, {"repetition_penalty": {}}, {"suppress_tokens": "x"}, {"typical_p": []},
        {"stop_strings": 5},
    ],
)  # fmt: skip
def test_settings_of_other_types(settings, tmp_path):
    GPT(GPTConfig(20, 8, 1, 2, 8)).save_pretrained(tmp_path)
    (tmp_path / "generation_config.json").write_text(json.dumps(settings))
    with pytest.raises(DovetailError, match="generate: "):
        GPT.from_pretrained(tmp_path).generate([1, 2], do_sample=True)


@pytest.mark.parametrize(
    "model",
    [
        BertModel(BertConfig(20, 12, 1, 3, 20, max_position_embeddings=8)), GPT(GPTConfig(20, 8, 1, 2, 8)),
        RobertaModel(RobertaConfig(20, 12, 1, 2, 16, max_position_embeddings=10)),
        DistilBertModel(DistilBertConfig(vocab_size=20, dim=12, n_layers=1, n_heads=2, hidden_dim=16, max_position_embeddings=8)),
        LlamaForCausalLM(LlamaConfig(20, 16, 32, 1, 2, 1)), T5EncoderModel(T5Config(20, 8, 4, 16, num_layers=1, num_heads=2)),
    ],
    ids=lambda model: type(model).__name__,
)  # fmt: skip
def test_tokens_of_another_model_and_texts_that_are_too_long(model):
    tokenizer = train_bpe(["it fits well"] * 4, 300)
    with pytest.raises(IndexError, match=r"index out of range in self: 263; expected indices in \[0, 19\]"):
        model(**tokenizer("it fits", return_tensors="pt"))
    with pytest.raises(IndexError, match="index out of range in self: -1"):
        model(dv.tensor([[3, -1]]))
    if not isinstance(model, LlamaForCausalLM | T5EncoderModel):  # whose positions have no end
        with pytest.raises(RuntimeError, match=f"{type(model).__name__}: the input has 12 tokens; expected .*8 at most"):
            model(dv.zeros(1, 12, dtype=dv.int64))
    assert tokenizer("").input_ids == [] and tokenizer(["", ""]).input_ids == [[], []]
