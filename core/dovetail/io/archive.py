"""The one extractor: zip, tar (also .gz, .bz2, .xz) and single compressed files, as plain files and folders inside the target."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import os
import stat
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from ..errors import FormatError, UnsafeArchiveError
from .atomic import replacing, sync_folder

__all__ = ["extract"]

FREE = 1 << 30  # bytes that any archive may unpack to; from there on RATIO counts
RATIO = 100
_CHUNK = 1 << 20
_MEMBER = 512  # what each member counts for at least, so that a million empty files are not free
_OPENERS: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
_DAMAGED = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError, ValueError, RuntimeError,
            LookupError, OverflowError)  # fmt: skip


def extract(archive: str | os.PathLike[str], target: str | os.PathLike[str], *, size: int | None = None) -> Path:
    """Unpack ``archive`` into the folder ``target`` (a single compressed file: into the file ``target``), and return its path.

    What kind it is is read from its content. All is unpacked beside the target and moved when it is complete, so that after a failure a new
    target is not there, and an old one is as it was. ``size`` declares the bytes to come: 5 % more are refused; where it is
    not given, more than a hundred times the archive's size (from 1 GB on) are.

    Raises an UnsafeArchiveError for a member outside the target, a link, a device, a set-uid file, two members of one name, or too many
    bytes; a FormatError for an archive that is damaged, encrypted or of another kind.

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with zipfile.ZipFile(f"{folder}/a.zip", "w") as file:
    ...         file.writestr("words/one.txt", "one")
    ...     sorted(path.name for path in extract(f"{folder}/a.zip", f"{folder}/a").rglob("*"))
    ['one.txt', 'words']
    """
    path, into = Path(archive), Path(os.path.abspath(target))
    with open(path, "rb") as file:
        budget = _Budget(path, int(size * 1.05) if size is not None else max(FREE, RATIO * os.fstat(file.fileno()).st_size))
        try:
            into.parent.mkdir(parents=True, exist_ok=True)
            head = file.read(265)
            if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
                _folder(_zip(zipfile.ZipFile(file), budget), into, budget)
                return into
            plain = _plain(file, head, budget)
            if _is_tar(plain):
                _folder(_tar(plain, budget), into, budget)
            elif plain.inner is file:
                raise FormatError(path, 0, "is no zip, tar or compressed file")
            else:
                with replacing(into) as temporary, open(temporary, "wb") as out:
                    _pour(plain, out, budget)
        except (FormatError, _Local):
            raise
        except _DAMAGED as error:
            raise FormatError(path, None, f"cannot be unpacked ({type(error).__name__}: {error}); is it cut short or damaged?") from error
    return into


class _Local(OSError):
    """A fault of the disk, not of the archive."""


class _Budget:
    """How much may still come out of an archive."""

    def __init__(self, path: Path, left: int) -> None:
        self.path, self.left, self.whole = path, left, left

    def spend(self, count: int) -> None:
        self.left -= count
        if self.left < 0:
            raise self.refuse(f"unpacks to more than {self.whole:,} bytes")

    def refuse(self, why: str) -> UnsafeArchiveError:
        return UnsafeArchiveError(self.path, None, f"{why}; nothing of it was unpacked")


class _Plain:
    """The unpacked bytes of a compressed file, for tarfile: no single read is large, as that of a crafted header would be."""

    def __init__(self, inner: Any, budget: _Budget) -> None:
        self.inner, self.budget = inner, budget
        self.seek, self.tell = inner.seek, inner.tell

    def read(self, count: int) -> bytes:
        if not 0 <= count <= _CHUNK:
            raise self.budget.refuse(f"has a header of {count:,} bytes")
        return self.inner.read(count)


def _plain(file: BinaryIO, head: bytes, budget: _Budget) -> _Plain:
    file.seek(0)
    opener = next((opener for magic, opener in _OPENERS.items() if head.startswith(magic)), None)
    return _Plain(file if opener is None else opener(file), budget)


def _is_tar(plain: _Plain) -> bool:
    """Whether the first block is a header of tar: its checksum is right."""
    block = plain.read(tarfile.BLOCKSIZE)
    plain.seek(0)
    try:
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.EOFHeaderError:  # zeros: the end marker alone, or a file that begins so
        return ".t" in plain.budget.path.name.lower()
    except tarfile.HeaderError:
        return False
    return True


Member = tuple[str, bool, Any]  # name, whether it is a folder, what opens it


def _tar(plain: _Plain, budget: _Budget) -> Iterator[Member]:
    with tarfile.open(fileobj=plain, mode="r:", errorlevel=2) as tar:  # type: ignore[call-overload]
        for member in tar:
            if not (member.isreg() or member.isdir()):
                kinds = {tarfile.SYMTYPE: "a symbolic link", tarfile.LNKTYPE: "a hard link", tarfile.FIFOTYPE: "a FIFO"}
                raise budget.refuse(f"{member.name!r} is {kinds.get(member.type, 'a device')}")
            if member.isreg() and member.mode & (stat.S_ISUID | stat.S_ISGID):
                raise budget.refuse(f"{member.name!r} is set-uid")
            yield member.name, member.isdir(), lambda member=member: tar.extractfile(member)
            tar.members = []  # else a million headers stay
    plain.seek(tar.offset)
    if plain.read(tarfile.BLOCKSIZE).strip(b"\0") or plain.tell() != tar.offset + tarfile.BLOCKSIZE:
        raise EOFError("there is no end marker")
    while rest := plain.read(_CHUNK):  # to the checksum of the compressed file
        budget.spend(len(rest))


def _zip(archive: zipfile.ZipFile, budget: _Budget) -> Iterator[Member]:
    members = archive.infolist()
    declared = sum(member.file_size for member in members)
    if declared > budget.left:
        budget.spend(declared)
    for member in members:
        kind = member.external_attr >> 16
        if stat.S_IFMT(kind) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise budget.refuse(f"{member.filename!r} is {'a symbolic link' if stat.S_ISLNK(kind) else 'a device or FIFO'}")
        if not member.is_dir() and kind & (stat.S_ISUID | stat.S_ISGID):
            raise budget.refuse(f"{member.filename!r} is set-uid")
        if "\0" in member.orig_filename:  # zipfile cuts the name there
            raise budget.refuse(f"{member.orig_filename!r} has a zero byte in its name")
        yield member.filename, member.is_dir(), lambda member=member: archive.open(member)


def _inside(name: str, budget: _Budget) -> PurePosixPath:
    """The path of a member below the target; names that mean another place, here or on another system, are refused."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    odd = name.startswith("/") or "\\" in name or ".." in parts or any(ord(c) < 32 for c in name) or (parts and parts[0][1:2] == ":")
    if odd or (os.name == "nt" and ":" in name):
        raise budget.refuse(f"{name!r} is a name outside the target, or none")
    return PurePosixPath(*parts)


def _folder(members: Iterator[Member], into: Path, budget: _Budget) -> None:
    """Unpack into a new folder beside ``into``, then move it there."""
    with tempfile.TemporaryDirectory(dir=into.parent, prefix=f".{into.name[:200]}.") as temporary:
        root, made = Path(temporary, "new"), set()
        root.mkdir()
        for name, is_folder, opener in members:
            inside = _inside(name, budget)
            budget.spend(_MEMBER)
            if is_folder:
                (root / inside).mkdir(parents=True, exist_ok=True)
                continue
            if inside in made or not inside.parts:
                raise budget.refuse(f"{name!r} is in it twice, or no name")
            made.add(inside)
            (root / inside).parent.mkdir(parents=True, exist_ok=True)
            with opener() as source, open(root / inside, "xb") as out:
                _pour(source, out, budget)
        try:
            _place(root, into, budget)
        except OSError as error:
            raise _Local(error.errno, f"cannot be put in place: {error.strerror}", str(error.filename or into)) from error


def _pour(source: Any, out: BinaryIO, budget: _Budget) -> None:
    while chunk := source.read(_CHUNK):
        budget.spend(len(chunk))
        try:
            out.write(chunk)
        except OSError as error:
            raise _Local(error.errno, f"cannot be written: {error.strerror}", str(out.name)) from error


def _place(root: Path, into: Path, budget: _Budget) -> None:
    """Rename the whole folder; into one that is there, file by file, and through no link."""
    if hasattr(os, "sync"):
        os.sync()  # one call for all files
    with contextlib.suppress(OSError):  # is it empty?
        into.rmdir()
    if not os.path.lexists(into):
        os.replace(root, into)
        sync_folder(into.parent)
        return
    found = [(Path(folder, name), into / Path(folder, name).relative_to(root)) for folder, _, names in os.walk(root) for name in names]
    folders = [into / Path(folder).relative_to(root) for folder, _, _ in os.walk(root)]
    other = [there for there in folders if there.exists() and not there.is_dir()] + [there for _, there in found if there.is_dir()]
    other += [there for there in (*folders[1:], *(there for _, there in found)) if there.is_symlink()]
    if other:
        raise budget.refuse(f"{other[0]} is there and is something else")
    for folder in folders:
        folder.mkdir(exist_ok=True)
    for new, there in found:
        os.replace(new, there)
    for folder in folders:
        sync_folder(folder)
