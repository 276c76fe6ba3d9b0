"""Tokenizers of Hugging Face's ``tokenizers`` package, behind the same face as ours."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dovetail.errors import DovetailError, FormatError, RangeError, TypeMismatch, UnsupportedError, ValueRangeError
from dovetail.io.atomic import replacing

from ..hub_files import folder_of, hub_options
from .backend import Backend, calls
from .base import Tokenizer
from .checks import whole_numbers
from .config import cleaned_up, settings
from .files import decoded, open_text, parse, template_files, write_templates
from .older import READING, changed, older_files
from .strategies import Cut

__all__ = ["HFTokenizer"]

_LISTS = ("additional_special_tokens", "extra_special_tokens")


class HFTokenizer(Tokenizer):
    """A tokenizer of Hugging Face's: BPE, WordPiece, Unigram or word level, with all that its ``tokenizer.json`` says.

    ``tokenizer`` is a ``tokenizers.Tokenizer`` (a copy is taken) or the JSON text of one. Special tokens are given by
    name (``pad_token="[PAD]"``); those that are not given are found in the file's padding section or by their usual
    spelling. ``encode`` neither pads nor cuts, whatever the file says; calling the tokenizer does, as its arguments say,
    and gives what ``transformers.PreTrainedTokenizerFast`` gives. Calls from several threads take turns.

    >>> letters = '{"model": {"type": "WordLevel", "vocab": {"it": 0, "fits": 1, "[UNK]": 2}, "unk_token": "[UNK]"},'
    >>> tokenizer = HFTokenizer(letters + '"pre_tokenizer": {"type": "Whitespace"}, "added_tokens": []}')
    >>> tokenizer("it fits", return_tensors="pt").input_ids
    tensor([[0, 1]])
    """

    def __init__(
        self,
        tokenizer: Any,
        *,
        model_max_length: int | None = None,
        padding_side: str = "right",
        truncation_side: str = "right",
        model_input_names: Sequence[str] | None = None,
        clean_up_tokenization_spaces: bool = False,
        additional_special_tokens: Sequence[str] = (),
        chat_template: str | dict[str, str] | None = None,
        **special_tokens: str | None,
    ) -> None:
        self._start(tokenizer if isinstance(tokenizer, Backend) else Backend(tokenizer, "tokenizer.json"))
        self.init_special(self._guess() | special_tokens, additional_special_tokens)
        for name, side in (("padding_side", padding_side), ("truncation_side", truncation_side)):
            if side not in ("left", "right"):
                raise ValueRangeError("HFTokenizer", f"{name} is {side!r}", "expected 'left' or 'right'")
        self.model_max_length, self.padding_side, self.truncation_side = model_max_length, padding_side, truncation_side
        self.clean_up_tokenization_spaces, self.chat_template = clean_up_tokenization_spaces, chat_template
        if model_input_names is not None:
            self.model_input_names = list(model_input_names)

    def _start(self, read: Backend) -> None:
        self.backend, self._lock = read.tokenizer, threading.RLock()
        self._padding = self.backend.padding or {}
        self.backend.no_padding()
        self.backend.no_truncation()

    def _guess(self) -> dict[str, str | None]:
        """Special tokens of the file itself: its padding section, and added ones with a well-known spelling."""
        from .config import SPELLINGS

        added = {token.content for token in self.backend.get_added_tokens_decoder().values() if token.special}
        found: dict[str, str | None] = {}
        for name, spellings in SPELLINGS.items():
            found[name] = next((spelling for spelling in spellings if spelling in added), None)
        pad = self._padding.get("pad_token")
        if pad is not None and self.token_to_id(pad) is not None:
            found["pad_token"] = pad
        return found

    @classmethod
    def from_json(cls, text: str, path: Any = "tokenizer.json", **options: Any) -> HFTokenizer:
        """Read the text of a ``tokenizer.json``; ``path`` is what errors call it, ``options`` are those of the class."""
        read = Backend(text, path)
        try:
            return cls(read, **options)
        except DovetailError as error:
            raise FormatError(path, None, str(error)) from error

    @classmethod
    def from_bytes(cls, data: bytes, **options: Any) -> HFTokenizer:
        """Read the bytes of a ``tokenizer.json``."""
        if not isinstance(data, bytes | bytearray | memoryview):
            raise TypeMismatch("HFTokenizer.from_bytes", f"data is {type(data).__name__}", "expected bytes")
        return cls.from_json(decoded(bytes(data), "tokenizer.json"), **options)

    @classmethod
    def from_folder(cls, folder: str | os.PathLike[str], **options: Any) -> HFTokenizer:
        """Read a folder as ``save_pretrained`` writes it: ``tokenizer.json``, and beside it ``tokenizer_config.json``
        and ``special_tokens_map.json`` and chat templates where they are there. Without the first, a BERT's ``vocab.txt`` and the
        ``vocab.json`` and ``merges.txt`` of a GPT-2 or a RoBERTa are read as transformers reads them.

        Names of classes and code in the configuration are not followed; a chat template
        runs when a chat is written, in a sandbox. Raises FileNotFoundError and FormatError.
        """
        folder = Path(folder)
        file = folder / "tokenizer.json"
        about = {name: _side_file(folder / name) for name in ("special_tokens_map.json", "tokenizer_config.json")}
        found = settings(about, folder) | template_files(folder)
        reading, options = ({name: value for name, value in options.items() if (name in READING) == asked} for asked in (True, False))
        if file.is_file():
            return cls.from_json(changed(open_text(file), file, reading), file, **found | options)
        older = older_files(folder, found | options)
        if older is None:
            models = "; a sentencepiece .model is read by from_sentencepiece" if any(folder.glob("*.model")) else ""
            raise FileNotFoundError(f"{folder}: there is no tokenizer.json; write it with save_pretrained of a fast tokenizer{models}")
        text, file, usual = older
        return cls.from_json(changed(text, file, about["tokenizer_config.json"] | reading), file, **usual | found | options)

    @classmethod
    def from_pretrained(cls, path: str | os.PathLike[str], **options: Any) -> HFTokenizer:
        """`from_folder`, of a model on the hub by its name too, or a ``tokenizer.json``; fetching is as for models."""
        options.pop("use_fast", None)  # there is one kind
        path = folder_of(path, **hub_options(options))
        return cls.from_folder(path, **options) if os.path.isdir(path) else cls.from_json(open_text(path), path, **options)

    def save_pretrained(self, folder: str | os.PathLike[str]) -> tuple[str, ...]:
        """Write ``tokenizer.json``, ``tokenizer_config.json`` and chat templates into a folder; `from_folder` and transformers read it."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.save(folder / "tokenizer.json")
        about = {
            "tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": self.model_max_length or 10**30,
            "padding_side": self.padding_side, "truncation_side": self.truncation_side,
            "clean_up_tokenization_spaces": self.clean_up_tokenization_spaces,
            "model_input_names": list(self.model_input_names), **self.special_tokens_map,
        }  # fmt: skip
        write_templates(folder, self.chat_template)
        with replacing(folder / "tokenizer_config.json") as temporary:
            temporary.write_text(json.dumps(about, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        return str(folder / "tokenizer_config.json"), str(folder / "tokenizer.json")

    # ------------------------------------------------------------------------------------------------- the face

    is_fast = True

    @property
    def vocab_size(self) -> int:
        return self.backend.get_vocab_size(with_added_tokens=False)

    def __len__(self) -> int:
        return self.backend.get_vocab_size(with_added_tokens=True)

    def token_to_id(self, token: str) -> int | None:
        try:
            return self.backend.token_to_id(token)
        except UnicodeEncodeError:  # a lone surrogate, which no vocabulary of the package holds
            return None

    def id_to_token(self, id: int) -> str | None:
        return self.backend.id_to_token(id) if 0 <= id < 2**32 else None

    def get_vocab(self) -> dict[str, int]:
        return self.backend.get_vocab(with_added_tokens=True)

    def get_added_vocab(self) -> dict[str, int]:
        """The tokens that were added to those of the model, and their numbers."""
        return {token.content: number for number, token in self.backend.get_added_tokens_decoder().items()}

    def convert_tokens_to_string(self, tokens: Sequence[str]) -> str:
        """The text of tokens, without their numbers."""
        decoder = self.backend.decoder
        with calls("HFTokenizer.convert_tokens_to_string"):
            return " ".join(tokens) if decoder is None else decoder.decode(list(tokens))

    def to_str(self) -> str:
        return self.backend.to_str()

    def num_special_tokens_to_add(self, pair: bool = False) -> int:
        """How many special tokens a text (or a pair) gets."""
        return self.backend.num_special_tokens_to_add(pair)

    def encode_many(self, texts: Sequence[Any], pairs: Sequence[Any] | None, special: bool, cut: Cut | None, words: bool) -> list[Any]:
        batch = list(texts) if pairs is None else list(zip(texts, pairs))
        with self._lock, calls("HFTokenizer.encode"):
            if cut is None:
                return self.backend.encode_batch(batch, is_pretokenized=words, add_special_tokens=special)
            self.backend.enable_truncation(cut.length, stride=cut.stride, strategy=cut.strategy, direction=cut.side)
            try:
                return self.backend.encode_batch(batch, is_pretokenized=words, add_special_tokens=special)
            finally:
                self.backend.no_truncation()

    def decode(
        self, token_ids: Any, skip_special_tokens: bool = False, clean_up_tokenization_spaces: bool | None = None, **options: Any
    ) -> str:
        """The text of numbers: a list, a one-dimensional tensor, an `Encoding` or a single number.

        Raises an IndexError for a number that no token has, a TypeError for what is no whole number.
        """
        options.pop("spaces_between_special_tokens", None)  # transformers, too, heeds it for slow tokenizers only
        if options:
            raise UnsupportedError("HFTokenizer.decode", f"it does not know {', '.join(sorted(options))}")
        numbers = whole_numbers("HFTokenizer.decode", token_ids)
        for at, number in enumerate(numbers):
            if self.id_to_token(number) is None:
                raise RangeError("HFTokenizer.decode", f"indices[{at}] is {number}", f"expected a token's number, 0 to {len(self) - 1}")
        with calls("HFTokenizer.decode"):
            text = self.backend.decode(numbers, skip_special_tokens=skip_special_tokens)
        clean = self.clean_up_tokenization_spaces if clean_up_tokenization_spaces is None else clean_up_tokenization_spaces
        return cleaned_up(text) if clean and type(self.backend.model).__name__ != "BPE" else text

    def add_tokens(self, tokens: Sequence[str], special_tokens: bool = False) -> int:
        """Add tokens that the vocabulary does not have, and return how many; a model's embedding must grow with them."""
        tokens = [tokens] if isinstance(tokens, str) else list(tokens)
        with self._lock, calls("HFTokenizer.add_tokens"):
            return self.backend.add_special_tokens(tokens) if special_tokens else self.backend.add_tokens(tokens)

    def add_special_tokens(self, tokens: Mapping[str, Any]) -> int:
        """Add special tokens by name, ``{"pad_token": "[PAD]"}``, and return how many are new.

        ``additional_special_tokens`` (or ``extra_special_tokens``) is a list of tokens without a name, which takes the place of an
        earlier one.
        """
        more = [token for name in _LISTS for token in tokens.get(name, ())]
        named = {name: token for name, token in tokens.items() if name not in _LISTS}
        new = self.add_tokens([*named.values(), *more], special_tokens=True)
        for name, token in named.items():
            self.set_special(name, token)
        self._additional = more or self._additional
        return new

    @property
    def vocab(self) -> dict[str, int]:
        """`get_vocab`, by its other name."""
        return self.get_vocab()

    def __getstate__(self) -> dict[str, Any]:
        return {**{k: v for k, v in vars(self).items() if k not in ("backend", "_lock")}, "json": self.to_str()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        padding = state["_padding"]
        self._start(Backend(state.pop("json"), "tokenizer.json"))
        vars(self).update(state, _padding=padding)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({type(self.backend.model).__name__}, {len(self)} tokens, special={self.special_tokens_map})"


def _side_file(path: Path) -> dict[str, Any]:
    return parse(open_text(path), path) if path.is_file() else {}
