"""Which installed distributions declare a plugin: reads their metadata, one guarded read at a time, and imports nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from importlib.machinery import PathFinder, all_suffixes
from itertools import takewhile
from typing import Any

from .cache import Cache, Stamp, stamp
from .names import namespace_of, normalise

__all__ = ["GROUP", "Found", "list_path", "locate", "scan"]

#: The entry-point group. A plugin's pyproject.toml says ``[project.entry-points."dovetail.plugins"]  audio = "package:dovetail.toml"``.
GROUP = "dovetail.plugins"

_SUFFIXES = all_suffixes()
_METADATA = (".dist-info", ".egg-info")


class Found:
    """One entry point, or a fault (``problem``) in the place of one."""

    __slots__ = ("distribution", "hidden", "name", "origin", "problem", "value", "version")

    def __init__(self, name: str, value: str, distribution: str, version: str, origin: str, problem: str = "") -> None:
        self.name, self.value, self.problem = name, value, problem
        self.distribution, self.version, self.origin = distribution, version, origin
        self.hidden: list[str] = []  # metadata of other versions, further along the path


Listing = dict[str, set[str] | None]


def list_path(path: Iterable[str]) -> Listing:
    """List each folder of a ``sys.path`` once; what is not a folder (a zip file, say) gives None."""
    listing: Listing = {}
    for folder in path:
        try:
            listing[folder] = set(os.listdir(folder or os.curdir))
        except FileNotFoundError:
            listing[folder] = set()
        except OSError:
            listing[folder] = None
    return listing


def scan(listing: Listing, cache: Cache) -> list[Found]:
    """Go through the distributions in the folders; as in Python itself, the first of each name counts."""
    seen: dict[str, tuple[str, list[Found]]] = {}
    for folder, names in listing.items():
        for metadata in sorted(name for name in names or () if name.endswith(_METADATA) and name[0] != "~"):  # which pip leaves behind
            stem, _, version = metadata.rpartition(".")[0].partition("-")
            name = normalise(stem)
            if name not in seen:
                seen[name] = version, _read(name, os.path.join(folder, metadata), cache)
            elif "" != version != seen[name][0] != "":
                for point in seen[name][1]:
                    point.hidden.append(os.path.join(folder, metadata))
    return [point for _, points in seen.values() for point in points]


def _read(name: str, metadata: str, cache: Cache) -> list[Found]:
    points = os.path.join(metadata, "entry_points.txt")
    marks: list[Any] = [stamp(points)]
    if marks[0] is None:
        return []
    kept: list[Any] | None = cache.scans.get(points)
    if kept and len(kept) > 1:  # it had the group, so its name and version matter as well
        marks.append(stamp(_metadata_file(metadata)))
    if not kept or kept[: len(marks)] != marks:
        try:
            with open(points, "rb") as file:
                raw = file.read()
        except OSError as error:
            return [Found(name, "", name, "", metadata, f"{points} cannot be read: {error}")]
        kept = _identify(name, metadata, marks[0], raw) if GROUP.encode() in raw else marks[:1]
        cache.keep_scan(points, kept)
    if len(kept) == 1:
        return []
    distribution, version, problem, rows = kept[2:]
    return [Found(point, value, distribution, version, metadata, problem) for point, value in rows]


def _identify(name: str, metadata: str, mark: Stamp, raw: bytes) -> list[Any]:
    """What the cache keeps of a distribution with the group: two stamps, name, version, problem and entry points."""
    headers = _headers(metadata)
    distribution, version = headers.get("name", name), headers.get("version", "")
    problem, rows = "", [[namespace_of(name), ""]]
    try:
        rows = _entry_points(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        problem = f"{os.path.join(metadata, 'entry_points.txt')}: byte {error.start} is not UTF-8; reinstall {distribution}"
    return [mark, stamp(_metadata_file(metadata)), distribution, version, problem, rows]


def _metadata_file(metadata: str) -> str:
    return os.path.join(metadata, "PKG-INFO" if metadata.endswith(".egg-info") else "METADATA")


def _headers(metadata: str) -> dict[str, str]:
    headers: dict[str, str] = {}
    with suppress(OSError), open(_metadata_file(metadata), encoding="utf-8", errors="replace") as file:
        for line in takewhile(str.strip, file):
            key, colon, value = line.partition(":")
            if colon:
                headers.setdefault(key.strip().lower(), value.strip())
    return headers


def _entry_points(text: str) -> list[list[str]]:
    """List the names and values of our group."""
    rows, inside = [], False
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("["):
            inside = line == f"[{GROUP}]"
        elif inside and "=" in line and not line.startswith(("#", ";")):
            name, _, value = line.partition("=")
            rows.append([name.strip(), value.partition("[")[0].strip()])  # extras have no meaning here
    return sorted(rows)


def locate(value: str, listing: Listing) -> tuple[str, str]:
    """Turn ``package:file`` into (package, path of the file) by where the top-level package would be imported from; it is not imported.

    Raises LookupError, saying what was looked for and where.
    """
    package, colon, file = value.partition(":")
    parts = package.split(".")
    if not colon or not all(part.isidentifier() for part in parts) or not file.endswith(".toml") or ".." in file or os.path.isabs(file):
        raise LookupError(f'the entry point says {value!r}; expected "package:dovetail.toml"')
    folders = [os.path.join(folder, *parts[1:]) for folder in _plain_folder(parts[0], listing) or _spec_folders(parts[0])]
    if not folders:
        raise LookupError(f"its package {parts[0]!r} is not there; expected a folder on sys.path")
    for folder in folders:
        if os.path.isfile(path := os.path.join(folder, file)):
            return package, path
    raise LookupError(f"its package has no {file}; looked in {', '.join(folders)}; does the wheel hold it?")


def _plain_folder(package: str, listing: Listing) -> list[str]:
    """Answer the common case from the listing: in the first folder that has the name at all, it is an ordinary package."""
    for folder, names in listing.items():
        if names is None or any(package + suffix in names for suffix in _SUFFIXES):
            break
        if package in names:
            there = os.path.join(folder, package)
            return [there] if os.path.isfile(os.path.join(there, "__init__.py")) else []
    return []


def _spec_folders(package: str) -> list[str]:
    """Answer the other cases by specs: namespace packages, shadowed ones, and the finders of editable installs."""
    spec = PathFinder.find_spec(package)
    for finder in () if spec else list(sys.meta_path):
        if finder is not PathFinder and hasattr(finder, "find_spec"):
            spec = spec or finder.find_spec(package, None, None)
    return list(spec.submodule_search_locations or ()) if spec else []
