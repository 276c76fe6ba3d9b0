"""Tokenizers learned from text: BPE of bytes as GPT-2's, WordPiece as BERT's, unigram as sentencepiece's; by the ``tokenizers`` package."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from dovetail.errors import TypeMismatch, ValueRangeError

from .backend import package
from .hf import HFTokenizer

__all__ = ["train_bpe", "train_unigram", "train_wordpiece"]

_BERT = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def train_bpe(
    texts: Iterable[str], vocab_size: int, *, min_frequency: int = 2, special_tokens: Sequence[str] = ("<|endoftext|>",)
) -> HFTokenizer:
    """Learn a byte-level BPE: any text can be encoded, and decoding gives it back exactly.

    The vocabulary is ``special_tokens``, the 256 bytes, and merges up to ``vocab_size``; it stops early where no pair
    of tokens occurs ``min_frequency`` times. Source: Radford et al. 2019.

    >>> tokenizer = train_bpe(["it fits, it fits, it fits"], 270, special_tokens=["<pad>"])
    >>> tokenizer.encode("it fits").tokens, tokenizer.decode(tokenizer.encode("naïve").ids)
    (['it', 'Ġfits'], 'naïve')
    """
    _check("train_bpe", texts, vocab_size, 256 + len(special_tokens))
    tk = package()
    byte_level = tk.pre_tokenizers.ByteLevel
    tokenizer = tk.Tokenizer(tk.models.BPE())
    tokenizer.pre_tokenizer = byte_level(add_prefix_space=False)
    tokenizer.decoder = tk.decoders.ByteLevel()
    tokenizer.post_processor = tk.processors.ByteLevel(trim_offsets=False)
    trainer = tk.trainers.BpeTrainer(
        vocab_size=vocab_size, min_frequency=min_frequency, special_tokens=list(special_tokens),
        initial_alphabet=byte_level.alphabet(), show_progress=False,
    )  # fmt: skip
    tokenizer.train_from_iterator(_strings("train_bpe", texts), trainer)
    return HFTokenizer(tokenizer)


def train_wordpiece(
    texts: Iterable[str], vocab_size: int, *, min_frequency: int = 2, lowercase: bool = True, special_tokens: Sequence[str] = _BERT
) -> HFTokenizer:
    """Learn a WordPiece vocabulary, with BERT's clean-up and its ``[CLS] … [SEP]``.

    ``special_tokens`` must hold "[UNK]", "[CLS]" and "[SEP]". Source: Devlin et al. 2019.

    >>> tokenizer = train_wordpiece(["it fits, it fits"], 40)
    >>> tokenizer.encode("It fits").tokens
    ['[CLS]', 'it', 'fits', '[SEP]']
    """
    _check("train_wordpiece", texts, vocab_size, len(special_tokens))
    if missing := {"[UNK]", "[CLS]", "[SEP]"} - set(special_tokens):
        raise ValueRangeError("train_wordpiece", f"special_tokens lacks {', '.join(sorted(missing))}", "expected BERT's", "leave it out")
    tk = package()
    tokenizer = tk.Tokenizer(tk.models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = tk.normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = tk.pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = tk.decoders.WordPiece()
    trainer = tk.trainers.WordPieceTrainer(
        vocab_size=vocab_size, min_frequency=min_frequency, special_tokens=list(special_tokens), show_progress=False
    )
    tokenizer.train_from_iterator(_strings("train_wordpiece", texts), trainer)
    ends = {name: (name, tokenizer.token_to_id(name)) for name in ("[SEP]", "[CLS]")}
    tokenizer.post_processor = tk.processors.BertProcessing(ends["[SEP]"], ends["[CLS]"])
    return HFTokenizer(tokenizer)


def train_unigram(
    texts: Iterable[str], vocab_size: int, *, special_tokens: Sequence[str] = ("<unk>", "<s>", "</s>", "<pad>"), unk_token: str = "<unk>"
) -> HFTokenizer:
    """Learn a unigram vocabulary, as sentencepiece does: pieces with scores, of which the likeliest sequence is taken.

    ``special_tokens`` must hold ``unk_token``. Blanks become ``▁``. Source: Kudo 2018, https://arxiv.org/abs/1804.10959.

    >>> tokenizer = train_unigram(["it fits, it fits well"] * 9, 30)
    >>> tokenizer.decode(tokenizer.encode("it fits").ids)
    'it fits'
    """
    _check("train_unigram", texts, vocab_size, len(special_tokens) + 1)
    if unk_token not in special_tokens:
        raise ValueRangeError("train_unigram", f"special_tokens lacks {unk_token!r}", "expected unk_token among them")
    tk = package()
    tokenizer = tk.Tokenizer(tk.models.Unigram())
    tokenizer.normalizer = tk.normalizers.Sequence([tk.normalizers.NFKC(), tk.normalizers.Replace(tk.Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer, tokenizer.decoder = tk.pre_tokenizers.Metaspace(), tk.decoders.Metaspace()
    trainer = tk.trainers.UnigramTrainer(
        vocab_size=vocab_size, special_tokens=list(special_tokens), unk_token=unk_token, show_progress=False
    )
    tokenizer.train_from_iterator(_strings("train_unigram", texts), trainer)
    return HFTokenizer(tokenizer, unk_token=unk_token)


def _check(where: str, texts: Any, vocab_size: Any, least: int) -> None:
    if isinstance(texts, str | bytes):
        raise TypeMismatch(where, f"texts is one {type(texts).__name__}", "expected several texts", "put it into a list")
    if not isinstance(vocab_size, int) or vocab_size < least:
        raise ValueRangeError(where, f"vocab_size is {vocab_size!r}", f"expected a whole number, {least} or more: special tokens and bytes")


def _strings(where: str, texts: Iterable[str]) -> Iterable[str]:
    for at, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeMismatch(where, f"texts[{at}] is {type(text).__name__}", "expected a string")
        yield text
