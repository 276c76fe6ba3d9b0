"""Vocabularies, under the names of torchtext: tokens have numbers, and numbers tokens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from dovetail.errors import AssertedError, TypeMismatch
from dovetail.nn import Module

from .errors import VocabError

_VECTORS = ("CharNGram", "FastText", "GloVe", "Vectors", "pretrained_aliases")
__all__ = ["Vocab", "build_vocab_from_iterator", "vocab", *_VECTORS]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name not in _VECTORS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import vectors

    return getattr(vectors, name)


class Vocab(Module):
    """Tokens numbered from 0, in the order of a list; each once.

    A token that is not there gives the default index where one is set, and is an error where none is. Everything that
    torchtext raises a RuntimeError for is a VocabError (a RuntimeError); wrong types are TypeErrors. Within another module it
    adds nothing to the state dict, as torchtext's; saved by itself it is read again by ``dv.load(path, into=Vocab([]))``.

    >>> words = Vocab(["<unk>", "it", "fits"])
    >>> words["fits"], words(["it", "fits"]), words.lookup_token(1), "well" in words, len(words)
    (2, [1, 2], 'it', False, 3)
    >>> words.set_default_index(0)
    >>> words["well"]
    0
    """

    def __init__(self, tokens: Iterable[str], default_index: int | None = None) -> None:
        super().__init__()
        self._itos: list[str] = []
        self._stoi: dict[str, int] = {}
        for token in [tokens] if isinstance(tokens, str) else tokens:
            _check(token)
            if token in self._stoi:
                raise VocabError("Vocab", f"Duplicate token found in tokens list: {token}", "expected each token once")
            self._stoi[token] = len(self._itos)
            self._itos.append(token)
        self._default: int | None = None
        self.set_default_index(default_index)

    def forward(self, tokens: list[str]) -> list[int]:
        """The numbers of a list of tokens."""
        return self.lookup_indices(tokens)

    def __len__(self) -> int:
        return len(self._itos)

    def __contains__(self, token: str) -> bool:
        return _check(token) in self._stoi

    def __getitem__(self, token: str) -> int:
        found = self._stoi.get(_check(token), self._default)
        if found is None:
            remedy = "call set_default_index first, for instance with the number of '<unk>'"
            raise VocabError("Vocab", f"Token {token} not found and default index is not set", "", remedy)
        return found

    __iter__ = None  # type: ignore[assignment] # tokens are the keys; numbers as keys would be errors

    def set_default_index(self, index: int | None) -> None:
        """Set the number that tokens get that are not there; it need not be one of the vocabulary's. None: an error again."""
        self._default = None if index is None else _whole("set_default_index", index)

    def get_default_index(self) -> int | None:
        """The default index, or None."""
        return self._default

    def insert_token(self, token: str, index: int) -> None:
        """Put a new token at a place; those from there on move up by one. The default index stays the number it is."""
        index = self._place("insert_token", index, len(self) + 1)
        if _check(token) in self._stoi:
            what = f"Token {token} already exists in the Vocab with index: {self._stoi[token]}"
            raise VocabError("Vocab.insert_token", what, "expected a new token")
        self._itos.insert(index, token)
        self._stoi.update((self._itos[i], i) for i in range(index, len(self)))

    def append_token(self, token: str) -> None:
        """Put a new token at the end."""
        if _check(token) in self._stoi:
            what = f"Token {token} already exists in the Vocab with index: {self._stoi[token]}"
            raise VocabError("Vocab.append_token", what, "expected a new token")
        self._stoi[token] = len(self)
        self._itos.append(token)

    def lookup_token(self, index: int) -> str:
        """The token of a number."""
        return self._itos[self._place("lookup_token", index, len(self))]

    def lookup_tokens(self, indices: list[int]) -> list[str]:
        """The tokens of a list of numbers."""
        if not isinstance(indices, list | tuple):
            raise TypeMismatch("Vocab.lookup_tokens", f"indices is {type(indices).__name__}", "expected a list of ints", "call tolist()")
        return [self._itos[self._place("lookup_tokens", index, len(self), at)] for at, index in enumerate(indices)]

    def lookup_indices(self, tokens: list[str]) -> list[int]:
        """The numbers of a list of tokens."""
        if not isinstance(tokens, list):
            raise TypeMismatch("Vocab.lookup_indices", f"tokens is {type(tokens).__name__}", "expected a list of strings")
        return [self[token] for token in tokens]

    def get_stoi(self) -> dict[str, int]:
        """Token → number, a copy."""
        return dict(self._stoi)

    def get_itos(self) -> list[str]:
        """The tokens by number, a copy."""
        return list(self._itos)

    def state_dict(self, *args: Any, **options: Any) -> Any:
        """The tokens and the default index; nothing where it is a part of another module's."""
        found = super().state_dict(*args, **options)
        if not (args[1] if len(args) > 1 else options.get("prefix")):
            found.update(tokens=self.get_itos(), default_index=self._default)
        return found

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Take over the tokens and the default index; what is not there stays. Raises as the constructor does."""
        own = {name: state_dict[name] for name in ("tokens", "default_index") if name in state_dict}
        result = super().load_state_dict({name: t for name, t in state_dict.items() if name not in own}, strict, assign)
        if own:
            if not isinstance(own.get("tokens", []), list | tuple):
                raise TypeMismatch("Vocab.load_state_dict", f"tokens is {type(own['tokens']).__name__}", "expected a list of strings")
            made = Vocab(own.get("tokens", self._itos), own.get("default_index", self._default))
            self._itos, self._stoi, self._default = made._itos, made._stoi, made._default
        return result

    def _place(self, where: str, index: Any, end: int, at: int | None = None) -> int:
        index = _whole(where, index)
        if not 0 <= index < end:
            position = "" if at is None else f" at position {at}"
            what = f"Specified index {index}{position} is out of bounds for vocab of size {len(self)}"
            raise VocabError(f"Vocab.{where}", what, f"expected 0 to {end - 1}" if end else "it is empty")
        return index


def vocab(ordered_dict: Mapping[str, int], min_freq: int = 1, specials: list[str] | None = None, special_first: bool = True) -> Vocab:
    """Make a `Vocab` of the keys of a dict of frequencies, in its order, from ``min_freq`` up, with ``specials`` before or after.

    As torchtext's, it takes the specials out of ``ordered_dict``.

    >>> vocab({"it": 4, "fits": 2, "well": 1}, min_freq=2, specials=["<unk>"]).get_itos()
    ['<unk>', 'it', 'fits']
    """
    specials = specials or []
    for token in specials:
        ordered_dict.pop(token, None)  # type: ignore[attr-defined]
    tokens = [token for token, frequency in ordered_dict.items() if frequency >= min_freq]
    return Vocab([*specials, *tokens] if special_first else [*tokens, *specials])


def build_vocab_from_iterator(
    iterator: Iterable[Iterable[str]],
    min_freq: int = 1,
    specials: list[str] | None = None,
    special_first: bool = True,
    max_tokens: int | None = None,
) -> Vocab:
    """Count the tokens of lists of tokens, and make a `Vocab`: the frequent ones first, equally frequent ones sorted.

    ``max_tokens`` counts the specials. Raises an AssertionError where they leave no room.

    >>> build_vocab_from_iterator([["it", "fits"], ["it"]], specials=["<unk>"]).get_itos()
    ['<unk>', 'it', 'fits']
    """
    counter: Counter[str] = Counter()
    for tokens in iterator:
        counter.update(tokens)
    specials = specials or []
    found = sorted(counter.items(), key=lambda item: (-item[1], item[0]))
    if max_tokens is not None:
        if len(specials) >= max_tokens:
            what = "len(specials) >= max_tokens, so the vocab will be entirely special tokens."
            raise AssertedError("build_vocab_from_iterator", what, f"got {len(specials)} and {max_tokens}")
        found = found[: max_tokens - len(specials)]
    return vocab(dict(found), min_freq, specials, special_first)


def _check(token: Any) -> str:
    if not isinstance(token, str):
        raise TypeMismatch("Vocab", f"token is {type(token).__name__} ({token!r})", "expected a string")
    return token


def _whole(where: str, index: Any) -> int:
    if not hasattr(index, "__index__"):
        raise TypeMismatch(f"Vocab.{where}", f"index is {type(index).__name__} ({index!r})", "expected a whole number")
    return index.__index__()
