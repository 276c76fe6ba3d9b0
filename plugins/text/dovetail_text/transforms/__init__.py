"""Transforms of text, under the names of torchtext; each is a module."""

from __future__ import annotations

from typing import Any

from dovetail.errors import UnsupportedError

from .bert import BERTTokenizer
from .bpe import CharBPETokenizer, CLIPTokenizer, GPT2BPETokenizer
from .mask import MaskTransform
from .regex import RegexTokenizer
from .sequence import AddToken, LabelToIndex, PadTransform, Sequential, StrToIntTransform, ToTensor, Truncate, VocabTransform

__all__ = [
    "AddToken", "BERTTokenizer", "CLIPTokenizer", "CharBPETokenizer", "GPT2BPETokenizer", "LabelToIndex", "MaskTransform",
    "PadTransform", "RegexTokenizer", "Sequential", "StrToIntTransform", "ToTensor", "Truncate", "VocabTransform",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name == "SentencePieceTokenizer":
        remedy = "convert the model to a tokenizer.json and use dovetail_text.tokenizers.HFTokenizer"
        raise UnsupportedError("dovetail_text.transforms", "SentencePieceTokenizer is not there yet", ".model files are not read", remedy)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
