"""torchtext's CNNDM: articles of CNN and the Daily Mail and their highlights, from local files as published or else from the hub."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dovetail.errors import FormatError

from ..errors import HubError, MissingPackage
from ..reading import lines_of, text_of
from .local import Samples, find, folders

__all__ = ["CNNDM"]

_SPLITS = {"train": "training", "val": "validation", "test": "test"}
_SOURCES = ("cnn", "dailymail")
_ENDS = (".", "!", "?", "'", "`", '"', "\u2019", "\u201d", ")")
_ASK = (
    "download cnn_stories.tgz, dailymail_stories.tgz and the lists of addresses (https://github.com/abisee/cnn-dailymail) "
    "and give their folder as root"
)


def story_of(text: str) -> tuple[str, str]:
    """An article and its highlights, from the text of a ``.story`` file; lines without a full stop get one.

    >>> story_of("It fits\\n\\nWell.\\n\\n@highlight\\n\\nFits")
    ('It fits . Well.', 'Fits .')
    """
    parts: tuple[list[str], list[str]] = [], []
    highlight = False
    for line in map(str.strip, text.split("\n")):
        if line.startswith("@highlight"):
            highlight = True
        elif line:
            parts[highlight].append(line if line.endswith(_ENDS) or "@highlight" in line else f"{line} .")
    return " ".join(parts[0]), " ".join(parts[1])


class _Stories(Sequence[Any]):
    """Stories that are read when they are asked for."""

    def __init__(self, paths: list[Path]) -> None:
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: Any) -> Any:
        return story_of(text_of(self.paths[index]))


def _paths(places: Sequence[Path], source: str, split: str) -> list[Path] | None:
    """The stories of a source in a split, by the hashes of their addresses; None without the list or the stories."""
    addresses = find(places, f"{source}_wayback_{_SPLITS[split]}_urls.txt")
    stories = find(places, f"{source}/stories", (f"{source}_stories.tgz",))
    if addresses is None or stories is None:
        return None
    names = [hashlib.new("sha1", line.encode(), usedforsecurity=False).hexdigest() for line in lines_of(addresses)]
    found = [stories / f"{name}.story" for name in names]
    missing = [path.name for path in found if not path.is_file()]
    if missing:
        raise FormatError(addresses, None, f"{len(missing)} of its {len(found)} stories, {missing[0]} first, are not in {stories}")
    return found


def _hub(split: str, why: str) -> Samples:
    from .hub import hf

    try:
        rows = hf("abisee/cnn_dailymail", "3.0.0", split={"val": "validation"}.get(split, split))
    except (HubError, MissingPackage) as error:
        raise type(error)("CNNDM", f"{why}, and the hub has not answered ({error})", "", _ASK) from error
    return Samples(f"CNNDM({split!r})", rows, lambda row: story_of(row["article"] + "\n@highlight\n" + row["highlights"]))


def CNNDM(root: str | os.PathLike[str] | None = None, split: str | Sequence[str] = tuple(_SPLITS)) -> Any:
    """Open CNNDM: samples are ``(article, highlights)``; a data set for one split, a tuple of them for several.

    ``root`` has cnn_stories.tgz and dailymail_stories.tgz, packed or not, and the six lists of addresses such as
    cnn_wayback_training_urls.txt; stories come in the order of the lists. Without them it comes from the hub (abisee/cnn_dailymail),
    where articles are one line. Source: See et al. 2017, https://arxiv.org/abs/1704.04368.
    Raises a TypeError for another split, a HubError (OSError) where it cannot be had, a FormatError where stories of a list are missing.
    """
    from .torchtext import _chosen

    found = []
    for part in _chosen("CNNDM", split, tuple(_SPLITS)):
        places = folders(root, "CNNDM")
        paths = [_paths(places, source, part) for source in _SOURCES]
        if any(some is None for some in paths):
            lacking = next(source for source, some in zip(_SOURCES, paths, strict=True) if some is None)
            why = f"the stories of {lacking}, or the list of those of {part}, are in none of {', '.join(map(str, places))}"
            found.append(_hub(part, why))
        else:
            found.append(Samples(f"CNNDM({part!r})", _Stories([path for some in paths for path in some or ()])))
    return found[0] if isinstance(split, str) else tuple(found)
