"""Tokenizers: from text to numbers, and back."""

from __future__ import annotations

from .auto import AutoTokenizer, PreTrainedTokenizerFast
from .base import Tokenizer
from .basic_english import BasicEnglish
from .char import Char
from .choose import get_tokenizer
from .encoding import BatchEncoding, Encoding
from .hf import HFTokenizer
from .pieces import from_sentencepiece
from .ranks import from_ranks
from .train import train_bpe, train_unigram, train_wordpiece
from .word import Word

__all__ = [
    "AutoTokenizer", "BasicEnglish", "BatchEncoding", "Char", "Encoding", "HFTokenizer", "PreTrainedTokenizerFast", "Tokenizer", "Word",
    "from_ranks", "from_sentencepiece", "get_tokenizer", "train_bpe", "train_unigram", "train_wordpiece",
]  # fmt: skip
