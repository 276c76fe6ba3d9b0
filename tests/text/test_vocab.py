"""Vocab and its makers; every outcome was seen with torchtext 0.18.0."""

from __future__ import annotations

import copy
from collections import OrderedDict

import pytest

import dovetail as dv
from dovetail.errors import FormatError
from dovetail_text.errors import VocabError
from dovetail_text.vocab import Vocab, build_vocab_from_iterator, vocab


@pytest.fixture
def words():
    return vocab(OrderedDict([("a", 3), ("b", 2), ("c", 1)]), min_freq=2, specials=["<unk>", "b"])


def test_order(words):
    assert words.get_itos() == ["<unk>", "b", "a"] and words.get_stoi() == {"<unk>": 0, "b": 1, "a": 2}
    assert vocab({"a": 1, "b": 1}, specials=["s", "a"], special_first=False).get_itos() == ["b", "s", "a"]
    assert vocab({"a": 0, "b": 1}, min_freq=0).get_itos() == vocab({"a": 0, "b": 1}, min_freq=-1).get_itos() == ["a", "b"]
    counts = OrderedDict([("a", 1), ("s", 1)])
    vocab(counts, specials=["s"])
    assert counts == {"a": 1}  # as torchtext: the specials are taken out


def test_lookups(words):
    assert words["a"] == 2 and words(["a", "b"]) == words.forward(["a", "b"]) == words.lookup_indices(["a", "b"]) == [2, 1]
    assert ("a" in words, "q" in words, len(words)) == (True, False, 3)
    assert words.lookup_token(0) == "<unk>" and words.lookup_tokens([0, 1]) == words.lookup_tokens((0, 1)) == ["<unk>", "b"]
    assert words.lookup_indices([]) == [] and repr(words) == "Vocab()"


def test_default_index(words):
    assert words.get_default_index() is None
    with pytest.raises(VocabError, match="Vocab: Token zz not found and default index is not set; call set_default_index first"):
        words["zz"]
    with pytest.raises(RuntimeError, match="Token q not found and default index is not set"):
        words(["a", "q"])
    words.set_default_index(-5)
    assert words["zz"] == words.get_default_index() == -5
    words.set_default_index(True)
    assert words["zz"] == 1
    words.set_default_index(None)
    assert words.get_default_index() is None
    for wrong in ("a", 1.5):
        with pytest.raises(TypeError, match="Vocab.set_default_index: index is"):
            words.set_default_index(wrong)


def test_insert_and_append(words):
    words.set_default_index(0)
    words.insert_token("d", 1)
    assert words.get_itos() == ["<unk>", "d", "b", "a"] and words.get_stoi() == {"<unk>": 0, "d": 1, "b": 2, "a": 3}
    words.insert_token("e", len(words))
    words.append_token("f")
    assert words.get_itos()[-2:] == ["e", "f"] and words["f"] == 5
    words.insert_token("g", 0)
    assert words.get_default_index() == 0 == words["nope"]  # the number stays, not the token
    with pytest.raises(RuntimeError, match="Vocab.append_token: Token f already exists in the Vocab with index: 6"):
        words.append_token("f")
    with pytest.raises(RuntimeError, match="Vocab.insert_token: Token d already exists"):
        words.insert_token("d", 0)
    for place in (9, -1):
        with pytest.raises(RuntimeError, match=f"Specified index {place} is out of bounds for vocab of size 7"):
            words.insert_token("h", place)
    assert len(words) == 7


def test_errors(words):
    with pytest.raises(RuntimeError, match="Vocab.lookup_token: Specified index 3 is out of bounds for vocab of size 3; expected 0 to 2"):
        words.lookup_token(3)
    with pytest.raises(RuntimeError, match="Specified index -1 is out of bounds"):
        words.lookup_token(-1)
    with pytest.raises(RuntimeError, match="Specified index 9 at position 1 is out of bounds for vocab of size 3"):
        words.lookup_tokens([0, 9])
    with pytest.raises(RuntimeError, match="Specified index 0 is out of bounds for vocab of size 0; it is empty"):
        Vocab([]).lookup_token(0)
    with pytest.raises(RuntimeError, match="Vocab: Duplicate token found in tokens list: x"):
        vocab({"a": 1}, specials=["x", "x"])
    calls = (
        lambda: words[3], lambda: 3 in words, lambda: words.lookup_token("a"), lambda: words.lookup_tokens(dv.tensor([0, 1])),
        lambda: words.lookup_indices(("a", "b")), lambda: words.lookup_indices("ab"), lambda: words("ab"), lambda: words([["a"]]),
        lambda: words.append_token(4), lambda: next(iter(words)), lambda: vocab({1: 2}), lambda: words.lookup_indices(x for x in "ab"),
    )  # fmt: skip
    for call in calls:
        with pytest.raises(TypeError):
            call()


def test_build_from_iterator():
    rows = [["b", "a", "a"], ["c", "b"]]
    assert build_vocab_from_iterator(rows, specials=["<u>"]).get_itos() == ["<u>", "a", "b", "c"]
    assert build_vocab_from_iterator(iter(rows), specials=["<u>"], max_tokens=3).get_itos() == ["<u>", "a", "b"]
    assert build_vocab_from_iterator(rows, specials=["a"], max_tokens=3).get_itos() == ["a", "b"]
    assert build_vocab_from_iterator(rows, min_freq=2, specials=["<u>"], special_first=False).get_itos() == ["a", "b", "<u>"]
    assert build_vocab_from_iterator(["ba", "a"]).get_itos() == ["a", "b"] and len(build_vocab_from_iterator([])) == 0
    with pytest.raises(AssertionError, match=r"len\(specials\) >= max_tokens, so the vocab will be entirely special tokens"):
        build_vocab_from_iterator([["b"]], specials=["<u>"], max_tokens=1)


def test_a_vocabulary_can_be_kept(words, tmp_path):
    dv.save(words.get_itos(), tmp_path / "words.safetensors")
    assert Vocab(dv.load(tmp_path / "words.safetensors")).get_stoi() == words.get_stoi()


def test_copies_are_apart(words):
    other = copy.deepcopy(words)
    other.append_token("z")
    assert "z" not in words and other.get_itos()[:3] == words.get_itos()


def test_saved_by_itself_it_is_read_again_whole(words, tmp_path):
    words.set_default_index(0)
    dv.save(words, tmp_path / "words.safetensors")
    with pytest.raises(FormatError, match=r"holds the tensors of a 'Vocab'.*make the module and pass it: load\(path, into=module\)"):
        dv.load(tmp_path / "words.safetensors")
    found = dv.load(tmp_path / "words.safetensors", into=Vocab([]))
    assert found.get_itos() == ["<unk>", "b", "a"] and found(["a", "q"]) == [2, 0] and found.get_default_index() == 0
    dv.save(words.state_dict(), tmp_path / "state.safetensors")
    other = vocab({"z": 1})
    assert str(other.load_state_dict(dv.load(tmp_path / "state.safetensors"))) == "<All keys matched successfully>"
    assert other.get_stoi() == words.get_stoi()
    other.append_token("new")
    assert "new" not in words and "new" in other
    other.load_state_dict({})  # as torchtext's files have it
    assert other.get_itos() == ["<unk>", "b", "a", "new"]


def test_within_a_module_it_adds_nothing_to_the_state_dict(words):
    model = dv.nn.ModuleDict({"words": words, "layer": dv.nn.Linear(2, 1)})
    assert list(model.state_dict()) == ["layer.weight", "layer.bias"]
    assert str(model.load_state_dict(model.state_dict())) == "<All keys matched successfully>" and len(words) == 3


@pytest.mark.parametrize(
    ("state", "error", "text"),
    [
        ({"tokens": ["a", 1]}, TypeError, "token is int"), ({"tokens": ["a", "a"]}, VocabError, "Duplicate token found in tokens list: a"),
        ({"tokens": 5}, TypeError, "tokens is int; expected a list of strings"), ({"tokens": "ab"}, TypeError, "tokens is str"),
        ({"default_index": "a"}, TypeError, "index is str"), ({"tokens": ["a"], "more": 1}, RuntimeError, "more"),
    ],
)  # fmt: skip
def test_states_that_are_none(words, state, error, text):
    with pytest.raises(error, match=text):
        words.load_state_dict(state)
    assert words.get_itos() == ["<unk>", "b", "a"]
