"""Tokenizers: from text to tokens, and back where that is possible."""

from __future__ import annotations

from .basic_english import BasicEnglish
from .char import Char
from .choose import get_tokenizer

__all__ = ["BasicEnglish", "Char", "get_tokenizer"]
