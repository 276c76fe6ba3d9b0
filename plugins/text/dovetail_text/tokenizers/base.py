"""The face that all tokenizers of numbers share: encode, decode, call with padding and truncation, special tokens."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

from dovetail.errors import FormatError

from ..padding import FILLS, as_tensors, check_side, pad_lists, target_length
from .chat import ChatTemplates
from .checks import is_one, no_pad, pair_list, pairs_of
from .encoding import LISTS, BatchEncoding, Encoding
from .special import SpecialTokens
from .strategies import Cut, cut_of, padding_of

__all__ = ["Tokenizer"]


class Tokenizer(ChatTemplates, SpecialTokens):
    """Text to numbers and back.

    ``encode`` gives an `Encoding`, as Hugging Face's ``tokenizers``; calling it gives a `BatchEncoding`, as
    ``transformers``, with the same arguments. A subclass brings ``vocab_size``, ``token_to_id``, ``id_to_token``,
    ``get_vocab``, ``decode``, ``to_str``, and ``encode_many``, which the rest is made of.
    """

    padding_side = "right"
    truncation_side = "right"
    model_max_length: int | None = None
    model_input_names: Sequence[str] = ("input_ids", "attention_mask")

    # ------------------------------------------------------------------------------------- what a subclass brings

    @property
    def vocab_size(self) -> int:
        """How many tokens the vocabulary has, without those that were added later."""
        raise NotImplementedError

    def token_to_id(self, token: str) -> int | None:
        """The number of a token, or None."""
        raise NotImplementedError

    def id_to_token(self, id: int) -> str | None:
        """The token of a number, or None."""
        raise NotImplementedError

    def get_vocab(self) -> dict[str, int]:
        """All tokens and their numbers."""
        raise NotImplementedError

    def to_str(self) -> str:
        """The tokenizer as JSON text, which ``from_str`` reads."""
        raise NotImplementedError

    def encode_many(self, texts: Sequence[Any], pairs: Sequence[Any] | None, special: bool, cut: Cut | None, words: bool) -> list[Any]:
        """Encode checked texts (lists of words where ``words``), each with its pair, cut as ``cut`` says."""
        raise NotImplementedError

    def decode(self, token_ids: Any, skip_special_tokens: bool = False, **options: Any) -> str:
        """The text of numbers: a list, a tensor, an `Encoding` or a single number."""
        raise NotImplementedError

    # ------------------------------------------------------------------------------------------------- the face

    def encode(self, text: str, text_pair: str | None = None, add_special_tokens: bool = True, **options: Any) -> Any:
        """Encode one text, or two, without padding or truncation.

        With ``options`` of a call, such as ``return_tensors`` or ``max_length``, it is ``tokenizer(text, …).input_ids``, as in
        transformers. Raises a TypeError for what is not a string, and a ValueError for a lone surrogate.
        """
        if options:
            return self(text, text_pair, add_special_tokens=add_special_tokens, **options)["input_ids"]
        return self.encode_batch([text if text_pair is None else (text, text_pair)], add_special_tokens)[0]

    def encode_batch(self, texts: Iterable[Any], add_special_tokens: bool = True) -> list[Encoding]:
        """Encode several texts, or pairs of texts."""
        texts, pairs = pairs_of(list(texts), None, False)
        about = self.pad_token_id or 0, self.model_input_names
        return [Encoding.like(item, *about) for item in self.encode_many(texts, pairs, add_special_tokens, None, False)]

    def tokenize(self, text: str, pair: str | None = None, add_special_tokens: bool = False) -> list[str]:
        """The tokens of a text."""
        return self.encode_batch([text if pair is None else (text, pair)], add_special_tokens)[0].tokens

    def decode_batch(self, sequences: Iterable[Any], skip_special_tokens: bool = False, **options: Any) -> list[str]:
        """The text of each list of numbers (or row of a tensor)."""
        rows = sequences.tolist() if hasattr(sequences, "tolist") else sequences
        return [self.decode(row, skip_special_tokens, **options) for row in rows]

    batch_decode = decode_batch

    def __len__(self) -> int:
        return self.vocab_size

    def __call__(
        self,
        text: Any = None,
        text_pair: Any = None,
        text_target: Any = None,
        *,
        add_special_tokens: bool = True,
        padding: bool | str = False,
        truncation: bool | str | None = None,
        max_length: int | None = None,
        stride: int = 0,
        is_split_into_words: bool = False,
        pad_to_multiple_of: int | None = None,
        padding_side: str | None = None,
        return_tensors: str | None = None,
        return_token_type_ids: bool | None = None,
        return_attention_mask: bool | None = None,
        return_overflowing_tokens: bool = False,
        return_special_tokens_mask: bool = False,
        return_offsets_mapping: bool = False,
        return_length: bool = False,
    ) -> BatchEncoding:
        """Encode a text or a list of texts into what models take, with the arguments of ``transformers``.

        ``return_tensors`` is None (lists), "pt" or "dv" (Dovetail's tensors, int64) or "np". A single text gives plain
        lists, or tensors with a first dimension of 1. Raises a TypeError for what is no text and a ValueError for
        padding without a pad token, for rows of unequal length where tensors are asked for, for unknown strategies. The
        numbers of ``text_target`` become ``labels``, or, without a text, all there is.
        """
        if text is None and text_target is not None:
            text, text_target = text_target, None
        cut = cut_of(self, padding, truncation, max_length, stride)
        pads, length = padding_of(self, padding, cut, max_length, pad_to_multiple_of)
        side = check_side(type(self).__name__, self.padding_side if padding_side is None else padding_side)
        single = is_one(text, is_split_into_words)
        texts, pairs = pairs_of([text] if single else list(text), pair_list(text_pair, single), is_split_into_words)
        encodings = self.encode_many(texts, pairs, add_special_tokens, cut, is_split_into_words)
        owners = list(range(len(encodings)))
        if return_overflowing_tokens:
            owners = [i for i, item in enumerate(encodings) for _ in range(1 + len(item.overflowing))]
            encodings = [part for item in encodings for part in (item, *item.overflowing)]
        asked = {
            "token_type_ids": return_token_type_ids, "attention_mask": return_attention_mask,
            "special_tokens_mask": return_special_tokens_mask, "offset_mapping": return_offsets_mapping,
        }  # fmt: skip
        names = [n for n in LISTS if (n == "input_ids" or (n in self.model_input_names if asked[n] is None else asked[n]))]
        columns = {name: [getattr(item, LISTS[name]) for item in encodings] for name in names}
        goal = target_length(map(len, columns["input_ids"]), pads, length, pad_to_multiple_of)
        if goal is not None:
            fills = FILLS | {"input_ids": self.pad_token_id}
            columns = {name: pad_lists(rows, goal, fills[name], side) for name, rows in columns.items()}
        if return_length:
            columns["length"] = [len(row) for row in columns["input_ids"]]
        if return_overflowing_tokens:
            columns["overflow_to_sample_mapping"] = owners
        if single and return_tensors is None and not return_overflowing_tokens:
            found = {n: rows[0] if isinstance(rows[0], list) else rows for n, rows in columns.items()}
        else:
            found = as_tensors(columns, return_tensors)
        if text_target is not None:
            found["labels"] = self(
                text_target, add_special_tokens=add_special_tokens, padding=padding, truncation=truncation, max_length=max_length,
                is_split_into_words=is_split_into_words, pad_to_multiple_of=pad_to_multiple_of, padding_side=padding_side,
                return_tensors=return_tensors,
            )["input_ids"]  # fmt: skip
        return BatchEncoding(found, _kept(encodings), side, self.pad_token)

    def pad(self, encoded_inputs: Any, padding: bool | str = True, **options: Any) -> BatchEncoding:
        """Pad features that were encoded before: a list of dicts or of encodings, or a dict of lists.

        ``options``: max_length, pad_to_multiple_of, padding_side, return_tensors.
        """
        from ..data.collate import pad_features

        if self.pad_token_id is None and padding is not False:
            raise no_pad(self)
        return BatchEncoding(pad_features(encoded_inputs, pad_id=self.pad_token_id, side=self.padding_side, padding=padding, **options))

    # -------------------------------------------------------------------------------------------------- files

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the tokenizer to a file, whole or not at all; ``from_file`` reads it."""
        from dovetail.io.atomic import replacing

        with replacing(path) as temporary:
            temporary.write_text(self.to_str(), encoding="utf-8")

    @classmethod
    def from_str(cls, json: str, path: Any = "tokenizer.json") -> Any:
        """Read a tokenizer from JSON text, whichever kind it is; ``path`` is what errors call it."""
        from .files import read

        made = read(json, path)
        if not isinstance(made, cls):
            raise FormatError(
                path, None, f"it holds a {type(made).__name__}; expected a {cls.__name__}; use {type(made).__name__}.from_file"
            )
        return made

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Any:
        """Read a file that ``save`` wrote, or a ``tokenizer.json`` of Hugging Face's, or a folder with one.

        Raises FileNotFoundError, and a FormatError for a file that is something else.
        """
        from .files import open_text

        if os.path.isdir(path):
            from .hf import HFTokenizer

            return HFTokenizer.from_folder(path)
        return cls.from_str(open_text(path), path)


def _kept(encodings: Sequence[Any]) -> list[Encoding]:
    return encodings if all(isinstance(item, Encoding) for item in encodings) else _Later(encodings)  # type: ignore[return-value]


class _Later(list):
    """Foreign encodings that become ours when somebody looks."""

    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        return [Encoding.like(item) for item in found] if isinstance(index, slice) else Encoding.like(found)

    def __reduce__(self) -> Any:
        return list, (self[:],)
