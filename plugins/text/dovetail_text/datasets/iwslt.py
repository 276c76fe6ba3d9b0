"""IWSLT's translations of talks, from the archives of 2016 and 2017, or from what was unpacked of them."""

from __future__ import annotations

import html
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dovetail.errors import FormatError, TypeMismatch, ValueRangeError
from dovetail.io.archive import extract

from ..errors import HubError
from ..reading import lines_of, text_of
from .local import Samples, find, folders

__all__ = ["IWSLT2016", "IWSLT2017"]

Root = str | os.PathLike[str] | None
_SPLITS = ("train", "valid", "test")
_SETS = ("dev2010", "tst2010", "tst2011", "tst2012", "tst2013", "tst2014")
_ABOUT = re.compile(r"<(url|keywords|talkid|description|reviewer|translator|title|speaker|doc)|</doc")
_SEGMENT = re.compile(r"<seg\b[^>]*>(.*?)</seg>", re.DOTALL)


def _sentences(path: Path) -> list[str]:
    """The sentences of a file, each with a line end; by expressions, since a parser of XML would follow entities."""
    if path.suffix == ".xml":
        found = [html.unescape(text).strip() + "\n" for text in _SEGMENT.findall(text_of(path))]
    else:
        found = [line.strip() + "\n" for line in lines_of(path) if not _ABOUT.search(line)]
    if not found:
        raise FormatError(path, None, "there is no sentence in it; expected lines of text, or <seg> elements")
    return found


def _find(name: str, places: list[Path], folder: str, file: str, outer: str) -> Path:
    """A file, in the inner archive ``folder``.tgz or in the outer one where need be."""
    inner = f"{folder}.tgz"
    path = find(places, f"{folder}/{file}", (inner,))
    if path is None and (packed := next((place / outer for place in places if (place / outer).is_file()), None)):
        target = packed.parent / "extracted" / "outer"
        found = sorted(target.rglob(inner)) or sorted(extract(packed, target).rglob(inner))
        path = find([found[0].parent], f"{folder}/{file}", (inner,)) if found else None
    if path is None:
        what = f"{file}, {inner} or {outer} is in none of {', '.join(map(str, places))}"
        raise HubError(name, what, "it is not on the hub in this form", "download it (https://wit3.fbk.eu) and give its folder as root")
    return path


def _open(name: str, root: Root, split: Any, pair: tuple[str, ...], folder: str, outer: str, files: dict[str, str]) -> Any:
    parts = (split,) if isinstance(split, str) else tuple(split)
    if not parts or not set(parts) <= set(_SPLITS):
        raise TypeMismatch(name, f"split is {split!r}", "expected one or several of 'train', 'valid', 'test'")
    found, places = [], folders(root, name)
    for part in parts:
        paths = [_find(name, places, folder, files[part].format(language), outer) for language in pair]
        source, target = map(_sentences, paths)
        if len(source) != len(target):
            raise FormatError(paths[1], None, f"it has {len(target)} sentences and {paths[0].name} {len(source)}; expected as many")
        found.append(Samples(f"{name}({part!r})", list(zip(source, target, strict=True))))
    return found[0] if isinstance(split, str) else tuple(found)


def _pair(name: str, pair: Sequence[str], fits: bool, expected: str) -> tuple[str, ...]:
    if not fits:
        raise ValueRangeError(name, f"language_pair is {pair!r}", f"expected {expected}")
    return tuple(pair)


def IWSLT2016(
    root: Root = None, split: Any = _SPLITS, language_pair: Sequence[str] = ("de", "en"), valid_set: str = "tst2013",
    test_set: str = "tst2014",
) -> Any:  # fmt: skip
    """Open IWSLT 2016: samples are ``(source, target)``, each with its line end; English and one of ar, cs, de and fr.

    ``root`` has 2016-01.tgz, or de-en.tgz, or what is in it. Raises a ValueError for other languages or sets, a TypeError for another
    split, a HubError (OSError) without the files, a FormatError for damaged ones.
    """
    others = {"ar", "cs", "de", "fr"}
    fits = len(language_pair) == 2 and "en" in language_pair and bool(others & set(language_pair))
    pair = _pair("IWSLT2016", language_pair, fits, "'en' and one of 'ar', 'cs', 'de', 'fr'")
    for what, chosen in (("valid_set", valid_set), ("test_set", test_set)):
        if chosen not in _SETS:
            raise ValueRangeError("IWSLT2016", f"{what} is {chosen!r}", f"expected one of {', '.join(_SETS)}")
    name = "-".join(pair)
    files = {"train": f"train.tags.{name}.{{}}", "valid": f"IWSLT16.TED.{valid_set}.{name}.{{}}.xml"}
    files["test"] = f"IWSLT16.TED.{test_set}.{name}.{{}}.xml"
    return _open("IWSLT2016", root, split, pair, name, "2016-01.tgz", files)


def IWSLT2017(root: Root = None, split: Any = _SPLITS, language_pair: Sequence[str] = ("de", "en")) -> Any:
    """Open IWSLT 2017: samples are ``(source, target)``, each with its line end; two of de, en, it, nl and ro.

    ``root`` has 2017-01-trnmted.tgz, or DeEnItNlRo-DeEnItNlRo.tgz, or what is in it. Raises what `IWSLT2016` raises.
    """
    fits = len(set(language_pair)) == 2 == len(language_pair) and set(language_pair) <= {"de", "en", "it", "nl", "ro"}
    pair = _pair("IWSLT2017", language_pair, fits, "two of 'de', 'en', 'it', 'nl', 'ro'")
    name = "-".join(pair)
    files = {"train": f"train.tags.{name}.{{}}", "valid": f"IWSLT17.TED.dev2010.{name}.{{}}.xml"}
    files["test"] = f"IWSLT17.TED.tst2010.{name}.{{}}.xml"
    return _open("IWSLT2017", root, split, pair, "DeEnItNlRo-DeEnItNlRo", "2017-01-trnmted.tgz", files)
