"""PyTorch's files, the zip format and the one before 1.6, read without PyTorch and without running anything in them.

A pickle (see torch_pickle.py) holds the values; tensors in it name storages, which lie in the file as they lie in memory.
"""

from __future__ import annotations

import io
import mmap as memory_map
import struct
import sys
import zlib
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np

from ..autograd.node import wrap
from ..device import Device, move
from ..dtypes import dtype
from ..errors import DeviceError, FormatError, UnsupportedError
from .torch_limits import check_value
from .torch_pickle import Interpreter
from .torch_values import KNOWN, Storage, StorageType

__all__ = ["read_torch"]

Place = Callable[[Any, dtype, str], Any]

_MAGIC = 0x1950A86A20F9469CFC6C  # which the older format begins with
_PROTOCOL, _ZIP_VERSION = 1001, 10


def read_torch(path: str, file: BinaryIO, map_location: Any, mmap: bool, encoding: str) -> Any:
    """The value in one of PyTorch's files, as ``torch.load(weights_only=True)`` gives it. Raises a FormatError for anything else."""
    head = file.read(4)
    file.seek(-len(head), 1)
    reader = (ZipReader if head == b"PK\x03\x04" else LegacyReader)(path, file, place_of(map_location), encoding, mmap)
    try:
        value = reader.load()
        check_value(value)
        return value
    except ValueError as error:
        raise FormatError(path, None, f"{error}; expected tensors and plain values") from None


class _Reader:
    """What the two formats share: how a persistent id becomes memory."""

    def __init__(self, path: str, file: BinaryIO, place: Place, encoding: str, mmap: bool) -> None:
        self.path, self.file, self.place, self.encoding, self.mmap = path, file, place, encoding, mmap
        self.size = file.seek(0, 2)
        self.storages: dict[str, Storage] = {}
        file.seek(0)

    def wrong(self, reason: str, at: int | None = None) -> FormatError:
        return FormatError(self.path, at, reason)

    def storage(self, saved: Any) -> Storage:
        """The memory that a persistent id names."""
        if (
            saved.__class__ is not tuple
            or len(saved) not in (5, 6)
            or _name(saved[0]) != "storage"
            or saved[1].__class__ is not StorageType
        ):
            raise ValueError("a persistent id that names no storage")
        kind, key, location, count = saved[1].kind, _name(saved[2]), _name(saved[3]), saved[4]
        if count.__class__ is not int or count < 0:
            raise ValueError("a storage of no size")
        found = self.storages.get(key)
        if found is None:
            found = self.storages[key] = Storage(self.memory(key, location, saved[1], count * saved[1].dtype.itemsize), kind)
        if found.kind != kind or found.bytes.size != count * saved[1].dtype.itemsize:
            raise ValueError(f"the storage {key[:50]!r} with two types or sizes")
        return found if len(saved) == 5 or saved[5] is None else self.part(found, saved[1].dtype.itemsize, *saved[5])

    @staticmethod
    def part(whole: Storage, itemsize: int, key: Any, offset: int, count: int) -> Storage:
        """A storage inside another one, as PyTorch 0.2 wrote views."""
        if not 0 <= offset * itemsize <= (offset + count) * itemsize <= whole.bytes.size:
            raise ValueError("a storage outside the one it is part of")
        return Storage(whole.bytes[offset * itemsize : (offset + count) * itemsize], whole.kind)

    def memory(self, key: str, location: str, kind: StorageType, size: int) -> Any:
        raise NotImplementedError

    def read_into(self, data: Any) -> None:
        at = self.file.tell()
        if self.file.readinto(memoryview(data)) != data.size:  # type: ignore[attr-defined]
            raise self.wrong("ends inside a tensor; it was cut off", at)


class ZipReader(_Reader):
    """The format since PyTorch 1.6: a zip archive of stored records, ``data.pkl`` and ``data/0``, ``data/1`` …"""

    def load(self) -> Any:
        self.records = self.directory()
        tops = [name for name in self.records if name.endswith("/data.pkl") and name.count("/") == 1]
        if len(tops) != 1:
            raise self.wrong("is a zip archive but not one that torch.save wrote (it has no data.pkl)")
        self.top = tops[0].removesuffix("data.pkl")
        if f"{self.top}constants.pkl" in self.records:
            raise self.wrong("is a TorchScript program; expected values that torch.save wrote; save its state_dict() with PyTorch")
        version, order = self.text("version"), self.text("byteorder") or "little"
        if not version.isdecimal() or len(version) > 3 or int(version) > _ZIP_VERSION or order not in ("little", "big"):
            raise self.wrong(
                f"has the format version {version[:20]!r} and byte order {order[:20]!r}; expected 1 to {_ZIP_VERSION}, little or big"
            )
        self.swap = order != sys.byteorder
        at, size, _ = self.records[tops[0]]
        data = self.record(tops[0], np.empty(size, np.uint8))
        return Interpreter(self.path, io.BytesIO(data), KNOWN, self.storage, at, self.encoding).load()

    def directory(self) -> dict[str, tuple[int, int, int]]:
        """Place, size and CRC-32 of every record, each checked against the file and the others."""
        import zipfile

        try:
            archive = zipfile.ZipFile(self.file)
            found, end = {}, 0
            for entry in sorted(archive.infolist(), key=lambda entry: entry.header_offset):
                at, name = self.local(entry)
                if name in found or entry.header_offset < end or at + entry.file_size > archive.start_dir:
                    raise self.wrong(f"has records that repeat or overlap ({name[:100]!r})", entry.header_offset)
                found[name], end = (at, entry.file_size, entry.CRC), at + entry.file_size
            return found
        except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error, OverflowError, LookupError, OSError) as error:
            raise self.wrong(f"is not a whole zip archive ({error}); was it cut off?") from None

    def local(self, entry: Any) -> tuple[int, str]:
        """Where an entry's bytes begin, and its name, which must be the same in the directory and before the bytes."""
        name = entry.orig_filename
        self.file.seek(entry.header_offset)
        head = self.file.read(30)
        length, extra = struct.unpack("<26x2H", head)
        if head[:4] != b"PK\x03\x04" or self.file.read(length) != name.encode("utf-8" if entry.flag_bits & 0x800 else "cp437"):
            raise self.wrong(f"has no record {name[:100]!r} where its directory says", entry.header_offset)
        if entry.compress_type or entry.flag_bits & 1 or entry.compress_size != entry.file_size:
            raise self.wrong(
                f"has the record {name[:100]!r} compressed or encrypted; torch.save stores records as they are", entry.header_offset
            )
        return entry.header_offset + 30 + length + extra, name

    def text(self, name: str) -> str:
        """A small record, stripped; empty where it is missing."""
        at, size, _ = self.records.get(self.top + name, (0, 0, 0))
        self.file.seek(at)
        return self.file.read(min(size, 100)).decode("latin-1").strip()

    def record(self, name: str, data: Any) -> Any:
        """The bytes of a record, checked against their CRC-32 (0 stands for none: PyTorch can be told not to compute it)."""
        at, _, crc = self.records[name]
        self.file.seek(at)
        self.read_into(data)
        if crc and zlib.crc32(data) != crc:
            raise self.wrong(f"has a record {name!r} that does not match its checksum; the file was changed after it was written", at)
        return data

    def memory(self, key: str, location: str, kind: StorageType, size: int) -> Any:
        name = f"{self.top}data/{key}"
        at, there, _ = self.records.get(name, (0, -1, 0))
        if not size <= there < size + kind.dtype.itemsize:
            raise ValueError(f"the storage {key[:50]!r} of {size} bytes, of which the file has {max(there, 0)}")
        if self.mmap and size:
            mapped = memory_map.mmap(self.file.fileno(), 0, access=memory_map.ACCESS_COPY)
            data = np.frombuffer(mapped, np.uint8, size, at)
            data = data if at % kind.dtype.itemsize == 0 else data.copy()
        else:
            data = self.record(name, np.empty(there, np.uint8))[:size]
        if self.swap:
            if not kind.kind:
                raise ValueError("an untyped storage of another byte order")
            data = data.view(kind.dtype.np).byteswap().view(np.uint8)
        return self.place(data, kind.dtype, location)


class LegacyReader(_Reader):
    """The format before PyTorch 1.6: pickles one after the other, and behind them the memory of the tensors."""

    def load(self) -> Any:
        if self.mmap:
            raise FormatError(self.path, 0, "is in PyTorch's format before 1.6, which cannot be mapped; leave mmap out")
        pickles = Interpreter(self.path, self.file, KNOWN, self.storage, 0, self.encoding)
        if pickles.load() != _MAGIC:
            raise self.wrong("is a pickle, but not one that torch.save wrote; expected tensors and plain values in PyTorch's format", 0)
        if pickles.load() != _PROTOCOL:
            raise self.wrong("has an unknown version of PyTorch's format before 1.6", self.file.tell())
        pickles.load()  # of the machine that wrote it; the numbers are little-endian on all
        at = self.file.tell()
        self.waiting: dict[str, tuple[str, StorageType]] = {}
        pickles.load()  # once to learn which storages there are, and again when they have been read
        self.fill(pickles.load())
        end = self.file.tell()
        self.file.seek(at)
        value = pickles.load()
        self.file.seek(end)
        return value

    def memory(self, key: str, location: str, kind: StorageType, size: int) -> Any:
        self.size -= size
        if self.size < 0:
            raise ValueError(f"the storage {key[:50]!r} of {size} bytes, more than the file has")
        self.waiting[key] = location, kind
        return np.empty(size, np.uint8)

    def fill(self, keys: Any) -> None:
        """Read the memory of all storages, in the order of their keys in the file."""
        names = [_name(key) for key in keys] if keys.__class__ is list else []
        if sorted(names) != sorted(self.waiting):
            raise self.wrong("does not list the storages that its tensors name", self.file.tell())
        for name in names:
            location, kind = self.waiting[name]
            data, at = self.storages[name].bytes, self.file.tell()
            if self.file.read(8) != (data.size // kind.dtype.itemsize).to_bytes(8, "little"):
                raise self.wrong(f"has another size for the storage {name[:50]!r} than its tensors say", at)
            self.read_into(data)
            if sys.byteorder == "big":
                data = data.view(kind.dtype.np).byteswap().view(np.uint8)
            self.storages[name].bytes = self.place(data, kind.dtype, location)


def _name(value: Any) -> str:
    """A text that Python 2 may have written as bytes."""
    text = value.decode("ascii") if value.__class__ is bytes else value
    if text.__class__ is not str:
        raise ValueError(f"a {type(value).__name__} where a name belongs")
    return text


def place_of(map_location: Any) -> Place:
    """Where the bytes of a storage go, from PyTorch's forms of map_location."""

    def there(data: Any, kind: dtype, location: str) -> Any:
        if location == "cpu":
            return data
        try:
            return move(data, Device(location))
        except (DeviceError, UnsupportedError) as error:
            what = f"tensors in the file lay on {location[:50]!r}, which is not here ({error})"
            raise DeviceError("load", what, "", "load them on the CPU with map_location='cpu'") from None

    def asked(data: Any, kind: dtype, location: str) -> Any:
        found = map_location(wrap(data.view(kind.np)), location)
        return there(data, kind, location) if found is None else found._a.view(np.uint8)

    if callable(map_location):
        return asked
    if isinstance(map_location, dict):
        return lambda data, kind, location: there(data, kind, str(map_location.get(location, location)))
    return there if map_location is None else lambda data, kind, location: there(data, kind, str(Device(map_location)))
