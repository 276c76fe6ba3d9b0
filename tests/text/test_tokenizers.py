"""text/basic_english, text/char and text/word."""

from __future__ import annotations

import random
import re
import sys
from types import SimpleNamespace

import pytest

import dovetail as dv
from dovetail.errors import RangeError, TypeMismatch, UnknownNameError, UnsupportedError, ValueRangeError
from dovetail_text.tokenizers import BasicEnglish, Char, Word, get_tokenizer
from dovetail_text.vocab import build_vocab_from_iterator

# What torchtext's documentation says that basic_english does, one substitution after the other.
STEPS = [
    ("'", " '  "), ('"', ""), (r"\.", " . "), ("<br />", " "), (",", " , "), (r"\(", " ( "), (r"\)", " ) "),
    ("!", " ! "), (r"\?", " ? "), (";", " "), (":", " "), (r"\s+", " "),
]  # fmt: skip


def step_by_step(text):
    text = text.lower()
    for pattern, replacement in STEPS:
        text = re.sub(pattern, replacement, text)
    return text.split()


@pytest.mark.parametrize(
    "text, tokens",
    [
        ("You can now install TorchText using pip!", "you can now install torchtext using pip !".split()),
        ("Basic English Normalization for a Line of Text", "basic english normalization for a line of text".split()),
        ("don't", ["don", "'", "t"]),
        ('say "yes"', ["say", "yes"]),
        ('a"b', ["ab"]),
        ("3.14, (or so)?", ["3", ".", "14", ",", "(", "or", "so", ")", "?"]),
        ("one<br />two <BR /> <br/>", ["one", "two", "<br/>"]),
        ('<br" />', []),
        ("a;b:c", ["a", "b", "c"]),
        ("  \t\n\x0b\u2003 ", []),
        ("", []),
        ("ÉCOLE № 5—«да»", ["école", "№", "5—«да»"]),
    ],
)
def test_basic_english(text, tokens):
    assert BasicEnglish()(text) == tokens == step_by_step(text)


def test_basic_english_on_random_text():
    draw = random.Random(0)
    pieces = [*"'\".,()!?;: \t\u00a0aZÉß<>/", "<br />", "<br", " />", "İ"]
    for _ in range(2000):
        text = "".join(draw.choices(pieces, k=draw.randrange(12)))
        assert BasicEnglish()(text) == step_by_step(text), repr(text)


def test_basic_english_takes_strings():
    with pytest.raises(TypeMismatch, match="BasicEnglish: text is bytes; expected a string; call it once for each string"):
        BasicEnglish()(b"bytes")


def test_char_round_trip():
    text = "naïve 🙂 text\n"
    tokenizer = Char.from_text(text)
    one = tokenizer.encode(text)
    assert tokenizer.decode(one) == tokenizer.decode(one.ids) == tokenizer.decode(dv.tensor(one.ids)) == text
    assert tokenizer.decode(dv.tensor(0)) == tokenizer.decode(0) == "\n"
    assert tokenizer.tokenize(text) == list(text) == one.tokens and len(tokenizer) == len(set(text))
    assert [text[start:end] for start, end in one.offsets] == one.tokens
    assert tokenizer.vocab == tuple(sorted(set(text)))


def test_char_empty():
    assert Char("").encode("").ids == [] and Char("").decode([]) == "" and len(Char("")) == 0


def test_char_unknown():
    tokenizer = Char("ab_", unknown="_")
    assert tokenizer.encode("abc").ids == [0, 1, 2] and tokenizer.decode([0, 1, 2]) == "ab_"
    assert tokenizer.decode([0, 1, 2], skip_special_tokens=True) == "ab"
    assert repr(tokenizer) == "Char('ab_', unknown='_')" and repr(Char("ab", pad="b")) == "Char('ab', pad='b')"


def test_char_errors():
    missing = "Char.encode: character 'c' at position 1 is not in the vocabulary; expected one of its 2 characters; pass unknown="
    with pytest.raises(UnknownNameError, match=missing):
        Char("ab").encode("ac")
    with pytest.raises(RangeError, match=r"Char.decode: indices\[1\] is -1; expected 0 to 1"):
        Char("ab").decode([0, -1])
    with pytest.raises(RangeError, match=r"Char.decode: indices\[0\] is 2; expected 0 to 1"):
        Char("ab").decode(dv.tensor([2]))
    with pytest.raises(TypeMismatch, match=r"Char.decode: indices\[0\] is list"):
        Char("ab").decode(dv.tensor([[0], [1]]))
    with pytest.raises(TypeMismatch, match=r"Char.decode: indices\[0\] is float"):
        Char("ab").decode([0.0])
    with pytest.raises(UnsupportedError, match="Char.decode: it does not know clean_up"):
        Char("ab").decode([0], clean_up=True)
    with pytest.raises(ValueRangeError, match="Char: vocab has 'a' twice; expected each character once"):
        Char("aba")
    with pytest.raises(ValueRangeError, match=r"Char: vocab\[1\] is 'bc'; expected one character"):
        Char(["a", "bc"])
    with pytest.raises(TypeMismatch, match=r"Char: vocab\[0\] is int \(1\); expected one character"):
        Char([1])
    with pytest.raises(ValueRangeError, match=r"Char: unknown is '\?', which is not in vocab"):
        Char("ab", unknown="?")
    with pytest.raises(ValueRangeError, match=r"Char: pad is '\?', which is not in vocab"):
        Char("ab", pad="?")


WORDS = ["<pad>", "<unk>", "<s>", "</s>", "it", "fits", ".", "well"]


def test_word():
    tokenizer = Word(WORDS, "<unk>", "<pad>", "<s>", "</s>")
    one = tokenizer.encode("It fits, well.")
    assert one.ids == [2, 4, 5, 1, 7, 6, 3] and one.tokens == ["<s>", "it", "fits", ",", "well", ".", "</s>"]
    assert one.offsets == [(0, 0), (0, 2), (3, 7), (7, 8), (9, 13), (13, 14), (0, 0)]
    assert one.special_tokens_mask == [1, 0, 0, 0, 0, 0, 1]
    assert tokenizer.encode("It fits", add_special_tokens=False).ids == [4, 5]
    assert tokenizer.decode(one) == "<s> it fits <unk> well . </s>"
    assert tokenizer.decode(one, skip_special_tokens=True) == "it fits well ."
    cut = tokenizer(["it fits well", "it"], truncation=True, max_length=4, padding=True, return_tensors="pt")
    assert cut.input_ids.tolist() == [[2, 4, 5, 3], [2, 4, 3, 0]] and cut["attention_mask"].tolist() == [[1, 1, 1, 1], [1, 1, 1, 0]]
    tokenizer.truncation_side = "left"
    assert tokenizer("it fits well", max_length=3).input_ids == [2, 7, 3] and tokenizer("it", max_length=1).input_ids == [2, 3]


def test_word_rules():
    assert Word.from_iterator(["a b", "a"], rule="split", unknown="?").vocab == ("?", "a", "b")
    assert Word.from_iterator(["it's x-y"], rule=r"\w+").tokenize("it's x-y") == ["it", "s", "x", "y"]
    assert Word.from_iterator(["b a b c"], rule="split", max_tokens=3, unknown="?", pad="_").vocab == ("?", "_", "b")
    assert Word(build_vocab_from_iterator([["x"]])).encode("x").ids == [0]
    with pytest.raises(UnknownNameError, match="Word.encode: word 'y' at position 0 is not in the vocabulary"):
        Word(["x"]).encode("y")
    with pytest.raises(ValueRangeError, match=r"Word: rule is '\(' \(missing"):
        Word([], rule="(")
    with pytest.raises(ValueRangeError, match="Word: vocab has 'a' twice"):
        Word(["a", "a"])
    with pytest.raises(ValueRangeError, match="Word: pad_token is '_', which is not in the vocabulary"):
        Word(["a"], pad="_")
    with pytest.raises(TypeMismatch, match=r"Word: vocab\[0\] is int"):
        Word([1])
    with pytest.raises(UnsupportedError, match="Word: it does not encode pairs of texts; use HFTokenizer"):
        Word(["a"])("a", "a")


def test_get_tokenizer():
    assert get_tokenizer(None)(" a b\nc. ") == ["a", "b", "c."]
    assert get_tokenizer("basic_english")("A b.") == ["a", "b", "."]
    assert get_tokenizer(len) is len
    assert get_tokenizer("char", vocab="ab").encode("ba").ids == [1, 0]
    with pytest.raises(ValueRangeError, match="get_tokenizer: basic_english has no language 'de'; expected 'en'"):
        get_tokenizer("basic_english", "de")
    with pytest.raises(ValueError, match="no plugin that is installed brings 'basic_englsh'; nearest: basic_english"):
        get_tokenizer("basic_englsh")


def test_get_tokenizer_of_other_packages(monkeypatch):
    parts = SimpleNamespace(tokenizer=lambda text: [SimpleNamespace(text=part) for part in text.split("-")])
    fakes = {
        "spacy": SimpleNamespace(load=lambda name: parts if name == "de_core_news_sm" else None),
        "sacremoses": SimpleNamespace(MosesTokenizer=lambda: SimpleNamespace(tokenize=str.split)),
        "nltk.tokenize.toktok": SimpleNamespace(ToktokTokenizer=lambda: SimpleNamespace(tokenize=str.upper)),
        "revtok": SimpleNamespace(tokenize=lambda text, decap=False: [text, decap]),
    }
    for name, module in {**fakes, "nltk": SimpleNamespace(), "nltk.tokenize": SimpleNamespace()}.items():
        monkeypatch.setitem(sys.modules, name, module)
    assert get_tokenizer("spacy", language="de_core_news_sm")("a-b") == ["a", "b"] and get_tokenizer("moses")("a b") == ["a", "b"]
    assert get_tokenizer("toktok")("a") == "A"
    assert get_tokenizer("revtok")("a") == ["a", False] and get_tokenizer("subword")("a") == ["a", True]
    monkeypatch.setitem(sys.modules, "revtok", None)
    with pytest.raises(ImportError, match="get_tokenizer: 'subword' needs the package revtok, which is not installed; pip install revtok"):
        get_tokenizer("subword")
