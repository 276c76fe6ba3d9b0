"""What the files beside a ``tokenizer.json`` say: special tokens, lengths, sides. Plain data; no class is looked up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dovetail.errors import FormatError

from .special import NAMES

__all__ = ["SPELLINGS", "cleaned_up", "settings"]

#: How special tokens are spelt in the models of the day, for files that do not say which is which.
SPELLINGS = {
    "pad_token": ("[PAD]", "<pad>", "<|pad|>", "<|padding|>", "</pad>"),
    "unk_token": ("[UNK]", "<unk>", "<|unk|>"),
    "cls_token": ("[CLS]",),
    "sep_token": ("[SEP]",),
    "mask_token": ("[MASK]", "<mask>"),
    "bos_token": ("<s>", "[BOS]", "<bos>", "<|startoftext|>", "<|begin_of_text|>"),
    "eos_token": ("</s>", "[EOS]", "<eos>", "<|endoftext|>", "<|end_of_text|>"),
}

# Models with token types, by how the name of their tokenizer begins.
_TYPED = (
    "Bert", "Canine", "ConvBert", "Deberta", "Electra", "FNet", "Funnel", "LayoutLM", "Lxmert", "MarkupLM", "MobileBert", "RoFormer",
    "Splinter", "SqueezeBert", "Tapas",
)  # fmt: skip

_LARGE = 10**20  # transformers writes 1e30 where there is no limit


def settings(files: Mapping[str, Mapping[str, Any]], folder: Any) -> dict[str, Any]:
    """The options of `HFTokenizer` that the two side files give, checked; a later file wins. Unknown fields are left alone."""
    found: dict[str, Any] = {}
    for name, about in files.items():
        for field in NAMES:
            if about.get(field) is not None:
                found[field] = _token(about[field], field, f"{folder}/{name}")
        more = about.get("additional_special_tokens")
        if isinstance(more, list):
            found["additional_special_tokens"] = [_token(item, "additional_special_tokens", f"{folder}/{name}") for item in more]
    config = files.get("tokenizer_config.json", {})
    length = config.get("model_max_length")
    if isinstance(length, int | float) and not isinstance(length, bool) and 0 < length < _LARGE:
        found["model_max_length"] = int(length)
    for side in ("padding_side", "truncation_side"):
        if config.get(side) in ("left", "right"):
            found[side] = config[side]
    if isinstance(config.get("clean_up_tokenization_spaces"), bool):
        found["clean_up_tokenization_spaces"] = config["clean_up_tokenization_spaces"]
    if (template := _templates(config.get("chat_template"))) is not None:
        found["chat_template"] = template
    names = config.get("model_input_names")
    if isinstance(names, list) and all(isinstance(item, str) for item in names):
        found["model_input_names"] = names
    elif str(config.get("tokenizer_class", "")).startswith(_TYPED):
        found["model_input_names"] = ["input_ids", "token_type_ids", "attention_mask"]
    return found


def _templates(found: Any) -> str | dict[str, str] | None:
    """One template, or a list of them with their names."""
    if isinstance(found, list) and all(isinstance(one, dict) and isinstance(one.get("name"), str) for one in found):
        return {one["name"]: one["template"] for one in found if isinstance(one.get("template"), str)}
    return found if isinstance(found, str) else None


def _token(value: Any, field: str, path: Any) -> str:
    content = value.get("content") if isinstance(value, dict) else value
    if not isinstance(content, str):
        raise FormatError(path, None, f"{field} is {value!r}; expected a string, or an object with 'content'")
    return content


def cleaned_up(text: str) -> str:
    """Take out the spaces that WordPiece leaves before marks and short forms, as ``transformers`` does.

    >>> cleaned_up("it does n't fit , does it ?")
    "it doesn't fit, does it?"
    """
    for found in (" .", " ?", " !", " ,", " ' ", " n't", " 'm", " 's", " 've", " 're"):
        text = text.replace(found, found.strip())
    return text
