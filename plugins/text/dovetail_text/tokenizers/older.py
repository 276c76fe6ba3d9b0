"""Folders from before ``tokenizer.json``: BERT's ``vocab.txt``, and the ``vocab.json`` and ``merges.txt`` of GPT-2 and RoBERTa."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dovetail.errors import FormatError

from .files import open_text, parse

__all__ = ["READING", "changed", "older_files"]

#: How a text is read, by the names of transformers: of which part of a ``tokenizer.json`` each is a field, and by what name.
READING = {
    "do_lower_case": ("BertNormalizer", "lowercase"), "strip_accents": ("BertNormalizer", "strip_accents"),
    "tokenize_chinese_chars": ("BertNormalizer", "handle_chinese_chars"), "add_prefix_space": ("ByteLevel", "add_prefix_space"),
}  # fmt: skip

_BERT = {"unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]", "mask_token": "[MASK]"}
_GPT2 = dict.fromkeys(("bos_token", "eos_token", "unk_token"), "<|endoftext|>")
_ROBERTA = {
    "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "sep_token": "</s>", "pad_token": "<pad>", "cls_token": "<s>",
    "mask_token": "<mask>",
}  # fmt: skip


def changed(text: str, path: Any, options: Mapping[str, Any]) -> str:
    """The text of a ``tokenizer.json`` that reads texts as the ``options`` say; where it has no such part they make no difference.

    >>> changed('{"normalizer": {"type": "BertNormalizer", "lowercase": true}}', "it", {"do_lower_case": False})
    '{"normalizer": {"type": "BertNormalizer", "lowercase": false}}'
    """
    asked = {READING[name]: value for name, value in options.items() if name in READING and isinstance(value, bool)}
    if not asked:
        return text
    about = parse(text, path)
    parts = [about.get("normalizer"), about.get("pre_tokenizer")]
    while parts:
        part = parts.pop()
        if isinstance(part, list):
            parts += part
        elif isinstance(part, dict):
            parts += [part.get("normalizers"), part.get("pretokenizers")]
            part.update({field: value for (kind, field), value in asked.items() if part.get("type") == kind})
    return json.dumps(about)


def older_files(folder: Path, named: Mapping[str, Any]) -> tuple[str, Path, dict[str, Any]] | None:
    """The text of the ``tokenizer.json`` that stands for a folder's files, the file to blame, and its options; None without such files.

    ``named`` are the special tokens that the folder names. Results are those of transformers. Raises a FormatError for files of others.
    """
    words, pairs = folder / "vocab.txt", folder / "merges.txt"
    if words.is_file():
        usual = _BERT | _tokens(named)
        kinds = () if _family(folder) == "distilbert" else ("token_type_ids",)
        inputs = {"model_input_names": ["input_ids", *kinds, "attention_mask"]}
        return json.dumps(_wordpiece(words, usual)), words, usual | inputs
    if pairs.is_file() and (folder / "vocab.json").is_file():
        vocab = parse(open_text(folder / "vocab.json"), folder / "vocab.json")
        if not all(isinstance(number, int) and not isinstance(number, bool) for number in vocab.values()):
            raise FormatError(folder / "vocab.json", None, "its tokens have values that are no numbers")
        ends = "<s>" in vocab and "</s>" in vocab
        usual = (_ROBERTA if ends else _GPT2) | _tokens(named)
        return json.dumps(_bytes(vocab, pairs, usual, ends)), pairs, usual
    return None


def _tokens(named: Mapping[str, Any]) -> dict[str, str]:
    return {name: token for name, token in named.items() if name.endswith("_token")}


def _family(folder: Path) -> Any:
    config = folder / "config.json"
    return parse(open_text(config), config).get("model_type") if config.is_file() else None


def _wordpiece(path: Path, special: Mapping[str, str]) -> dict[str, Any]:
    lines = open_text(path).replace("\r\n", "\n").removesuffix("\n").split("\n")
    vocab = {word: number for number, word in enumerate(lines)}
    for name in ("unk_token", "cls_token", "sep_token"):
        if special[name] not in vocab:
            raise FormatError(path, None, f"its {name} {special[name]!r} is not in it; expected the words of a BERT, one a line")
    ends = {token: {"id": token, "ids": [vocab[token]], "tokens": [token]} for token in (special["cls_token"], special["sep_token"])}
    first, last = ({"SpecialToken": {"id": token, "type_id": 0}} for token in ends)
    text, pair = {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}
    single = [first, text, last]
    return _file(
        {
            "type": "WordPiece", "unk_token": special["unk_token"], "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
            "vocab": vocab,
        },
        added=_added(vocab, special), pre_tokenizer={"type": "BertPreTokenizer"},
        normalizer={
            "type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True,
        },
        post_processor={
            "type": "TemplateProcessing", "single": single, "special_tokens": ends,
            "pair": [*single, pair, {"SpecialToken": {"id": special["sep_token"], "type_id": 1}}],
        },
        decoder={"type": "WordPiece", "prefix": "##", "cleanup": True},
    )  # fmt: skip


def _bytes(vocab: dict[str, int], path: Path, special: Mapping[str, str], ends: bool) -> dict[str, Any]:
    lines = open_text(path).replace("\r\n", "\n").split("\n")
    merges = [line.split(" ") for line in lines[int(lines[0].startswith("#version")) :] if line]
    if bad := [pair for pair in merges if len(pair) != 2]:
        raise FormatError(path, None, f"a line of it is {' '.join(bad[0])[:80]!r}; expected two parts of a token and a blank between them")
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    after: dict[str, Any] = {**level, "trim_offsets": False}
    if ends:
        sides = {name: [special[f"{name}_token"], vocab.get(special[f"{name}_token"])] for name in ("sep", "cls")}
        if missing := [token for token, number in sides.values() if number is None]:
            raise FormatError(
                path.with_name("vocab.json"), None, f"{missing[0]!r} is not in it; expected the tokens of a GPT-2 or a RoBERTa"
            )
        after = {"type": "RobertaProcessing", "trim_offsets": True, "add_prefix_space": False, **sides}
    return _file(
        {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": "", "end_of_word_suffix": "", "fuse_unk": False,
            "vocab": vocab, "merges": [" ".join(pair) for pair in merges],
        },
        added=_added(vocab, special), normalizer=None, pre_tokenizer=level, post_processor=after,
        decoder={**level, "add_prefix_space": True},
    )  # fmt: skip


def _added(vocab: dict[str, int], special: Mapping[str, str]) -> list[dict[str, Any]]:
    """The special tokens by their numbers; those that are not in the vocabulary come after it."""
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    tokens = dict.fromkeys(special.values())
    numbers = vocab | {token: len(vocab) + at for at, token in enumerate(token for token in tokens if token not in vocab)}
    return [{"id": numbers[token], "content": token, **plain} for token in sorted(tokens, key=numbers.__getitem__)]


def _file(model: dict[str, Any], added: list[dict[str, Any]], **parts: Any) -> dict[str, Any]:
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added, **parts, "model": model}
