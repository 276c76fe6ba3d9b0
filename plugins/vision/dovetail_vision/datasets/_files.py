"""What datasets read beside images: split files, tables, JSON and XML, each with errors that name the file."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from dovetail.errors import DovetailError

from ._errors import DamagedFile, MissingFiles, OtherFile
from ._fetch import md5_of

__all__ = [
    "FETCH", "beside", "intact", "is_intact", "lines", "need", "parsed", "read_csv", "read_json", "read_text", "read_xml", "sorted_names",
]  # fmt: skip

FETCH = "You can use download=True to download it"
_LARGEST = 1 << 31  # bytes of a text file; COCO's largest has 450 MB
_XML_LARGEST, _XML_DEEPEST = 1 << 24, 100

Place = str | os.PathLike[str]


def need(path: Place, how: str = FETCH) -> Path:
    """The path of a file or folder; MissingFiles, which says ``how`` to get it, where there is none."""
    if not os.path.exists(path):
        raise MissingFiles(path, None, f"Dataset not found: there is no such file or folder; {how}, or set root to where it is")
    return Path(path)


def intact(path: Place, md5: str | None, how: str = FETCH) -> Path:
    """The path of a file that has this MD5; MissingFiles or HashMismatch where it is another, or where there is none."""
    need(path, how)
    if md5 is not None and (found := md5_of(path)) != md5:
        raise OtherFile(path, None, f"MD5 is {found}; expected {md5}; delete the file: {how}; verify=False takes it as it is")
    return Path(path)


def is_intact(path: Place, md5: str | None) -> bool:
    """Whether the file is there and has this MD5."""
    return os.path.isfile(path) and (md5 is None or md5_of(path) == md5)


@contextmanager
def parsed(path: Place, expected: str) -> Iterator[None]:
    """Turn what goes wrong while a file's contents are taken apart into an error that names it and what was ``expected``."""
    try:
        yield
    except DovetailError:
        raise
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError, csv.Error) as error:
        raise DamagedFile(path, None, f"is not {expected} ({type(error).__name__}: {error}); fetch it again") from error


def read_text(path: Place, how: str = FETCH, most: int = _LARGEST) -> str:
    """The text of a UTF-8 file; DamagedFile for other bytes or more than ``most`` of them."""
    need(path, how)
    try:
        if (size := os.path.getsize(path)) > most:
            raise DamagedFile(path, None, f"has {size:,} bytes; at most {most:,} are read")
        text = Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DamagedFile(path, error.start, "is no text in UTF-8; fetch it again") from error
    except OSError as error:
        raise DamagedFile(path, None, f"cannot be read: {error.strerror}") from error
    if (at := text.find("\0")) >= 0:
        raise DamagedFile(path, at, "has a zero byte, so it is no text; fetch it again")
    return text


def lines(path: Place, how: str = FETCH, *, empty: bool = False) -> list[str]:
    """The lines of a text file, without their ends; DamagedFile where there is none, unless a file may be ``empty``."""
    text = read_text(path, how).split("\n")
    if not empty and text == [""]:
        raise DamagedFile(path, None, "is empty; fetch it again")
    return text[:-1] if text[-1] == "" else text


def read_json(path: Place, how: str = FETCH) -> Any:
    """What a JSON file holds; DamagedFile for one that is cut, nested too deeply or something else."""
    text = read_text(path, how)
    with parsed(path, "JSON"):
        return json.loads(text)


def read_csv(path: Place, how: str = FETCH, **options: Any) -> list[dict[str, str]]:
    """The rows of a table whose first line names its columns; ``options`` are those of ``csv.DictReader``."""
    text = read_text(path, how)
    with parsed(path, "a table with named columns"):
        rows = list(csv.DictReader(text.splitlines(), **options))
        if not rows:
            raise ValueError("there is no row")
        return rows


class _Elements(ElementTree.TreeBuilder):
    """Builds the tree, but for no document type: entities, which can grow without bound or name files, are declared there."""

    depth = 0

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise ValueError("it declares a document type")

    def start(self, tag: Any, attrs: Any, /) -> ElementTree.Element:
        self.depth += 1
        if self.depth > _XML_DEEPEST:
            raise ValueError(f"elements lie more than {_XML_DEEPEST} deep")
        return super().start(tag, attrs)

    def end(self, tag: Any, /) -> ElementTree.Element:
        self.depth -= 1
        return super().end(tag)


def read_xml(path: Place) -> ElementTree.Element:
    """The root element of an XML file; DamagedFile for a document type (entities), more than 16 MB, or what is not well formed."""
    need(path)
    with parsed(path, "a plain XML file"):
        if (size := os.path.getsize(path)) > _XML_LARGEST:
            raise ValueError(f"it has {size:,} bytes; at most {_XML_LARGEST:,} are read")
        try:
            return ElementTree.fromstring(Path(path).read_bytes(), ElementTree.XMLParser(target=_Elements()))
        except ElementTree.ParseError as error:
            raise ValueError(str(error)) from error


def beside(root: Place, path: Place) -> str:
    """A path as it is given or, where nothing is there, below the root."""
    path = os.path.expanduser(path)
    below = os.path.join(root, path)
    return below if os.path.exists(below) and not os.path.exists(path) else path


def sorted_names(folder: Place, wanted: Callable[[os.DirEntry[str]], bool] = lambda entry: True) -> list[str]:
    """The names in a folder, sorted, so that samples have one order on every machine."""
    with os.scandir(need(folder)) as entries:
        return sorted(entry.name for entry in entries if wanted(entry))
