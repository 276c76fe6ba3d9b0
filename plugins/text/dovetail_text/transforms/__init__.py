"""Transforms of text, under the names of torchtext; each is a module."""

from __future__ import annotations

from .bert import BERTTokenizer
from .bpe import CharBPETokenizer, CLIPTokenizer, GPT2BPETokenizer
from .mask import MaskTransform
from .regex import RegexTokenizer
from .sentencepiece import SentencePieceTokenizer
from .sequence import AddToken, LabelToIndex, PadTransform, Sequential, StrToIntTransform, ToTensor, Truncate, VocabTransform

__all__ = [
    "AddToken", "BERTTokenizer", "CLIPTokenizer", "CharBPETokenizer", "GPT2BPETokenizer", "LabelToIndex", "MaskTransform",
    "PadTransform", "RegexTokenizer", "SentencePieceTokenizer", "Sequential", "StrToIntTransform", "ToTensor", "Truncate", "VocabTransform",
]  # fmt: skip
