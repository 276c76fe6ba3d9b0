"""Transforms and their functions; outcomes were seen with torchtext 0.18.0, those of the tokenizers are in golden/."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest

import dovetail as dv
from dovetail.errors import FormatError
from dovetail_text import functional as F
from dovetail_text import transforms as T
from dovetail_text.errors import TokenizerError
from dovetail_text.vocab import vocab

GOLDEN = json.loads((Path(__file__).parent / "golden" / "torchtext.json").read_text(encoding="utf-8"))
NO = "Input type not supported"


def same(a, b):
    if isinstance(b, dv.Tensor):
        return isinstance(a, dv.Tensor) and a.dtype == b.dtype and a.shape == b.shape and a.tolist() == b.tolist()
    return a == b and type(a) is type(b)


def tensor(*rows, dtype=dv.int64):
    return dv.tensor(*rows, dtype=dtype)


VT = T.VocabTransform(vocab({"a": 1, "b": 1, "c": 1}))
CALLS = [
    (VT, (["a", "b"],), [0, 1]), (VT, ([["a", "b"], ["c"]],), [[0, 1], [2]]), (VT, ([],), []), (VT, ([[]],), [[]]),
    (VT, ("a",), TypeError), (VT, (("a",),), TypeError), (VT, ([["a"], "b"],), TypeError), (VT, ([1],), TypeError),
    (VT, (["z"],), RuntimeError), (F.to_tensor, ([1, 2],), tensor([1, 2])), (F.to_tensor, ([1, 2], 0, dv.int32), tensor([1, 2])),
    (F.to_tensor, ([True],), tensor([1])), (F.to_tensor, ([[1, 2], [3]], 0), tensor([[1, 2], [3, 0]])),
    (F.to_tensor, ([[1, 2], [3]],), ValueError), (F.to_tensor, ([[1, 2], [3, 4]],), tensor([[1, 2], [3, 4]])),
    (F.to_tensor, ([],), tensor([])), (F.to_tensor, ([[]],), tensor([[]])), (F.to_tensor, ([[], [1]], 0), tensor([[0], [1]])),
    (F.to_tensor, ([[1, 2], [1]], 7, dv.int32), tensor([[1, 2], [1, 7]], dtype=dv.int32)),
    (F.to_tensor, ([[1, 2], [1]], 7, dv.float32), tensor([[1, 2], [1, 7]], dtype=dv.float32)), (F.to_tensor, ((1, 2),), TypeError),
    (F.to_tensor, (["a"],), TypeError), (F.to_tensor, ([1.5],), TypeError), (F.to_tensor, (tensor([1]),), TypeError),
    (F.to_tensor, ("a",), TypeError), (F.to_tensor, ([1, "a"],), TypeError),
    (T.ToTensor(1.5), ([[1, 2], [3]],), tensor([[1, 2], [3, 1]])), (F.truncate, ([1, 2, 3], 1), [1]),
    (F.truncate, (["a", "b"], 1), ["a"]), (F.truncate, ([[1, 2], [3, 4, 5]], 1), [[1], [3]]), (F.truncate, ([], 1), []),
    (F.truncate, ([[]], 1), [[]]), (F.truncate, ([1, 2, 3], -1), [1, 2]), (F.truncate, ([1, 2, 3], 0), []),
    (F.truncate, ((1, 2), 1), TypeError), (F.truncate, ("abc", 1), TypeError), (F.truncate, ([1, "a"], 1), TypeError),
    (F.truncate, ([[1], ["a"]], 1), TypeError), (F.truncate, ([1.5], 1), TypeError), (F.add_token, ([1, 2], 0), [0, 1, 2]),
    (F.add_token, ([1, 2], 0, False), [1, 2, 0]), (F.add_token, (["a"], "b"), ["b", "a"]),
    (F.add_token, ([[1], [2]], 0), [[0, 1], [0, 2]]), (F.add_token, ([["a"]], "b", False), [["a", "b"]]), (F.add_token, ([], "a"), ["a"]),
    (F.add_token, ([[]], 0), [[0]]), (F.add_token, ([1], "a"), TypeError), (F.add_token, (["a"], 1), TypeError),
    (F.add_token, ("a", "b"), TypeError), (F.add_token, ([1], True), [True, 1]), (F.add_token, ((1,), 0), TypeError),
    (F.add_token, ([1.5], 1.5), TypeError), (F.str_to_int, (["1", "2"],), [1, 2]), (F.str_to_int, ([["1"], ["2", "3"]],), [[1], [2, 3]]),
    (F.str_to_int, ([],), []), (F.str_to_int, ([" 4 "],), [4]), (F.str_to_int, (["a"],), ValueError), (F.str_to_int, ([1],), TypeError),
    (F.str_to_int, ("1",), TypeError), (T.LabelToIndex(["b", "a"]), (["a", "b"],), [1, 0]),
    (T.LabelToIndex(["b", "a"], sort_names=True), ("b",), 1), (T.LabelToIndex(["a"]), ([],), []),
    (T.LabelToIndex(["a"]), ("z",), RuntimeError), (T.LabelToIndex(["a"]), (3,), TypeError),
    (T.PadTransform(4, 7), (tensor([[1, 2], [3, 4]]),), tensor([[1, 2, 7, 7], [3, 4, 7, 7]])),
    (T.PadTransform(1, 7), (tensor([1, 2]),), tensor([1, 2])), (T.PadTransform(3, 7), ([1],), AttributeError),
    (T.Sequential(T.AddToken("x"), T.Truncate(2)), (["a", "b"],), ["x", "a"]), (T.StrToIntTransform(), (["3"],), [3]),
]  # fmt: skip


@pytest.mark.parametrize("at", range(len(CALLS)))
def test_calls(at):
    function, args, expected = CALLS[at]
    before = copy.deepcopy([a for a in args if isinstance(a, list)])
    if isinstance(expected, type):
        with pytest.raises(expected):
            function(*args)
    else:
        assert same(function(*args), expected)
    assert [a for a in args if isinstance(a, list)] == before


def test_texts_of_errors(tmp_path):
    with pytest.raises(
        TypeError, match=f"truncate: {NO}: list of int, str; expected a list of integers or strings, or a list of such lists"
    ):
        F.truncate([1, "a"], 1)
    with pytest.raises(TypeError, match=f"to_tensor: {NO}: tuple"):
        F.to_tensor((1, 2))
    with pytest.raises(AssertionError, match="VocabTransform: vocab is dict; expected a Vocab"):
        T.VocabTransform({"a": 0})
    with pytest.raises(AssertionError, match="LabelToIndex: label_names or label_path is required"):
        T.LabelToIndex()
    with pytest.raises(AssertionError, match="mutually exclusive"):
        T.LabelToIndex(["a"], "labels.txt")
    with pytest.raises(RuntimeError, match="Duplicate token found in tokens list: a"):
        T.LabelToIndex(["a", "a"])
    (tmp_path / "labels").write_text("x\n\n y \nz")
    assert T.LabelToIndex(label_path=tmp_path / "labels").label_names == ["x", "y", "z"]
    with pytest.raises(AttributeError, match="has no attribute 'Nope'"):
        T.Nope


def test_printed_form():
    text = "Sequential(\n  (0): AddToken()\n  (1): Truncate()\n  (2): ToTensor()\n  (3): StrToIntTransform()\n)"
    assert repr(T.Sequential(T.AddToken("x"), T.Truncate(2), T.ToTensor(), T.StrToIntTransform())) == text
    assert repr(T.LabelToIndex(["a"])) == "LabelToIndex(\n  (_label_vocab): Vocab()\n)"


def test_masks_are_torchtexts():
    x = tensor([[6, 0, 1, 2, 3], [6, 0, 1, 5, 5]])
    mask = T.MaskTransform(7, 4, 6, 5, False, 0.4)
    dv.manual_seed(0)
    first, second = mask(x), mask(x)
    assert first[0].tolist() == [[6, 4, 4, 2, 3], [6, 0, 4, 5, 5]] and first[1].tolist() == [0, 1, 1]
    assert first[2].tolist() == [[0, 1, 1, 0, 0], [0, 0, 1, 0, 0]] and first[2].dtype == dv.int32
    assert second[0].tolist() == [[6, 4, 1, 2, 4], [6, 4, 5, 5, 5]] and second[1].tolist() == [0, 3, 0, 1]
    dv.manual_seed(1)
    assert mask(x)[0].tolist() == [[6, 0, 1, 2, 4], [6, 0, 1, 5, 5]] and mask(x)[0].tolist() == [[6, 0, 4, 4, 3], [6, 0, 1, 5, 5]]
    dv.manual_seed(0)
    masked, target, chosen = T.MaskTransform(7, 4, 6, 5, False, 0.1)(x)  # nothing is chosen, so the first token is
    assert masked.tolist() == [[4, 0, 1, 2, 3], [6, 0, 1, 5, 5]] and target.tolist() == [6] and chosen.sum() == 1
    dv.manual_seed(0)
    masked, target, _ = T.MaskTransform(9, 4, 6, 5, True, 0.5)(dv.arange(40).reshape(2, 20) % 9)
    assert masked.tolist()[0] == [4, 4, 2, 3, 4, 5, 6, 4, 4, 0, 1, 4, 3, 4, 5, 6, 7, 4, 4, 1]
    assert target.tolist() == [0, 1, 4, 6, 7, 8, 2, 8, 0, 1, 4, 6, 0, 1, 2, 6, 0, 1, 2, 3]


REGEX = [
    ([(r"\'", " '  "), (r"\"", "")], 'it\'s "a" b', ["it", "'", "s", "a", "b"]),
    ([(r"\'", " '  ")], "", []),
    ([(r"\"", "")], "a\tb  c", ["a\tb", "c"]),
    ([(r"[,._+ ]+", " ")], "Basic.Regex,Tok_for+a..Line,,of  Text", ["Basic", "Regex", "Tok", "for", "a", "Line", "of", "Text"]),
    ([(r"(\w+)@(\w+)", r"\2 at \1")], "me@x é@y", ["x", "at", "me", "é@y"]),
    ([(r"a|ab", "X")], "abab", ["XbXb"]),
    ([(r"\d", r"<\0>")], "1٣2", ["<1>٣<2>"]),
    ([(r"x*", "-")], "axxb", ["-a-b-"]),
    ([(r"x*", "-")], "", ["-"]),
    ([(r"\s", "_")], "a\u00a0b\vc\nd", ["a\u00a0b\vc_d"]),
    ([(r"[\s-]", "_")], "a\v-\nd", ["a\v__d"]),
    ([(r"\S", "x")], "a\vb c", ["xxx", "x"]),
    ([(r"(?i)É", "e")], "éÉ", ["ee"]),
    ([("a", "\\\\x")], "ab", ["\\xb"]),
]


@pytest.mark.parametrize("rules, text, tokens", REGEX)
def test_regex(rules, text, tokens):
    assert T.RegexTokenizer(rules)(text) == tokens


def test_regex_errors():
    with pytest.raises(ValueError, match=r"RegexTokenizer: pattern '\(' is wrong: missing \)"):
        T.RegexTokenizer([("(", "x")])
    for wrong in (r"\9", r"\n", "\\"):
        with pytest.raises(ValueError, match=r"RegexTokenizer: replacement .* has .*; expected \\0 to \\0 or"):
            T.RegexTokenizer([("a", wrong)])
    for wrong in (3, ["a"], b"a"):
        with pytest.raises(TypeError, match="RegexTokenizer: line is"):
            T.RegexTokenizer([("a", "b")])(wrong)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vocabularies")
    for name in ("gpt2", "charbpe"):
        (folder / f"{name}.json").write_text(json.dumps(GOLDEN[name]["encoder"]), encoding="utf-8")
    for name in ("gpt2", "charbpe", "clip"):
        (folder / f"{name}.bpe").write_text("\n".join(GOLDEN[name]["merges"]) + "\n", encoding="utf-8")
    (folder / "vocab.txt").write_text("\n".join(GOLDEN["bert"]["vocab"]) + "\n", encoding="utf-8")
    return folder


def outcome(function, *args):
    try:
        return function(*args)
    except Exception as error:
        return f"!{type(error).__name__}"


def test_gpt2(files):
    numbers, tokens = (T.GPT2BPETokenizer(files / "gpt2.json", files / "gpt2.bpe", flag) for flag in (False, True))
    for text, expected, ids, back in GOLDEN["gpt2"]["cases"]:
        assert (tokens(text), numbers(text), numbers.decode(numbers(text))) == (expected, ids, back), text
    texts = [case[0] for case in GOLDEN["gpt2"]["cases"]]
    assert numbers(texts) == [case[2] for case in GOLDEN["gpt2"]["cases"]]
    assert numbers.add_special_tokens({"unk_token": "<unk>", "pad_token": "The", "additional_special_tokens": ["qq", "emoji"]}) == 3
    assert numbers.add_special_tokens({"unk_token": "<unk>"}) == 0
    assert numbers.add_special_tokens({"additional_special_tokens": ["qqq", "a|b"]}) == 2
    for text, ids, back in GOLDEN["gpt2"]["special"]:
        assert text is None or numbers(text) == ids, text
        assert numbers.decode(ids) == back
    with pytest.raises(AssertionError, match="Key 'nope' is not in the special token list"):
        numbers.add_special_tokens({"nope": "x"})
    with pytest.raises(TokenizerError, match=r"tokens\[0\] is '99999'"):
        numbers.decode(["99999"])


def test_clip(files):
    numbers, tokens = T.CLIPTokenizer(files / "clip.bpe"), T.CLIPTokenizer(files / "clip.bpe", return_tokens=True)
    for text, expected, ids in GOLDEN["clip"]["cases"]:
        assert (tokens(text), numbers(text)) == (expected, ids), text
    few = T.CLIPTokenizer(files / "clip.bpe", num_merges=20, return_tokens=True)
    for text, expected in GOLDEN["clip"]["few"]:
        assert few(text) == expected
    (files / "clip.json").write_text(json.dumps(numbers.encoder))
    again = T.CLIPTokenizer(files / "clip.bpe", files / "clip.json")
    assert [again(case[0]) for case in GOLDEN["clip"]["cases"]] == [case[2] for case in GOLDEN["clip"]["cases"]]


def test_char_bpe(files):
    paths = files / "charbpe.json", files / "charbpe.bpe"
    numbers = T.CharBPETokenizer(*paths, unk_token="<unk>", suffix="</w>", special_tokens=["<pad>"])
    tokens, plain = T.CharBPETokenizer(*paths, True, "<unk>", "</w>"), T.CharBPETokenizer(*paths)
    for text, expected, ids, back, bare in GOLDEN["charbpe"]["cases"]:
        assert (tokens(text), numbers(text), numbers.decode(numbers(text)), outcome(plain, text)) == (expected, ids, back, bare), text
    assert numbers.vocab_size == len(GOLDEN["charbpe"]["encoder"])
    with pytest.raises(RuntimeError, match="Unknown token <nope> not found in encoder"):
        T.CharBPETokenizer(*paths, unk_token="<nope>")
    with pytest.raises(RuntimeError, match="Special token q1 not found in encoder"):
        T.CharBPETokenizer(*paths, special_tokens=["q1"])


def test_bert(files):
    for options, cases in GOLDEN["bert"]["cases"]:
        numbers, tokens = (T.BERTTokenizer(files / "vocab.txt", return_tokens=flag, **options) for flag in (False, True))
        for text, expected, ids in cases:
            assert (tokens(text), numbers(text)) == (expected, ids), (options, text)
        assert tokens([case[0] for case in cases]) == [case[1] for case in cases]
    # torchtext drops what follows U+0000 in a word where it strips accents; nothing is lost here.
    assert T.BERTTokenizer(files / "vocab.txt", return_tokens=True)("x\x00y") == ["x", "##y"]


def test_files_that_are_wrong(files, tmp_path):
    (tmp_path / "bad.json").write_text('{"a": ')
    (tmp_path / "list.json").write_text("[1]")
    (tmp_path / "odd.json").write_text('{"a": [1]}')
    (tmp_path / "deep.json").write_text("[" * 100_000)
    (tmp_path / "latin").write_bytes(b"#version\n\xff\n")
    for name in ("bad", "list", "odd", "deep"):
        with pytest.raises(FormatError, match="it is not JSON|expected an object of tokens"):
            T.GPT2BPETokenizer(tmp_path / f"{name}.json", files / "gpt2.bpe")
    for make in (lambda p: T.GPT2BPETokenizer(files / "gpt2.json", p), T.CLIPTokenizer, T.BERTTokenizer):
        with pytest.raises(FormatError, match="at byte 9: it is not UTF-8 text"):
            make(tmp_path / "latin")
        with pytest.raises(FileNotFoundError):
            make(tmp_path / "nothing")
    mixed = T.GPT2BPETokenizer(files / "charbpe.json", files / "gpt2.bpe")
    with pytest.raises(TokenizerError, match="GPT2BPETokenizer: token .* is not in the encoder file; do the two files belong together"):
        mixed("The é")
    for tokenizer in (T.CLIPTokenizer(files / "clip.bpe"), T.BERTTokenizer(files / "vocab.txt")):
        for wrong in (3, ["a", 3], ("a",), b"a"):
            with pytest.raises(TypeError, match=NO):
                tokenizer(wrong)
