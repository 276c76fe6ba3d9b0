"""Data sets in the files that their authors published: found in a folder, unpacked where they are packed, and read."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from dovetail.errors import FormatError, RangeError
from dovetail.io.archive import extract
from dovetail.utils.data import Dataset

from ..reading import text_of
from .pipes import Steps

__all__ = ["Samples", "columns_of", "find", "folders", "squad_of", "table_of", "whole_lines_of"]

_UNPACKED = "extracted"
CACHE = "~/.cache/torch/text"  # where torchtext kept what it fetched


class Samples(Steps, Dataset):
    """Samples by number, which also iterate, with the methods of `Steps`.

    ``source`` is a list, or a data set whose samples ``convert`` brings to torchtext's form.

    >>> reviews = Samples("Reviews", [(1, "bad"), (2, "good")])
    >>> len(reviews), reviews[-1], [label for label, text in reviews]
    (2, (2, 'good'), [1, 2])
    """

    def __init__(self, name: str, source: Sequence[Any], convert: Callable[[Any], Any] | None = None) -> None:
        self.name, self.source, self.convert = name, source, convert

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> Any:
        if not -len(self) <= index < len(self):
            raise RangeError(self.name, f"index is {index}", f"expected -{len(self)} to {len(self) - 1}")
        sample = self.source[index]
        return sample if self.convert is None else self.convert(sample)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.source) if self.convert is None else map(self.convert, self.source)

    def __repr__(self) -> str:
        return f"{self.name}: {len(self)} samples"


def folders(root: str | os.PathLike[str] | None, name: str) -> list[Path]:
    """Where the files of a data set may be: torchtext's place below ``root``, or ``root`` itself."""
    given = Path(CACHE if root is None else root).expanduser()
    return [given / "datasets" / name, given / name, *([] if root is None else [given])]


def find(places: Sequence[Path], file: str, archives: Sequence[str] = ()) -> Path | None:
    """The ``file`` (or folder) in one of the places, which may be in one of the ``archives`` there; None where neither is."""
    for place in places:
        if found := _inside(place, file):
            return found
        for archive in archives:
            if (place / archive).is_file():
                target = place / _UNPACKED / archive.partition(".")[0]
                if found := _inside(target, file) or _inside(extract(place / archive, target), file):
                    return found
                raise FormatError(place / archive, None, f"it has no {file} in it; is it another archive of this name?")
    return None


def _inside(place: Path, file: str) -> Path | None:
    """``file`` in a folder, by its whole path, its name alone, or one folder further down; or the place itself, unpacked from one file."""
    name = file.rpartition("/")[2]
    for candidate in (place / file, place / name):
        if candidate.exists():
            return candidate
    if place.is_file():
        return place
    found = [path for path in sorted(place.glob(f"*/{file}")) if path.relative_to(place).parts[0] != _UNPACKED] if place.is_dir() else []
    return found[0] if found else None


def table_of(
    path: Path, convert: Callable[[list[str]], Any], *, delimiter: str = ",", quoted: bool = True, skip: int = 0
) -> list[Any]:  # fmt: skip
    """The rows of a csv or tsv file, each through ``convert``; what that gives None for is left out.

    Raises a FormatError that names the file and the line where a row has too few columns, or other values than it should.
    """
    limit, number = csv.field_size_limit(1 << 30), 0
    rows = csv.reader(
        io.StringIO(text_of(path), newline="\n"), delimiter=delimiter, quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    )
    out = []
    try:
        for number, row in enumerate(rows, 1):
            if number > skip and row and (sample := convert(row)) is not None:
                out.append(sample)
    except (csv.Error, IndexError, KeyError, ValueError) as error:
        why = f"row {number} (near line {rows.line_num}) is not as expected ({type(error).__name__}: {error})"
        raise FormatError(path, None, f"{why}; is it the original file, whole?") from error
    finally:
        csv.field_size_limit(limit)
    return out


def whole_lines_of(path: Path) -> list[str]:
    """The lines of a file with their ends."""
    return [line + "\n" for line in (text_of(path).removesuffix("\n")).split("\n")] if path.stat().st_size else []


def columns_of(path: Path, separator: str) -> list[list[list[str]]]:
    """Sentences as lists of columns, from a file with a word and its tags on each line and blank lines between sentences."""
    sentences: list[list[list[str]]] = []
    words: list[list[str]] = []
    for number, line in enumerate([*text_of(path).split("\n"), ""], 1):
        if not line.strip():
            if words:
                sentences.append([list(column) for column in zip(*words, strict=True)])
            words = []
            continue
        words.append(line.strip().split(separator))
        if len(words[-1]) != len(words[0]) or len(words[0]) < 2:
            why = f"line {number} has {len(words[-1])} columns; expected {max(2, len(words[0]))}, parted by {separator!r}"
            raise FormatError(path, None, why)
    return sentences


def squad_of(path: Path) -> list[tuple[str, str, list[str], list[int]]]:
    """Questions of SQuAD's JSON: context, question, answers and where they begin; ``[""]`` and ``[-1]`` where there is none."""
    try:
        out = []
        for article in json.loads(text_of(path))["data"]:
            for paragraph in article["paragraphs"]:
                for asked in paragraph["qas"]:
                    answers = [(str(one["text"]), int(one["answer_start"])) for one in asked["answers"]] or [("", -1)]
                    out.append((paragraph["context"], asked["question"], *map(list, zip(*answers, strict=True))))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise FormatError(path, None, f"it is not SQuAD's JSON ({type(error).__name__}: {error})") from error
    return out
