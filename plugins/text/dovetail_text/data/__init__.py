"""Tools between text and model: torchtext's ``data``, collators that pad, and batches of like length."""

from __future__ import annotations

from .collate import DataCollatorForLanguageModeling, DataCollatorWithPadding, PadCollator
from .functional import (
    custom_replace,
    filter_wikipedia_xml,
    generate_sp_model,
    load_sp_model,
    numericalize_tokens_from_iterator,
    sentencepiece_numericalizer,
    sentencepiece_tokenizer,
    simple_space_split,
    to_map_style_dataset,
)
from .metrics import bleu_score
from .packing import DataCollatorWithFlattening, PackCollator
from .sampler import BucketBatchSampler
from .sequence import DataCollatorForSeq2Seq, DataCollatorForTokenClassification, default_data_collator
from .utils import get_tokenizer, interleave_keys, ngrams_iterator

__all__ = [
    "BucketBatchSampler", "DataCollatorForLanguageModeling", "DataCollatorForSeq2Seq", "DataCollatorForTokenClassification",
    "DataCollatorWithFlattening", "DataCollatorWithPadding", "PackCollator", "PadCollator", "bleu_score", "custom_replace",
    "default_data_collator", "filter_wikipedia_xml", "generate_sp_model", "get_tokenizer", "interleave_keys", "load_sp_model",
    "ngrams_iterator", "numericalize_tokens_from_iterator", "sentencepiece_numericalizer", "sentencepiece_tokenizer",
    "simple_space_split", "to_map_style_dataset",
]  # fmt: skip
