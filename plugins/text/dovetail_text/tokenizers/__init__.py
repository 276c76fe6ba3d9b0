"""Tokenizers: from text to numbers, and back."""

from __future__ import annotations

from .auto import (
    AutoTokenizer,
    BertTokenizer,
    BertTokenizerFast,
    DistilBertTokenizer,
    DistilBertTokenizerFast,
    GPT2Tokenizer,
    GPT2TokenizerFast,
    LlamaTokenizer,
    LlamaTokenizerFast,
    PreTrainedTokenizer,
    PreTrainedTokenizerFast,
    RobertaTokenizer,
    RobertaTokenizerFast,
    T5Tokenizer,
    T5TokenizerFast,
    XLMRobertaTokenizer,
    XLMRobertaTokenizerFast,
)  # fmt: skip
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
    "AutoTokenizer", "BasicEnglish", "BatchEncoding", "BertTokenizer", "BertTokenizerFast", "Char", "DistilBertTokenizer",
    "DistilBertTokenizerFast", "Encoding", "GPT2Tokenizer", "GPT2TokenizerFast", "HFTokenizer", "LlamaTokenizer", "LlamaTokenizerFast",
    "PreTrainedTokenizer", "PreTrainedTokenizerFast", "RobertaTokenizer", "RobertaTokenizerFast", "T5Tokenizer", "T5TokenizerFast",
    "Tokenizer", "Word", "XLMRobertaTokenizer", "XLMRobertaTokenizerFast", "from_ranks", "from_sentencepiece", "get_tokenizer",
    "train_bpe", "train_unigram", "train_wordpiece",
]  # fmt: skip
