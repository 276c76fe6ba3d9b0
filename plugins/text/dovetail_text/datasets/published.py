"""Rows of the hub from the files that their authors published: the folder holds those, and samples are dicts as the hub's."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dovetail.errors import ValueRangeError

from .local import Samples, find, folders, table_of
from .torchtext import source_of

__all__ = ["published"]


def _labelled(sample: Any) -> dict[str, Any]:
    return {"text": sample[1], "label": sample[0] - 1}


def _sentence(sample: Any) -> dict[str, Any]:
    return {"sentence": sample[0], "label": sample[1] if len(sample) > 1 else -1}


def _line(line: str) -> dict[str, Any]:
    return {"text": line if line.strip() else ""}


def _question(sample: Any) -> dict[str, Any]:
    context, question, texts, starts = sample
    texts, starts = ([], []) if starts == [-1] else (texts, starts)
    return {"context": context, "question": question, "answers": {"text": texts, "answer_start": starts}}


def _article(row: list[str]) -> dict[str, Any]:
    return {"label": int(row[0]) - 1, "title": row[1], "content": row[2]}


_FORMS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "AG_NEWS": _labelled, "DBpedia": _article, "IMDB": _labelled, "SQuAD1": _question, "SQuAD2": _question, "SST2": _sentence,
    "WikiText103": _line, "WikiText2": _line, "YelpReviewPolarity": _labelled,
}  # fmt: skip


def published(name: str, root: str | os.PathLike[str], split: str | None) -> Any:
    """The data set that torchtext calls ``name`` from a folder with its original files; None where they are not in it.

    Gives samples as the hub has them, for one split, or a dict with those of all splits. A csv file whose first line names columns is
    no original file. Raises a ValueError for an unknown split, a FormatError for damaged files.
    """
    source = source_of(name)
    names = {dict(source.hub_splits).get(part, part): part for part in source.files}
    paths = {part: find(folders(root, name), source.files[own], source.archives) for part, own in names.items()}
    found = {part: path for part, path in paths.items() if path is not None and not _has_header(path)}
    if not found:
        return None
    if split is not None and split not in found:
        raise ValueRangeError(f"{name} in {os.fspath(root)}", f"there is no split {split!r}", f"expected one of {', '.join(found)}")
    made = {part: _samples(name, path, names[part]) for part, path in found.items() if split in (None, part)}
    return made if split is None else made[split]


def _has_header(path: Path) -> bool:
    """Whether a csv file has names in its first line; the originals begin with a class's number."""
    if path.suffix != ".csv":
        return False
    with open(path, encoding="utf-8", errors="replace", newline="") as file:
        try:
            first = next(csv.reader(file), [])
        except csv.Error:
            return False
    return bool(first) and not first[0].strip().isdecimal()


def _samples(name: str, path: Path, split: str) -> Samples:
    # torchtext joins the title of DBpedia to the text; the hub has them apart
    rows = table_of(path, list) if name == "DBpedia" else source_of(name).read(path, split)
    return Samples(f"{name}({split!r})", rows, _FORMS[name])
