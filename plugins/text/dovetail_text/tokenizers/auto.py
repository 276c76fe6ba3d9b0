"""Tokenizers as transformers hands them out: `HFTokenizer` whose ``encode`` gives a list of numbers."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from typing import Any, Self

from dovetail.errors import TypeMismatch, UnsupportedError

from .backend import Backend, calls, package
from .files import open_text
from .hf import HFTokenizer

__all__ = [
    "AutoTokenizer", "BertTokenizer", "BertTokenizerFast", "DistilBertTokenizer", "DistilBertTokenizerFast", "GPT2Tokenizer",
    "GPT2TokenizerFast", "LlamaTokenizer", "LlamaTokenizerFast", "PreTrainedTokenizer", "PreTrainedTokenizerFast", "RobertaTokenizer",
    "RobertaTokenizerFast", "T5Tokenizer", "T5TokenizerFast", "XLMRobertaTokenizer", "XLMRobertaTokenizerFast",
]  # fmt: skip

_NO_LIMIT = int(1e30)  # what transformers says where a text may have any length
_TRAINERS = {"BPE": "BpeTrainer", "Unigram": "UnigramTrainer", "WordLevel": "WordLevelTrainer", "WordPiece": "WordPieceTrainer"}


class PreTrainedTokenizerFast(HFTokenizer):
    """A tokenizer as programs for transformers expect it, which ``AutoTokenizer.from_pretrained(folder)`` reads.

    It differs from `HFTokenizer` where the packages ``transformers`` and ``tokenizers`` differ: ``encode`` gives a list of numbers,
    ``decode`` takes rows of them too, and a ``model_max_length`` that is not there is 10³⁰. ``tokenizer_object`` is a
    ``tokenizers.Tokenizer``, ``tokenizer_file`` a ``tokenizer.json``.

    >>> from dovetail_text.tokenizers import train_bpe
    >>> tokenizer = PreTrainedTokenizerFast(tokenizer_object=train_bpe(["it fits, it fits"], 270).backend, pad_token="<|endoftext|>")
    >>> ids = tokenizer.encode("it fits")
    >>> type(ids).__name__, tokenizer.decode([ids, ids[:1]])
    ('list', ['it fits', 'it'])
    """

    def __init__(
        self, tokenizer: Any = None, *, tokenizer_object: Any = None, tokenizer_file: str | os.PathLike[str] | None = None, **options: Any
    ) -> None:
        if tokenizer is None:
            tokenizer = tokenizer_object if tokenizer_file is None else Backend(open_text(tokenizer_file), tokenizer_file)
        super().__init__(tokenizer, **options)

    @property
    def model_max_length(self) -> int:  # type: ignore[override]
        """How many tokens the model takes; 10³⁰ where the folder does not say."""
        return self._most or _NO_LIMIT

    @model_max_length.setter
    def model_max_length(self, value: int | None) -> None:
        self._most = value

    @property
    def backend_tokenizer(self) -> Any:
        """The ``tokenizers.Tokenizer`` inside."""
        return self.backend

    def encode(self, text: Any, text_pair: Any = None, add_special_tokens: bool = True, **options: Any) -> Any:
        """The numbers of one text, or of two: ``tokenizer(text, …).input_ids``, a list unless ``return_tensors`` says otherwise."""
        return self(text, text_pair, add_special_tokens=add_special_tokens, **options)["input_ids"]

    def decode(self, token_ids: Any, skip_special_tokens: bool = False, **options: Any) -> Any:
        """The text of numbers, or the texts of rows of them."""
        rows = token_ids.tolist() if hasattr(token_ids, "tolist") else token_ids
        if isinstance(rows, list | tuple) and rows and not hasattr(rows[0], "__index__"):
            return [self.decode(row, skip_special_tokens, **options) for row in rows]
        return super().decode(rows, skip_special_tokens, **options)

    def decode_batch(self, sequences: Any, skip_special_tokens: bool = False, **options: Any) -> list[str]:
        """The text of each row; numbers that are no rows are one."""
        found = self.decode(sequences, skip_special_tokens, **options)
        return [found] if isinstance(found, str) else found

    batch_decode = decode_batch

    def train_new_from_iterator(
        self, text_iterator: Iterable[Any], vocab_size: int, length: int | None = None, new_special_tokens: Sequence[str] | None = None,
        **options: Any,
    ) -> Self:  # fmt: skip
        """A tokenizer of the same kind and with the same special tokens, whose vocabulary is learned from texts (or lists of texts).

        ``options`` go to the trainer of the package tokenizers (``min_frequency`` …). Raises an UnsupportedError for a kind of model that
        cannot be trained.
        """
        tk, about = package(), json.loads(self.to_str())
        kind, model = about["model"]["type"], about["model"]
        if kind not in _TRAINERS:
            raise UnsupportedError("train_new_from_iterator", f"the model is a {kind}", f"expected one of {', '.join(_TRAINERS)}")
        if isinstance(text_iterator, str):
            raise TypeMismatch("train_new_from_iterator", "text_iterator is one str", "expected several texts", "put it into a list")
        added, processor = about["added_tokens"], about["post_processor"]
        about |= {"added_tokens": [], "post_processor": None}
        if kind == "Unigram":
            if model.get("unk_id") is not None:
                options.setdefault("unk_token", model["vocab"][model["unk_id"]][0])
                model |= {"vocab": [[options["unk_token"], 0.0]], "unk_id": 0}
        else:
            model["vocab"] = {}
        if kind == "BPE":
            model["merges"] = []
            for name in ("continuing_subword_prefix", "end_of_word_suffix"):
                if model.get(name) is not None:
                    options.setdefault(name, model[name])
        if "ByteLevel" in json.dumps(about["pre_tokenizer"]):
            options.setdefault("initial_alphabet", tk.pre_tokenizers.ByteLevel.alphabet())
        kept = [one for one in added if one["special"] or kind == "Unigram"]
        special = [tk.AddedToken(**{name: value for name, value in one.items() if name != "id"}) for one in kept]
        special += list(new_special_tokens or ())
        fresh = tk.Tokenizer.from_str(json.dumps(about))
        with calls("train_new_from_iterator"):
            trainer = getattr(tk.trainers, _TRAINERS[kind])(vocab_size=vocab_size, special_tokens=special, show_progress=False, **options)
            fresh.train_from_iterator(text_iterator, trainer, length)
        trained = json.loads(fresh.to_str())
        trained["post_processor"] = _renumbered(processor, fresh.token_to_id)
        own = {"model_max_length": self._most, "padding_side": self.padding_side, "truncation_side": self.truncation_side,
               "model_input_names": self.model_input_names, "chat_template": self.chat_template,
               "clean_up_tokenization_spaces": self.clean_up_tokenization_spaces, **self.special_tokens_map}  # fmt: skip
        return type(self)(json.dumps(trained), **own)


def _renumbered(processor: Any, number: Any) -> Any:
    """A post-processor whose special tokens have the numbers of a new vocabulary."""
    for one in (processor or {}).get("processors", ()):
        _renumbered(one, number)
    for name in ("cls", "sep"):
        if processor and isinstance(processor.get(name), list):
            processor[name] = [processor[name][0], number(processor[name][0])]
    if processor and isinstance(processor.get("special_tokens"), dict):
        for about in processor["special_tokens"].values():
            about["ids"] = [number(token) for token in about["tokens"]]
    return processor


# There is one kind, which reads any folder; programs call it by the names of transformers' many.
AutoTokenizer = BertTokenizer = BertTokenizerFast = DistilBertTokenizer = DistilBertTokenizerFast = PreTrainedTokenizerFast
GPT2Tokenizer = GPT2TokenizerFast = RobertaTokenizer = RobertaTokenizerFast = XLMRobertaTokenizer = XLMRobertaTokenizerFast = AutoTokenizer
LlamaTokenizer = LlamaTokenizerFast = T5Tokenizer = T5TokenizerFast = PreTrainedTokenizer = AutoTokenizer
