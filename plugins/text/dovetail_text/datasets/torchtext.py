"""torchtext's data sets by their names: from local files as their authors published them, or else from the Hugging Face hub.

Local files are read whole: a sample of the largest (EnWik9, WikiText103, AmazonReview) costs some hundred bytes of memory beyond its text.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from dovetail.errors import FormatError, TypeMismatch, ValueRangeError

from ..errors import HubError, MissingPackage
from ..reading import lines_of
from .local import Samples, columns_of, find, folders, squad_of, table_of, whole_lines_of

__all__ = [
    "AG_NEWS", "CC100", "CoLA", "CoNLL2000Chunking", "DBpedia", "AmazonReviewFull", "AmazonReviewPolarity", "EnWik9", "IMDB",
    "MNLI", "MRPC", "Multi30k", "PennTreebank", "QNLI", "QQP", "RTE", "SQuAD1", "SQuAD2", "SST2", "STSB",
    "SogouNews", "UDPOS", "WNLI", "WikiText103", "WikiText2", "YahooAnswers", "YelpReviewFull", "YelpReviewPolarity",
]  # fmt: skip

Root = str | os.PathLike[str] | None
Split = str | tuple[str, ...] | list[str]
_HOME = "https://docs.pytorch.org/text/stable/datasets.html"


@dataclass(frozen=True)
class _Source:
    """Where a data set is and how it is read: a file a split, the archives it may be in, and its name on the hub."""

    files: dict[str, str]
    read: Callable[[Path, str], list[Any]]
    archives: tuple[str, ...] = ()
    hub: tuple[str, str | None] | None = None
    convert: Callable[[dict[str, Any], str], Any] | None = None
    hub_splits: tuple[tuple[str, str], ...] = (("dev", "validation"), ("valid", "validation"))


def _chosen(name: str, split: Any, known: Sequence[str]) -> tuple[str, ...]:
    asked = (split,) if isinstance(split, str) else tuple(split)
    if not asked or not set(asked) <= set(known):
        raise TypeMismatch(name, f"split is {split!r}", f"expected one or several of {', '.join(map(repr, known))}")
    return asked


def _open(name: str, source: _Source, root: Root, split: Split) -> Any:
    """A data set for a split, or a tuple of them for several."""
    found = tuple(_split(name, source, root, part) for part in _chosen(name, split, tuple(source.files)))
    return found[0] if isinstance(split, str) else found


def _split(name: str, source: _Source, root: Root, split: str) -> Samples:
    places = folders(root, name)
    path = find(places, source.files[split], source.archives)
    if path is not None:
        return Samples(f"{name}({split!r})", source.read(path, split))
    need = " or ".join([source.files[split].rpartition("/")[2], *source.archives])
    if source.hub is None:
        what = f"{need} is in none of {', '.join(map(str, places))}"
        raise HubError(name, what, "it is not on the hub in this form", f"download it (its address: {_HOME}) and give its folder as root")
    from .hub import hf

    try:
        rows = hf(source.hub[0], source.hub[1], split=dict(source.hub_splits).get(split, split))
    except (HubError, MissingPackage) as error:
        what = f"{need} is in none of {', '.join(map(str, places))}, and the hub has not answered ({error})"
        raise type(error)(name, what, "", f"download it (its address: {_HOME}) and give its folder as root") from error
    convert = source.convert
    return Samples(f"{name}({split!r})", rows, None if convert is None else lambda row: convert(row, split))


def _labelled(path: Path, split: str) -> list[Any]:
    def convert(row: list[str]) -> tuple[int, str]:
        return int(row[0]), " ".join([row[1], *row[2:]])

    return table_of(path, convert)


def _tsv(path: Path, split: str, *, train: Callable[[list[str]], Any], test: Any = None, quoted: bool = False, skip: int = 1) -> list[Any]:
    return table_of(path, test if split == "test" and test else train, delimiter="\t", quoted=quoted, skip=skip)


def _csv_set(folder: str, hub: str | None = None, texts: tuple[str, ...] = ("text",), label: str = "label") -> _Source:
    """One of the sets of Zhang, Zhao and LeCun: a label from 1 on, then columns of text, which are joined."""
    return _Source(
        {split: f"{folder}/{split}.csv" for split in ("train", "test")}, _labelled, (f"{folder}.tar.gz", f"{folder}.tgz"),
        None if hub is None else (hub, None), lambda row, split: (row[label] + 1, " ".join(row[text] for text in texts)),
    )  # fmt: skip


def _glue(archive: str, folder: str, labels: dict[str, int], hub: str, names: tuple[str, str], flip: bool = False) -> _Source:
    def pair(row: dict[str, Any], split: str) -> Any:
        texts = (row[names[0]], row[names[1]])
        return texts if split == "test" else (1 - row["label"] if flip else row["label"], *texts)

    read = partial(_tsv, train=lambda row: (labels[row[3]], row[1], row[2]), test=lambda row: (row[1], row[2]))
    return _Source({split: f"{folder}/{split}.tsv" for split in ("train", "dev", "test")}, read, (archive,), ("nyu-mll/glue", hub), pair)


def _imdb(path: Path, split: str) -> list[Any]:
    out = []
    for label, kind in ((1, "neg"), (2, "pos")):
        files = sorted((path / kind).glob("*.txt"))
        if not files:
            raise FormatError(path, None, f"there is no review in its folder {kind}; expected files such as {kind}/0_3.txt")
        out += [(label, " ".join(lines_of(file))) for file in files]
    return out


def _words(row: dict[str, Any], split: str) -> str:
    return row["text"] or " \n"  # blank lines, as the files have them


def _wikitext(folder: str) -> _Source:
    files = {split: f"{folder}/wiki.{split}.tokens" for split in ("train", "valid", "test")}
    archive = f"{folder}-v1"
    return _Source(files, lambda path, split: whole_lines_of(path), (f"{archive}.zip",), ("Salesforce/wikitext", archive), _words)


def _squad(version: str, hub: str) -> _Source:
    def convert(row: dict[str, Any], split: str) -> Any:
        answers = [list(map(str, row["answers"]["text"])), [int(start) for start in row["answers"]["answer_start"]]]
        return (row["context"], row["question"], *(answers if answers[0] else ([""], [-1])))

    files = {split: f"{split}-v{version}.json" for split in ("train", "dev")}
    return _Source(files, lambda path, split: squad_of(path), (), (f"rajpurkar/{hub}", None), convert)


_BINARY = {"0": 0, "1": 1}
_MNLI = {"entailment": 0, "neutral": 1, "contradiction": 2}
_SPLITS3, _SPLITS_DEV = ("train", "valid", "test"), ("train", "dev", "test")
_SOURCES: dict[str, _Source] = {
    "AG_NEWS": _csv_set("ag_news_csv", "fancyzhx/ag_news"),
    "AmazonReviewFull": _csv_set("amazon_review_full_csv"),
    "AmazonReviewPolarity": _csv_set("amazon_review_polarity_csv", "fancyzhx/amazon_polarity", ("title", "content")),
    "DBpedia": _csv_set("dbpedia_csv", "fancyzhx/dbpedia_14", ("title", "content")),
    "SogouNews": _csv_set("sogou_news_csv", "community-datasets/sogou_news", ("title", "content")),
    "YahooAnswers": _csv_set(
        "yahoo_answers_csv", "community-datasets/yahoo_answers_topics", ("question_title", "question_content", "best_answer"), "topic"
    ),
    "YelpReviewFull": _csv_set("yelp_review_full_csv", "Yelp/yelp_review_full"),
    "YelpReviewPolarity": _csv_set("yelp_review_polarity_csv", "fancyzhx/yelp_polarity"),
    "IMDB": _Source(
        {split: f"aclImdb/{split}" for split in ("train", "test")}, _imdb, ("aclImdb_v1.tar.gz",), ("stanfordnlp/imdb", None),
        lambda row, split: (row["label"] + 1, row["text"]),
    ),
    "SST2": _Source(
        {split: f"SST-2/{split}.tsv" for split in _SPLITS_DEV},
        partial(_tsv, train=lambda row: (row[0].strip(), int(row[1])), test=lambda row: (row[1].strip(),), quoted=True),
        ("SST-2.zip",), ("stanfordnlp/sst2", None),
        lambda row, split: (row["sentence"].strip(),) if split == "test" else (row["sentence"].strip(), row["label"]),
    ),
    "CoLA": _Source(
        {"train": "cola_public/raw/in_domain_train.tsv", "dev": "cola_public/raw/in_domain_dev.tsv",
         "test": "cola_public/raw/out_of_domain_dev.tsv"},
        partial(_tsv, train=lambda row: (row[0], int(row[1]), row[3]) if len(row) == 4 else None), ("cola_public_1.1.zip",),
    ),
    "MNLI": _Source(
        {split: f"multinli_1.0/multinli_1.0_{split}.txt" for split in ("train", "dev_matched", "dev_mismatched")},
        partial(_tsv, train=lambda row: (_MNLI[row[0]], row[5], row[6]) if row[0] in _MNLI else None),
        ("multinli_1.0.zip",), ("nyu-mll/glue", "mnli"), lambda row, split: (row["label"], row["premise"], row["hypothesis"]),
        (("dev_matched", "validation_matched"), ("dev_mismatched", "validation_mismatched")),
    ),
    "MRPC": _Source(
        {split: f"msr_paraphrase_{split}.txt" for split in ("train", "test")},
        partial(_tsv, train=lambda row: (int(row[0]), row[3], row[4])),
    ),
    "QNLI": _glue("QNLIv2.zip", "QNLI", {"entailment": 1, "not_entailment": 0}, "qnli", ("question", "sentence"), flip=True),
    "RTE": _glue("RTE.zip", "RTE", {"entailment": 0, "not_entailment": 1}, "rte", ("sentence1", "sentence2")),
    "WNLI": _glue("WNLI.zip", "WNLI", _BINARY, "wnli", ("sentence1", "sentence2")),
    "STSB": _Source(
        {split: f"stsbenchmark/sts-{split}.csv" for split in _SPLITS_DEV},
        partial(_tsv, train=lambda row: (int(row[3]), float(row[4]), row[5], row[6]), skip=0), ("Stsbenchmark.tar.gz",),
    ),
    "QQP": _Source(
        {"train": "quora_duplicate_questions.tsv"}, partial(_tsv, train=lambda row: (int(row[5]), row[3], row[4]), quoted=True)
    ),
    "WikiText2": _wikitext("wikitext-2"),
    "WikiText103": _wikitext("wikitext-103"),
    "PennTreebank": _Source({split: f"ptb.{split}.txt" for split in _SPLITS3}, lambda path, split: [line[1:-1] for line in lines_of(path)]),
    "EnWik9": _Source({"train": "enwik9"}, lambda path, split: lines_of(path), ("enwik9.zip",)),
    "SQuAD1": _squad("1.1", "squad"),
    "SQuAD2": _squad("2.0", "squad_v2"),
    "UDPOS": _Source(
        {"train": "en-ud-v2/en-ud-tag.v2.train.txt", "valid": "en-ud-v2/en-ud-tag.v2.dev.txt", "test": "en-ud-v2/en-ud-tag.v2.test.txt"},
        lambda path, split: columns_of(path, "\t"), ("en-ud-v2.zip",),
    ),
    "CoNLL2000Chunking": _Source({"train": "train.txt", "test": "test.txt"}, lambda path, split: columns_of(path, " ")),
}  # fmt: skip


def source_of(name: str) -> _Source:
    """Where the data set of a name is, and how it is read."""
    return _SOURCES[name]


def _function(name: str, yields: str, default: tuple[str, ...] | None = None) -> Any:
    """The function of a name, with torchtext's signature."""
    source = _SOURCES[name]
    every = default or tuple(source.files)
    if len(source.files) == 1:

        def one(root: Root = None) -> Any:
            return _open(name, source, root, every[0])

        made: Any = one
    else:

        def several(root: Root = None, split: Split = every) -> Any:
            return _open(name, source, root, split)

        made = several
    made.__name__ = made.__qualname__ = name
    need = ", ".join([*(file.rpartition("/")[2] for file in source.files.values()), *source.archives])
    made.__doc__ = (
        f"Open {name}: samples are {yields}; a data set for one split, a tuple of them for several.\n\n"
        f"``root`` is a folder with the files as published ({need}), by default torchtext's cache. "
        + (f"Without them it comes from the hub ({source.hub[0]}).\n\n" if source.hub else "It is not on the hub in this form.\n\n")
        + "Raises a TypeError for another split, a HubError (OSError) where it cannot be had, a FormatError for damaged files."
    )
    return made


AG_NEWS = _function("AG_NEWS", "``(label from 1 to 4, text)``")
AmazonReviewFull = _function("AmazonReviewFull", "``(label from 1 to 5, text)``")
AmazonReviewPolarity = _function("AmazonReviewPolarity", "``(label 1 or 2, text)``")
DBpedia = _function("DBpedia", "``(label from 1 to 14, text)``")
SogouNews = _function("SogouNews", "``(label from 1 to 5, text)``")
YahooAnswers = _function("YahooAnswers", "``(label from 1 to 10, text)``")
YelpReviewFull = _function("YelpReviewFull", "``(label from 1 to 5, text)``")
YelpReviewPolarity = _function("YelpReviewPolarity", "``(label 1 or 2, text)``")
IMDB = _function("IMDB", "``(label, text)``, 1 bad and 2 good")
SST2 = _function("SST2", "``(text, label)``, of test ``(text,)``")
CoLA = _function("CoLA", "``(source, label, sentence)``")
MNLI = _function("MNLI", "``(label, premise, hypothesis)``, 0 entailment, 1 neutral, 2 contradiction")
MRPC = _function("MRPC", "``(label, sentence, sentence)``")
QNLI = _function("QNLI", "``(label, question, sentence)``, 1 entailment; of test without the label")
RTE = _function("RTE", "``(label, sentence, sentence)``, 0 entailment; of test without the label")
WNLI = _function("WNLI", "``(label, sentence, sentence)``; of test without the label")
STSB = _function("STSB", "``(index, score from 0 to 5, sentence, sentence)``")
QQP = _function("QQP", "``(label, question, question)``")
WikiText2 = _function("WikiText2", "lines with their ends")
WikiText103 = _function("WikiText103", "lines with their ends")
PennTreebank = _function("PennTreebank", "lines, without the blank at either end")
EnWik9 = _function("EnWik9", "lines")
SQuAD1 = _function("SQuAD1", "``(context, question, answers, where they begin)``")
SQuAD2 = _function("SQuAD2", '``(context, question, answers, where they begin)``, ``[""]`` and ``[-1]`` where there is no answer')
UDPOS = _function("UDPOS", "lists of words, of universal tags and of Penn tags")


def CoNLL2000Chunking(root: Root = None, split: Split = ("train", "test")) -> Any:
    """Open CoNLL-2000's chunking: samples are lists of words, of tags and of chunks; ``root`` has train.txt.gz and test.txt.gz.

    Raises a TypeError for another split, a HubError (OSError) without the files, a FormatError for damaged ones.
    """
    source = _SOURCES["CoNLL2000Chunking"]
    parts = _chosen("CoNLL2000Chunking", split, tuple(source.files))
    packed = {part: _Source(source.files, source.read, (f"{part}.txt.gz",)) for part in parts}
    found = tuple(_split("CoNLL2000Chunking", packed[part], root, part) for part in parts)
    return found[0] if isinstance(split, str) else found


def Multi30k(root: Root = None, split: Split = _SPLITS3, language_pair: Sequence[str] = ("de", "en")) -> Any:
    """Open Multi30k: samples are ``(source, target)``; ``root`` has train.de, train.en, val.de … or the three archives of WMT16.

    Without them it comes from the hub (bentrevett/multi30k). Raises a ValueError for other languages, a TypeError for another split,
    a HubError (OSError) where it cannot be had, a FormatError where the two files of a split differ in length.
    """
    pair = tuple(language_pair)
    if sorted(pair) != ["de", "en"]:
        raise ValueRangeError("Multi30k", f"language_pair is {language_pair!r}", "expected ('de', 'en') or ('en', 'de')")
    stems = {"train": "train", "valid": "val", "test": "test"}
    packs = {"train": "training.tar.gz", "valid": "validation.tar.gz", "test": "mmt16_task1_test.tar.gz"}

    def read(path: Path, part: str) -> list[Any]:
        other = path.with_name(f"{stems[part]}.{pair[1]}")
        sides = (lines_of(path), lines_of(other))
        if len(sides[0]) != len(sides[1]):
            raise FormatError(other, None, f"it has {len(sides[1])} lines and {path.name} {len(sides[0])}; expected as many")
        return list(zip(*sides, strict=True))

    def convert(row: dict[str, Any], part: str) -> Any:
        return row[pair[0]], row[pair[1]]

    hub = ("bentrevett/multi30k", None)
    files = {part: f"{stem}.{pair[0]}" for part, stem in stems.items()}
    parts = _chosen("Multi30k", split, _SPLITS3)
    found = tuple(_split("Multi30k", _Source(files, read, (packs[part],), hub, convert), root, part) for part in parts)
    return found[0] if isinstance(split, str) else found


def CC100(root: Root = None, language_code: str = "en") -> Any:
    """Open CC-100 in one language: samples are ``(language_code, line)``; ``root`` has en.txt, or en.txt.xz as published.

    Raises a HubError (OSError) without the file, a FormatError for a damaged one.
    """
    if not language_code.replace("_", "").replace("-", "").isalnum():
        raise ValueRangeError("CC100", f"language_code is {language_code!r}", "expected one such as 'en'")
    file = f"{language_code}.txt"
    source = _Source({"train": file}, lambda path, split: [(language_code, line) for line in lines_of(path)], (f"{file}.xz",))
    return _open("CC100", source, root, "train")
