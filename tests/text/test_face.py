"""The one face of tokenizers: calls, batches, special tokens, files; and what happens to wrong input. See tests/parity/test_text.py."""

from __future__ import annotations

import copy
import json
import random
import subprocess
import sys
import threading

import numpy as np
import pytest

import dovetail as dv
from dovetail.errors import DovetailError, FormatError, RangeError, TypeMismatch, UnsupportedError, ValueRangeError
from dovetail_text.errors import HubError, TokenizerError
from dovetail_text.tokenizers import BatchEncoding, Char, Encoding, HFTokenizer, Tokenizer, Word, train_bpe, train_wordpiece

CORPUS = ["it fits, it fits, it fits well", "a dovetail fits a dovetail"] * 2


@pytest.fixture(scope="module")
def bert():
    return train_wordpiece(CORPUS, 60)


@pytest.fixture(scope="module")
def gpt():
    return train_bpe(CORPUS, 280, special_tokens=["<pad>", "<|endoftext|>"])


@pytest.fixture(params=["char", "word", "bert", "gpt"])
def any_of_them(request, bert, gpt):
    made = {"char": Char.from_text("_", *CORPUS, unknown="_", pad="_"), "word": Word.from_iterator(CORPUS, unknown="?", pad="_", eos="!")}
    return {**made, "bert": bert, "gpt": gpt}[request.param]


def test_all_have_the_face(any_of_them, tmp_path):
    tokenizer = any_of_them
    one = tokenizer.encode("it fits")
    assert isinstance(tokenizer, Tokenizer) and isinstance(one, Encoding) and len(one) == len(one.tokens) == len(one.offsets)
    assert [tokenizer.token_to_id(token) for token in one.tokens] == one.ids == tokenizer.convert_tokens_to_ids(one.tokens)
    assert [tokenizer.id_to_token(i) for i in one.ids] == one.tokens == tokenizer.convert_ids_to_tokens(one.ids)
    assert (
        "fits" in tokenizer.decode(one).replace(" ", "")
        and tokenizer.token_to_id("no such") is None
        and tokenizer.id_to_token(10**6) is None
    )
    assert tokenizer.encode_batch(["it", "fits"]) == [tokenizer.encode("it"), tokenizer.encode("fits")]
    assert tokenizer.encode("").ids == [*tokenizer("").input_ids] and tokenizer.encode_batch([]) == []
    batch = tokenizer(["it fits well", "a"], padding=True, return_tensors="pt")
    assert batch.input_ids.shape == batch.attention_mask.shape and batch.input_ids.dtype == dv.int64
    assert (
        batch.input_ids[batch.attention_mask == 0] == tokenizer.pad_token_id
    ).all() and batch.attention_mask.sum() < batch.attention_mask.numel()
    assert tokenizer.decode_batch(batch.input_ids)[0] == tokenizer.decode(tokenizer.encode("it fits well"))
    assert len(tokenizer.get_vocab()) == len(tokenizer) == tokenizer.vocab_size
    again = copy.deepcopy(tokenizer)
    assert again("it fits") == tokenizer("it fits") and again.special_tokens_map == tokenizer.special_tokens_map
    tokenizer.save(tmp_path / "tokenizer.json")
    for kind in (Tokenizer, type(tokenizer)):
        read = kind.from_file(tmp_path / "tokenizer.json")
        assert type(read) is type(tokenizer) and read.encode("it fits. no!") == tokenizer.encode("it fits. no!")
        assert read.special_tokens_map == tokenizer.special_tokens_map and read.get_vocab() == tokenizer.get_vocab()


def test_wrong_calls(any_of_them):
    tokenizer = any_of_them
    for wrong in (b"it", 3, None, {"a": 1}):
        with pytest.raises(TypeMismatch, match="Tokenizer: text is .*; expected a string, or a list of strings"):
            tokenizer(wrong)
    for wrong in ([b"it"], ["a", 3], ["a", None]):
        with pytest.raises(TypeMismatch, match=r"Tokenizer: text\[\d\] is .*; expected a string"):
            tokenizer(wrong)
    with pytest.raises(
        ValueRangeError, match=r"Tokenizer: text\[1\] has a lone surrogate at position 2; expected text that UTF-8 can hold"
    ):
        tokenizer(["a", "bé\udc80"])
    with pytest.raises(ValueRangeError, match="truncation is 'longest'; expected True, False"):
        tokenizer("a", truncation="longest")
    with pytest.raises(ValueRangeError, match="pad: padding is 'yes'; expected True, 'longest'"):
        tokenizer("a", padding="yes")
    with pytest.raises(ValueRangeError, match="padding_side is 'up'; expected 'left' or 'right'"):
        tokenizer("a", padding_side="up")
    with pytest.raises(ValueRangeError, match="return_tensors: it is 'tf'; expected 'pt' or 'dv'"):
        tokenizer("a", return_tensors="tf")
    with pytest.raises(ValueRangeError, match="max_length is -1"):
        tokenizer("a", max_length=-1)
    with pytest.raises(ValueRangeError, match="truncation length 3 is not a multiple of pad_to_multiple_of 2"):
        tokenizer("a", max_length=3, truncation=True, padding=True, pad_to_multiple_of=2)
    with pytest.raises(ValueError, match="return_tensors: input_ids has rows of unequal length") as caught:
        tokenizer(["it fits well", "a"], return_tensors="pt")
    assert isinstance(caught.value, RuntimeError)
    with pytest.raises(ValueRangeError, match="'nope', which is not in the vocabulary"):
        tokenizer.pad_token = "nope"
    with pytest.raises(TypeMismatch, match="pad_token is int; expected a token or None"):
        tokenizer.pad_token = 3
    with pytest.warns(UserWarning, match="max_length has no effect with padding=True"):
        tokenizer("a", padding=True, max_length=3)


def test_an_encoding_reads_as_its_numbers(gpt):
    one = gpt.encode("it fits well")
    assert list(one) == one.ids and one[0] == one.ids[0] and one[1:] == one.ids[1:] and np.asarray(one).tolist() == one.ids
    assert dv.tensor(one).tolist() == one.ids and dv.tensor(one).dtype == dv.int64 and dv.as_tensor(one).shape == (len(one),)
    assert gpt.encode("it fits well", return_tensors="pt").tolist() == [one.ids]
    assert gpt.encode("it fits well", truncation=True, max_length=2) == one.ids[:2]
    with pytest.raises(TypeError, match="unexpected keyword argument 'return_tensor'"):
        gpt.encode("it", return_tensor="pt")


def test_several_texts_may_be_any_sequence(gpt):
    expected = gpt(["it", "fits"])
    for texts in (("it", "fits"), np.array(["it", "fits"]), np.array(["it", "fits"], object)):
        assert gpt(texts) == expected
    assert gpt([]) == {"input_ids": [], "attention_mask": []}
    with pytest.raises(TypeMismatch, match=r"Tokenizer: text\[0\] is Tensor; expected a string"):
        gpt(dv.tensor([1, 2]))


def test_pad_token_is_asked_for():
    tokenizer = Char("ab")
    for call in (lambda: tokenizer("a", padding=True), lambda: tokenizer.pad([{"input_ids": [1]}])):
        with pytest.raises(
            ValueRangeError, match="pad: asking to pad but the tokenizer does not have a padding token.*set tokenizer.pad_token"
        ):
            call()
    tokenizer.pad_token = "a"
    assert tokenizer(["b", "bb"], padding=True).input_ids == [[1, 0], [1, 1]] and tokenizer.special_tokens_map == {"pad_token": "a"}
    tokenizer.pad_token = None
    assert tokenizer.pad_token_id is None and tokenizer("b", padding="max_length").input_ids == [1]


def test_batch_encoding(bert):
    batch = bert(["it fits", "a"], padding="max_length", max_length=6, return_tensors="np", return_offsets_mapping=True)
    assert isinstance(batch["input_ids"], np.ndarray) and batch.offset_mapping.shape == (2, 6, 2)
    assert batch[0].tokens == ["[CLS]", "it", "fits", "[SEP]"] and isinstance(batch[1], Encoding)
    assert batch.tokens(0) == [*batch[0].tokens, "[PAD]", "[PAD]"] and batch.word_ids(1) == [None, 0, None, None, None, None]
    assert [e.tokens[1] for e in batch[:2]] == ["it", "a"] and list(batch) == ["input_ids", "attention_mask", "offset_mapping"]
    with pytest.raises(AttributeError, match="BatchEncoding: there is no 'labels'; it holds input_ids"):
        batch.labels
    moved = bert("it", return_tensors="pt").to("cpu")
    assert isinstance(moved, BatchEncoding) and moved.input_ids.device.type == "cpu" and moved.input_ids.shape == (1, 3)
    assert dict(copy.deepcopy(moved)).keys() == dict(moved).keys()
    model_inputs = {**moved}
    assert set(model_inputs) == {"input_ids", "attention_mask"}


def test_special_tokens(bert, gpt):
    assert bert.special_tokens_map == {f"{name}_token": f"[{name.upper()}]" for name in ("unk", "sep", "pad", "cls", "mask")}
    assert bert.all_special_ids == [1, 3, 0, 2, 4] and bert.cls_token_id == 2 and bert.bos_token is None and bert.bos_token_id is None
    assert bert.get_special_tokens_mask([2, 9, 3]) == [1, 0, 1] and bert.num_special_tokens_to_add() == 2
    assert (gpt.pad_token, gpt.eos_token, gpt.unk_token) == ("<pad>", "<|endoftext|>", None)
    other = copy.deepcopy(gpt)
    assert other.add_special_tokens({"mask_token": "<mask>", "pad_token": "<pad>"}) == 1 and other.mask_token_id == len(gpt)
    assert other.tokenize("it<mask>")[-1] == "<mask>" and len(other) == len(gpt) + 1
    assert other.add_tokens(["fitsit"]) == 1 and "fitsit" in other.tokenize("a fitsit")
    assert len(copy.deepcopy(other)) == len(other) and len(gpt) == gpt.vocab_size


def test_truncation_uses_the_models_length(bert):
    tokenizer = copy.deepcopy(bert)
    assert len(tokenizer("it " * 50, truncation=True).input_ids) == 52
    tokenizer.model_max_length = 7
    assert len(tokenizer("it " * 50, truncation=True).input_ids) == 7 and len(tokenizer("it " * 50).input_ids) == 52
    assert len(tokenizer("it", padding="max_length").input_ids) == 7
    with pytest.raises(TokenizerError, match="HFTokenizer.encode: .*is max_length less than its special tokens"):
        tokenizer("it fits", truncation=True, max_length=9, stride=9)
    assert len(tokenizer("it fits").input_ids) == 4  # and it goes on working


def test_a_files_own_padding_and_truncation_do_not_count(bert):
    about = json.loads(bert.to_str())
    about["truncation"] = {"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0}
    about["padding"] = {
        "strategy": {"Fixed": 9},
        "direction": "Right",
        "pad_to_multiple_of": None,
        "pad_id": 0,
        "pad_type_id": 0,
        "pad_token": "[PAD]",
    }
    tokenizer = HFTokenizer(json.dumps(about))
    assert tokenizer.encode("it fits").tokens == ["[CLS]", "it", "fits", "[SEP]"] and tokenizer.pad_token == "[PAD]"
    assert copy.deepcopy(tokenizer).encode("it fits").tokens == ["[CLS]", "it", "fits", "[SEP]"]


def test_threads_take_turns(gpt):
    wrong = []

    def work(length):
        for _ in range(60):
            found = gpt(["it fits well " * 9, "a"], truncation=True, max_length=length)
            if len(found.input_ids[0]) != length or len(gpt("it fits well " * 9).input_ids) < 20:
                wrong.append(length)

    threads = [threading.Thread(target=work, args=(length,)) for length in (3, 5, 8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_training():
    tokenizer = train_bpe(iter(CORPUS), 300)
    text = "naïve 漢字 🙂\x00\n it  fits\t"
    assert tokenizer.decode(tokenizer.encode(text)) == text and tokenizer.eos_token == "<|endoftext|>"
    assert train_bpe(CORPUS, 300).get_vocab() == tokenizer.get_vocab()
    assert train_wordpiece(["It Fits"] * 3, 50, lowercase=False).tokenize("It") == ["It"]
    with pytest.raises(TypeMismatch, match="train_bpe: texts is one str; expected several texts"):
        train_bpe("it fits", 300)
    with pytest.raises(ValueRangeError, match="train_bpe: vocab_size is 20; expected a whole number, 257 or more"):
        train_bpe(CORPUS, 20)
    with pytest.raises(ValueRangeError, match=r"train_wordpiece: special_tokens lacks \[CLS\], \[SEP\]"):
        train_wordpiece(CORPUS, 90, special_tokens=["[UNK]"])
    with pytest.raises(TypeMismatch, match=r"train_bpe: texts\[1\] is int"):
        train_bpe(["a", 3], 300)


def test_a_folder_with_its_configuration(bert, tmp_path):
    bert.save(tmp_path / "tokenizer.json")
    config = {"model_max_length": 8, "padding_side": "left", "tokenizer_class": "BertTokenizer", "auto_map": {"AutoTokenizer": "os.system"}}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({**config, "pad_token": {"content": "[SEP]", "__type": "AddedToken"}}))
    (tmp_path / "special_tokens_map.json").write_text(json.dumps({"pad_token": "[PAD]", "eos_token": "[SEP]"}))
    tokenizer = Tokenizer.from_file(tmp_path)
    assert (tokenizer.model_max_length, tokenizer.padding_side, tokenizer.pad_token, tokenizer.eos_token) == (8, "left", "[SEP]", "[SEP]")
    assert list(tokenizer("it")) == ["input_ids", "token_type_ids", "attention_mask"]
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 1e30, "pad_token": "[MASK]"}))
    assert HFTokenizer.from_pretrained(tmp_path).model_max_length is None
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"pad_token": ["x"]}))
    with pytest.raises(FormatError, match=r"tokenizer_config.json: pad_token is \['x'\]; expected a string"):
        Tokenizer.from_file(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"pad_token": "nope"}))
    with pytest.raises(FormatError, match="pad_token is 'nope', which is not in the vocabulary"):
        Tokenizer.from_file(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text("{")
    with pytest.raises(FormatError, match="tokenizer_config.json at byte 1: it is not JSON"):
        Tokenizer.from_file(tmp_path)
    with pytest.raises(FileNotFoundError, match="there is no tokenizer.json"):
        Tokenizer.from_file(tmp_path.parent)
    with pytest.raises(HubError, match="from_pretrained: 'bert-base-uncased' is no folder, and the hub did not give it: .*check the name"):
        HFTokenizer.from_pretrained("bert-base-uncased", use_fast=True, local_files_only=True)


WORDS = b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nit\nfit\n##s\n"
PAIRS = {"vocab.json": json.dumps({"a": 0, "b": 1, "ab": 2, "<|endoftext|>": 3}).encode(), "merges.txt": b"#version: 0.2\na b\n"}


def test_folders_from_before_tokenizer_json(tmp_path):
    (tmp_path / "vocab.txt").write_bytes(WORDS)
    tokenizer = Tokenizer.from_file(tmp_path)
    assert tokenizer("It fits").input_ids == [2, 5, 6, 7, 3] and tokenizer.pad_token == "[PAD]" and len(tokenizer) == 8
    (tmp_path / "vocab.txt").write_bytes(WORDS.replace(b"\n", b"\r\n"))
    assert HFTokenizer.from_pretrained(tmp_path, do_lower_case=False)("It fits").input_ids == [2, 1, 6, 7, 3]
    (tmp_path / "vocab.txt").unlink()
    for name, data in PAIRS.items():
        (tmp_path / name).write_bytes(data)
    assert Tokenizer.from_file(tmp_path)("aba").input_ids == [2, 0] and Tokenizer.from_file(tmp_path).eos_token_id == 3
    (tmp_path / "vocab.json").unlink()
    (tmp_path / "tokenizer.model").write_bytes(b"")
    with pytest.raises(FileNotFoundError, match="there is no tokenizer.json; .* a sentencepiece .model is read by from_sentencepiece"):
        Tokenizer.from_file(tmp_path)


@pytest.mark.parametrize(
    ("files", "text"),
    [
        ({"vocab.txt": b""}, r"vocab.txt: its unk_token '\[UNK\]' is not in it; expected the words of a BERT, one a line"),
        ({"vocab.txt": b"\xff\xfe[UNK]"}, "vocab.txt at byte 0: it is not UTF-8"),
        ({"vocab.txt": WORDS, "tokenizer_config.json": b'{"cls_token": "<s>"}'}, "its cls_token '<s>' is not in it"),
        (PAIRS | {"vocab.json": b"[1]"}, "vocab.json: it holds a list"),
        (PAIRS | {"vocab.json": b"{"}, "vocab.json at byte 1: it is not JSON"),
        (PAIRS | {"vocab.json": b'{"a": "b"}'}, "vocab.json: its tokens have values that are no numbers"),
        (PAIRS | {"vocab.json": b'{"a": -1, "<|endoftext|>": 1e9}'}, "vocab.json: its tokens have values that are no numbers"),
        (PAIRS | {"vocab.json": b'{"a": -1, "<|endoftext|>": 2}'}, "merges.txt: the tokenizers package cannot read it"),
        (PAIRS | {"merges.txt": b"a b c\n"}, "merges.txt: a line of it is 'a b c'; expected two parts of a token and a blank between"),
        (PAIRS | {"merges.txt": b"a z\n"}, "merges.txt: the tokenizers package cannot read it"),
        (PAIRS | {"merges.txt": b"\xff"}, "merges.txt at byte 0: it is not UTF-8"),
    ],
)  # fmt: skip
def test_older_folders_that_are_broken(files, text, tmp_path):
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    with pytest.raises(FormatError, match=text):
        Tokenizer.from_file(tmp_path)


@pytest.mark.parametrize(
    "data, reason",
    [
        (b"", "it is not JSON"),
        (b"\xff\xfe", "it is not UTF-8 text"),
        (b"PK\x03\x04", "it is not JSON"),
        (b"[1, 2]", "it holds a list"),
        (b"{}", "it has no 'model'"),
        (b'{"model": 3}', "it has no 'model'"),
        (b'{"model": {}}', "the tokenizers package cannot read it"),
        (b'{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["a b"]}}', "the tokenizers package cannot read it"),
        (b'{"model": ' + b"[" * 100_000, "it is not JSON"),
        (b'{"format": "dovetail-text tokenizer"}', "type is None, version None; expected 'char' or 'word', version 1"),
        (b'{"format": "dovetail-text tokenizer", "version": 2, "type": "char", "vocab": []}', "version 2; expected"),
        (b'{"format": "dovetail-text tokenizer", "version": 1, "type": ["os", "system"], "vocab": []}', "expected 'char' or 'word'"),
        (b'{"format": "dovetail-text tokenizer", "version": 1, "type": "char"}', "it has no list 'vocab'"),
        (b'{"format": "dovetail-text tokenizer", "version": 1, "type": "char", "vocab": ["ab"]}', "its fields make no Char"),
        (b'{"format": "dovetail-text tokenizer", "version": 1, "type": "char", "vocab": [[]]}', "its fields make no Char"),
        (b'{"format": "dovetail-text tokenizer", "version": 1, "type": "char", "vocab": [], "more": 1}', "its fields make no Char"),
        (b'{"format": "dovetail-text tokenizer", "version": 1, "type": "word", "vocab": [], "rule": "("}', "its fields make no Word"),
        (b'{"format": "dovetail-text tokenizer", "version": 1, "type": "word", "vocab": [], "rule": []}', "its fields make no Word"),
    ],
)
def test_files_that_are_wrong(data, reason, tmp_path):
    (tmp_path / "t.json").write_bytes(data)
    with pytest.raises(FormatError, match="t.json.*") as caught:
        Tokenizer.from_file(tmp_path / "t.json")
    assert reason in str(caught.value)


def test_a_file_of_another_kind(bert, tmp_path):
    bert.save(tmp_path / "t.json")
    with pytest.raises(FormatError, match=r"it holds a HFTokenizer; expected a Char; use HFTokenizer.from_file"):
        Char.from_file(tmp_path / "t.json")
    with pytest.raises(FileNotFoundError):
        Tokenizer.from_file(tmp_path / "nothing.json")
    with pytest.raises(TypeMismatch, match="HFTokenizer: tokenizer is int; expected a tokenizers.Tokenizer or JSON text"):
        HFTokenizer(3)
    with pytest.raises(TypeMismatch, match="HFTokenizer.from_bytes: data is str"):
        HFTokenizer.from_bytes("x")
    assert HFTokenizer.from_bytes(bert.to_str().encode()).get_vocab() == bert.get_vocab()


def mutated(text, draw):
    data = bytearray(text.encode())
    for _ in range(draw.randint(1, 4)):
        at = draw.randrange(len(data))
        kind = draw.randrange(4)
        if kind == 0:
            data[at] = draw.randrange(256)
        elif kind == 1:
            del data[at : at + draw.randint(1, 30)]
        elif kind == 2:
            data[at:at] = draw.choice([b"null", b"-1", b"1e999", b'"x"', b"{}", b"[]", b"4294967296", b"\x00"])
        else:
            data[at:at] = data[draw.randrange(len(data)) :][:20]
    return bytes(data)


@pytest.mark.parametrize("count", [150, pytest.param(5000, marks=pytest.mark.soak)])
def test_mutated_files_are_read_or_refused(any_of_them, count):
    """What is read must also encode and decode, or say why not, by a typed error."""
    draw, refused = random.Random(count), 0
    text = any_of_them.to_str()
    for _ in range(count):
        data = mutated(text, draw)
        try:
            tokenizer = Tokenizer.from_str(data.decode())
            tokenizer.decode(tokenizer("it fits, é!").input_ids)
        except UnicodeDecodeError:
            continue
        except DovetailError:
            refused += 1
    assert refused > 20


@pytest.mark.parametrize("count", [200, pytest.param(5000, marks=pytest.mark.soak)])
def test_mutated_configurations(bert, tmp_path, count):
    bert.save(tmp_path / "tokenizer.json")
    config = {"model_max_length": 8, "padding_side": "left", "tokenizer_class": "BertTokenizer", "pad_token": {"content": "[PAD]"}}
    config |= {"additional_special_tokens": ["[MASK]"], "model_input_names": ["input_ids"], "clean_up_tokenization_spaces": True}
    values = [None, -1, float("inf"), float("nan"), [], {}, "x", True, [[]], {"content": 3}, "[UNK]", 3.5, "\ud800", ["\ud800"], ["nope"]]
    draw, outcomes = random.Random(count), set()
    for _ in range(count):
        changed = {name: draw.choice(values) if draw.random() < 0.3 else value for name, value in config.items()}
        (tmp_path / "tokenizer_config.json").write_text(json.dumps(changed))
        try:
            tokenizer = Tokenizer.from_file(tmp_path)
            tokenizer.get_special_tokens_mask(tokenizer(["it fits", "a"], padding=True, truncation=True).input_ids[0])
            outcomes.add("read")
        except DovetailError as error:
            outcomes.add(type(error).__name__)
    assert outcomes == {"read", "FormatError"}


def test_a_vocabulary_that_utf8_cannot_hold(tmp_path):
    tokenizer = Char("a\ud800漢")
    tokenizer.save(tmp_path / "t.json")
    assert Tokenizer.from_file(tmp_path / "t.json").vocab == tokenizer.vocab


def test_ids_that_are_none(bert):
    for wrong in (-1, 10**9, 2**40):
        with pytest.raises(RangeError, match=rf"HFTokenizer.decode: indices\[0\] is {wrong}; expected a token's number"):
            bert.decode([wrong])
    with pytest.raises(TypeMismatch, match=r"indices\[0\] is float"):
        bert.decode([1.5])
    with pytest.raises(UnsupportedError, match="HFTokenizer.decode: it does not know use_source"):
        bert.decode([1], use_source=True)


def test_long_and_odd_texts(any_of_them):
    for text in ("fits" * 50_000, " " * 10_000, "\x00", "\ufffd\u200d\u202e", "\r\n\t\v\f", "🙂" * 1000, "a\u0301" * 500):
        one = any_of_them.encode(text)
        assert len(one.ids) == len(one.offsets) and all(0 <= s <= e <= len(text) for s, e in one.offsets)
        assert isinstance(any_of_them.decode(one), str)


def test_reading_a_tokenizer_imports_only_what_it_needs():
    code = "import sys, dovetail_text.tokenizers.char as c\nassert 'tokenizers' not in sys.modules\nc.Char('ab').encode('a')\n"
    code += "assert 'tokenizers' not in sys.modules and 'datasets' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
