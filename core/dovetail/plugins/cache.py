"""What was read of metadata and manifests, kept between processes; a cache that is damaged or cannot be written is only slower.

One line of JSON says what there is; after it comes one line for each manifest's rows, parsed when a registry first asks for them.
"""

from __future__ import annotations

import json
import os
import sys
import zlib
from contextlib import suppress
from typing import Any

from ..hooks import HOOK_API

__all__ = ["Cache", "Stamp", "cache_folder", "stamp", "user_folder"]

#: What tells one state of a file from another: mtime in nanoseconds, and size.
Stamp = list[int]

_FORMAT = 2
_HEAD = {"key", "state", "reason", "notes", "api", "module", "implements", "publishes", "kinds", "claims"}
_HERE = os.path.dirname(__file__)
# What is valid depends on these files of the core as well, so a change of any one empties the cache.
_RULES = ("..", "../hooks.py", "../cli/__init__.py", "manifest.py", "kinds.py", "scan.py", "index.toml")


def stamp(path: str) -> Stamp | None:
    """Stamp a file, or None when it is not there."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return [status.st_mtime_ns, status.st_size]


def user_folder(chosen: str, mac: str, windows: tuple[str, ...], others: tuple[str, ...]) -> str:
    """A folder of the user's: what the variable ``chosen`` says, or a place below the one where the platform keeps such files.

    ``windows`` and ``others`` are the variable that names that place, where it is below the home when none does, and the folders in it.
    """
    if path := os.environ.get(chosen):
        return path
    home = os.path.expanduser("~")
    if sys.platform == "darwin":
        return os.path.join(home, "Library", mac, "dovetail")
    variable, usual, *below = windows if sys.platform == "win32" else others
    return os.path.join(os.environ.get(variable) or os.path.join(home, usual), *below)


def cache_folder() -> str:
    """Where Dovetail may keep what can be made again: ``DOVETAIL_CACHE``, or ``dovetail`` in the platform's cache folder."""
    windows = ("LOCALAPPDATA", os.path.join("AppData", "Local"), "dovetail", "cache")
    return user_folder("DOVETAIL_CACHE", "Caches", windows, ("XDG_CACHE_HOME", ".cache", "dovetail"))


class Cache:
    """The scanned entry points and the checked manifests of one environment."""

    def __init__(self, folder: str | None = None) -> None:
        environment = zlib.crc32(os.fsencode(sys.prefix))
        self.path = os.path.join(folder or cache_folder(), f"plugins-{environment:08x}.jsonl")
        self.rules = [_FORMAT, list(HOOK_API), [stamp(os.path.join(_HERE, name)) for name in _RULES]]
        self.scans: dict[str, Any] = {}
        self._heads: dict[str, Any] = {}
        self._rows: dict[str, bytes] | None = {}  # None: on disk, not yet read
        self._first = b""
        self._changed = False
        self._open()

    def _open(self) -> None:
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            with open(self.path, "rb") as file:
                self._first = file.readline()
            header = json.loads(self._first)
            scans, heads = dict(header["scans"]), dict(header["heads"])
            ours = header["rules"] == self.rules and all(isinstance(scan, list) and len(scan) in (1, 6) for scan in scans.values())
            if ours and all(head.keys() >= _HEAD for head in heads.values()):
                self.scans, self._heads, self._rows = scans, heads, None

    def _all_rows(self) -> dict[str, bytes]:
        if self._rows is None:
            self._rows = {}
            with suppress(OSError), open(self.path, "rb") as file:
                if file.readline() == self._first:  # else another process has replaced it meanwhile
                    self._rows = dict(zip(self._heads, file.read().split(b"\n"), strict=False))
        return self._rows

    def keep_scan(self, path: str, value: list[Any]) -> None:
        """Keep what was read of one distribution."""
        self.scans[path] = value
        self._changed = True

    def head(self, path: str, key: list[Any]) -> dict[str, Any] | None:
        """Give back what was kept of a manifest under the same key, without its rows."""
        kept = self._heads.get(path)
        return kept if kept is not None and kept["key"] == key else None

    def rows(self, path: str) -> dict[str, Any] | None:
        """Give back a manifest's rows, or None when they are lost."""
        try:
            return dict(json.loads(self._all_rows()[path]))
        except (KeyError, ValueError, TypeError, RecursionError):
            return None

    def keep(self, path: str, head: dict[str, Any], rows: dict[str, Any]) -> None:
        """Keep a checked manifest; dates and the like become text, so that a cached row equals a fresh one."""
        self._all_rows()[path] = json.dumps(rows, default=str, separators=(",", ":")).encode()
        self._heads[path] = head
        self._changed = True

    def save(self) -> None:
        """Write what is still true, whole or not at all, when something was added; a folder that cannot be written is no error."""
        if not self._changed:
            return
        scans = {path: value for path, value in self.scans.items() if stamp(path) == value[0]}
        rows = self._all_rows()
        heads = {path: head for path, head in self._heads.items() if path in rows and stamp(path) == head["key"][0]}
        header = {"rules": self.rules, "scans": scans, "heads": heads}
        text = b"\n".join([json.dumps(header, separators=(",", ":"), default=str).encode(), *(rows[path] for path in heads), b""])
        draft = f"{self.path}.{os.getpid()}"
        try:
            os.makedirs(os.path.dirname(self.path), exist_ok=True)
            with open(draft, "xb") as file:
                file.write(text)
            os.replace(draft, self.path)
        except OSError:
            with suppress(OSError):
                os.unlink(draft)
