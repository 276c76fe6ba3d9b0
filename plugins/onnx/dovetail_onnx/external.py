"""Weights in files beside a model: read from regular files in the model's own folder, and from nowhere else."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import NoReturn

from dovetail.errors import FormatError

__all__ = ["External"]

_LONGEST = 1024


class External:
    """The data files of one model.

    A location is a relative path of plain names below ``folder``. No step of it may be a symbolic link, and the file must be a
    regular one with a single name (a hard link could bring in a file from elsewhere). All is looked at before it is opened.
    ``shared`` bounds how many bytes may be read in all, in multiples of what the files hold.
    """

    def __init__(self, path: object, folder: Path, shared: int) -> None:
        self.path, self.folder, self.shared = path, folder, shared
        self.taken = 0  # bytes read so far
        self.sizes: dict[str, int] = {}  # of the files that were read
        self.ranges: dict[str, set[tuple[int, int]]] = {}  # (start, stop) of what was read

    def read(self, where: str, entries: dict[str, str], length: int) -> bytes:
        """The ``length`` bytes that ``entries`` (location, offset, length) name. Raises a FormatError for anything unusual."""
        location = entries.get("location", "")
        parts = self._parts(where, location)
        start = self._number(where, "offset", entries.get("offset", "0"))
        declared = self._number(where, "length", entries.get("length", str(length)))
        if declared != length:
            self._refuse(where, f"declares {declared:,} bytes in {location!r}", f"expected {length:,}, by its type and shape")
        handle = self._open(where, location, parts)
        with os.fdopen(handle, "rb") as file:
            size = os.fstat(handle).st_size
            self._take(where, location, start, length, size)
            file.seek(start)
            data = file.read(length)
        if len(data) != length:
            self._refuse(where, f"got {len(data):,} bytes of {location!r}", f"expected {length:,}")
        return data

    def _parts(self, where: str, location: str) -> list[str]:
        parts = location.removeprefix("./").split("/")
        if not location or len(location) > _LONGEST or any(part in ("", ".", "..") for part in parts):
            self._refuse(where, f"has the location {location[:80]!r}", "expected a relative path below the model's folder")
        if any(character in location for character in '\0\\:*?"<>|') or any(ord(character) < 32 for character in location):
            self._refuse(where, f"has the location {location[:80]!r}", "expected plain names separated by '/'")
        return parts

    def _number(self, where: str, name: str, text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) < 19):
            self._refuse(where, f"has the {name} {text[:40]!r}", "expected a whole number of bytes, 0 or more")
        return int(text)

    def _take(self, where: str, location: str, start: int, length: int, size: int) -> None:
        stop = start + length
        if stop > size:
            self._refuse(where, f"lies at bytes {start:,} to {stop:,} of {location!r}", f"the file has {size:,}")
        ranges = self.ranges.setdefault(location, set())
        if (start, stop) not in ranges and any(start < other[1] and other[0] < stop for other in ranges):
            self._refuse(where, f"overlaps another tensor in {location!r}", "expected ranges that are apart or the same")
        ranges.add((start, stop))
        self.sizes[location] = size
        self.taken += length
        if self.taken > self.shared * sum(self.sizes.values()):
            self._refuse(where, f"uses the bytes of {location!r} once more", f"expected at most {self.shared} tensors on the same bytes")

    def _open(self, where: str, location: str, parts: list[str]) -> int:
        """Open a file step by step, each looked at first and then opened without following links."""
        if os.open not in os.supports_dir_fd or not hasattr(os, "O_NOFOLLOW"):
            return self._open_by_name(where, location, parts)
        at = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for index, part in enumerate(parts):
                last = index == len(parts) - 1
                self._look(where, location, os.stat(part, dir_fd=at, follow_symlinks=False), last)
                flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | (0 if last else os.O_DIRECTORY)
                step = os.open(part, flags, dir_fd=at)
                os.close(at)
                at = step
            self._look(where, location, os.fstat(at), True)  # what was opened, should it have been changed in between
        except OSError as error:
            os.close(at)
            self._refuse(where, f"lies in {location!r}, which cannot be opened", error.strerror or str(error))
        except BaseException:
            os.close(at)
            raise
        return at

    def _open_by_name(self, where: str, location: str, parts: list[str]) -> int:
        path = self.folder
        try:
            for index, part in enumerate(parts):
                path = path / part
                self._look(where, location, os.lstat(path), index == len(parts) - 1)
            return os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        except OSError as error:
            self._refuse(where, f"lies in {location!r}, which cannot be opened", error.strerror or str(error))

    def _look(self, where: str, location: str, found: os.stat_result, last: bool) -> None:
        kind = found.st_mode
        if stat.S_ISLNK(kind):
            self._refuse(where, f"lies in {location!r}, which is or passes a symbolic link", "expected a file in the model's folder")
        if not (stat.S_ISREG(kind) if last else stat.S_ISDIR(kind)):
            self._refuse(where, f"lies in {location!r}", "expected a regular file in the model's folder")
        if last and found.st_nlink > 1:
            what = f"lies in {location!r}, which has {found.st_nlink} names (hard links)"
            self._refuse(where, what, "expected a file of its own; copy it")

    def _refuse(self, where: str, what: str, expected: str) -> NoReturn:
        raise FormatError(self.path, None, f"{where} {what}; {expected}")
