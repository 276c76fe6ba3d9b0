"""``dovetail.serialization``: names around `save` and `load`, which change nothing: tensors and plain values are read, never classes."""

from __future__ import annotations

import enum
import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import IO, Any, TypeAlias

import dovetail as dv
from dovetail.errors import NoDevice, TypeMismatch, UnsupportedError

__all__ = [
    "DEFAULT_PROTOCOL", "FILE_LIKE", "MAP_LOCATION",
    "LoadEndianness", "SourceChangeWarning", "add_safe_globals", "check_module_version_greater_or_equal", "clear_safe_globals",
    "default_restore_location", "get_crc32_options", "get_default_load_endianness", "get_default_mmap_options", "get_safe_globals",
    "get_unsafe_globals_in_checkpoint", "load", "location_tag", "register_package", "safe_globals", "save", "set_crc32_options",
    "set_default_load_endianness", "set_default_mmap_options", "skip_data", "validate_cuda_device",
]  # fmt: skip

load, save = dv.load, dv.save
FILE_LIKE: TypeAlias = str | os.PathLike[str] | IO[bytes]
MAP_LOCATION: TypeAlias = Callable[[Any, str], Any] | dv.device | str | dict[str, str] | None
DEFAULT_PROTOCOL = 2  # of pickle, which nothing here writes: what programs pass on as `pickle_protocol=`
_safe: list[Any] = []
_options: dict[str, Any] = {"endianness": None, "crc32": True, "mmap": 2}  # 2: MAP_PRIVATE


class _NotPickled:
    """What programs pass on as ``pickle_module=``: nothing is pickled here."""

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"serialization.pickle.{name}: nothing is pickled here; use save and load, or Python's own module")


pickle = _NotPickled()


class SourceChangeWarning(Warning):
    """PyTorch's warning that a pickled module's source has changed; no source is compared here."""


class LoadEndianness(enum.Enum):
    """The order of bytes in a file, of which each says its own."""

    NATIVE = 1
    LITTLE = 2
    BIG = 3


def add_safe_globals(safe_globals: list[Any]) -> None:
    """Remember classes as trusted. `load` makes none of them all the same: a file that needs one is refused, and the error names it."""
    _safe.extend(one for one in safe_globals if one not in _safe)


def get_safe_globals() -> list[Any]:
    """What `add_safe_globals` was told."""
    return list(_safe)


def clear_safe_globals() -> None:
    """Forget what `add_safe_globals` was told."""
    _safe.clear()


class safe_globals:
    """A block within which these classes are remembered as trusted; see `add_safe_globals`.

    >>> with safe_globals([set]):
    ...     get_safe_globals()
    [<class 'set'>]
    """

    def __init__(self, safe_globals: list[Any]) -> None:
        self._new = safe_globals

    def __enter__(self) -> None:
        self._before = get_safe_globals()
        add_safe_globals(self._new)

    def __exit__(self, *error: Any) -> None:
        _safe[:] = self._before


def get_unsafe_globals_in_checkpoint(f: Any) -> list[str]:
    """Nothing for a file that `load` reads; one that it refuses raises, and the error names what it needs."""
    dv.load(f)
    return []


def get_default_load_endianness() -> LoadEndianness | None:
    """What was set; files say their own order, so it has no effect."""
    found: LoadEndianness | None = _options["endianness"]
    return found


def set_default_load_endianness(endianness: LoadEndianness | None) -> None:
    """Set the order of bytes in files that do not say theirs: that of this machine alone. Raises a TypeError for what is no order.

    >>> set_default_load_endianness(LoadEndianness.NATIVE)
    """
    if not isinstance(endianness, LoadEndianness) and endianness is not None:
        raise TypeMismatch("set_default_load_endianness", f"got {endianness!r}", "expected a LoadEndianness or None")
    if endianness not in (None, LoadEndianness.NATIVE, LoadEndianness[sys.byteorder.upper()]):
        what = f"files that do not say their order of bytes are read in this machine's, {sys.byteorder}"
        raise UnsupportedError("set_default_load_endianness", what, f"got {endianness}", "convert them where they were written")
    _options["endianness"] = endianness


def get_crc32_options() -> bool:
    """What was set; files of `save` always have checksums."""
    return bool(_options["crc32"])


def set_crc32_options(compute_crc32: bool) -> None:
    """Remembered, and without effect: files of `save` always have checksums."""
    _options["crc32"] = compute_crc32


def get_default_mmap_options() -> int:
    """What was set; the default is MAP_PRIVATE."""
    return int(_options["mmap"])


def set_default_mmap_options(flags: int) -> AbstractContextManager[Any]:
    """A block, or a setting, in which mapped tensors are private (2, MAP_PRIVATE), as they always are; others are refused."""
    if flags != 2:
        what = "mapped tensors are private: what is written to them never changes the file"
        raise UnsupportedError("set_default_mmap_options", what, f"expected MAP_PRIVATE (2), got {flags}", "save again after a change")
    _options["mmap"] = flags
    return nullcontext()


def register_package(priority: int, tagger: Callable[..., Any], deserializer: Callable[..., Any]) -> None:
    """Always an UnsupportedError: files name the CPU or CUDA, and ``map_location`` of `load` maps them."""
    raise UnsupportedError("register_package", "devices of other kinds cannot be read from files", "", "pass map_location to load")


class skip_data:
    """Always an UnsupportedError: `save` and `load` write and read whole files."""

    def __init__(self, materialize_fake_tensors: bool = False) -> None:
        raise UnsupportedError("skip_data", "files without their data are not written", "", "keep the state dict's shapes in a dict")


def location_tag(storage: Any) -> str:
    """Where a storage or tensor lies, as files write it."""
    return str(storage.device)


def default_restore_location(storage: Any, location: str) -> Any:
    """What ``map_location=lambda storage, location: …`` is given, on the device that `location` names.

    >>> default_restore_location(dv.ones(2), "cpu").device
    device(type='cpu')
    """
    return storage.to(dv.device(location))


def validate_cuda_device(location: Any) -> int:
    """The number of the GPU in ``"cuda:1"``. Raises a NoDevice (RuntimeError) where it is not there."""
    index = dv.device(location).index or 0
    if index >= dv.cuda.device_count():
        what = f"{location} is asked for and there are {dv.cuda.device_count()} GPUs"
        raise NoDevice("validate_cuda_device", what, "", "load(…, map_location='cpu')")
    return index


def check_module_version_greater_or_equal(module: Any, req_version_tuple: tuple[Any, ...], error_if_malformed: bool = True) -> bool:
    """Whether a package's version is at least this."""
    try:
        found = tuple(type(want)(part) for want, part in zip(req_version_tuple, module.__version__.split("."), strict=False))
    except ValueError:
        if error_if_malformed:
            raise
        return True
    return found >= req_version_tuple
