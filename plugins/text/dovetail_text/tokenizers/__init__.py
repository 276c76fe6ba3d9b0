"""Tokenizers: from text to numbers, and back."""

from __future__ import annotations

from .base import Tokenizer
from .basic_english import BasicEnglish
from .char import Char
from .choose import get_tokenizer
from .encoding import BatchEncoding, Encoding
from .hf import HFTokenizer
from .train import train_bpe, train_wordpiece
from .word import Word

__all__ = [
    "BasicEnglish", "BatchEncoding", "Char", "Encoding", "HFTokenizer", "Tokenizer", "Word", "get_tokenizer", "train_bpe",
    "train_wordpiece",
]  # fmt: skip
