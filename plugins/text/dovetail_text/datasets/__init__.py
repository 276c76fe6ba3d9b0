"""Corpora and datasets of text: some that ship, torchtext's by their names, and any of Hugging Face's."""

from __future__ import annotations

from .blocks import BlockDataset, lm_blocks
from .cnndm import CNNDM
from .hub import HFDataset, HFIterableDataset, from_files, hf
from .iwslt import IWSLT2016, IWSLT2017
from .pydoc import PyDoc
from .torchtext import (
    AG_NEWS,
    CC100,
    IMDB,
    MNLI,
    MRPC,
    QNLI,
    QQP,
    RTE,
    SST2,
    STSB,
    UDPOS,
    WNLI,
    AmazonReviewFull,
    AmazonReviewPolarity,
    CoLA,
    CoNLL2000Chunking,
    DBpedia,
    EnWik9,
    Multi30k,
    PennTreebank,
    SogouNews,
    SQuAD1,
    SQuAD2,
    WikiText2,
    WikiText103,
    YahooAnswers,
    YelpReviewFull,
    YelpReviewPolarity,
)  # fmt: skip
from .udhr import UDHR

_TORCHTEXT = (
    AG_NEWS, AmazonReviewFull, AmazonReviewPolarity, CC100, CNNDM, CoLA, CoNLL2000Chunking, DBpedia, EnWik9, IMDB, IWSLT2016, IWSLT2017,
    MNLI, MRPC, Multi30k, PennTreebank, QNLI, QQP, RTE, SQuAD1, SQuAD2, SST2, STSB, SogouNews, UDPOS, WNLI, WikiText103, WikiText2,
    YahooAnswers, YelpReviewFull, YelpReviewPolarity,
)  # fmt: skip

#: torchtext's data sets by their names, which programs choose from.
DATASETS = {made.__name__: made for made in _TORCHTEXT}

__all__ = [
    "DATASETS", "BlockDataset", "HFDataset", "HFIterableDataset", "PyDoc", "UDHR", "from_files", "hf", "lm_blocks", "AG_NEWS",
    "AmazonReviewFull", "AmazonReviewPolarity", "CC100", "CNNDM", "CoLA", "CoNLL2000Chunking", "DBpedia", "EnWik9", "IMDB",
    "IWSLT2016", "IWSLT2017", "MNLI", "MRPC", "Multi30k", "PennTreebank", "QNLI", "QQP", "RTE", "SQuAD1", "SQuAD2", "SST2", "STSB",
    "SogouNews", "UDPOS", "WNLI", "WikiText103", "WikiText2", "YahooAnswers", "YelpReviewFull", "YelpReviewPolarity",
]  # fmt: skip
