"""Downloading and unpacking, by the names of torchvision's ``datasets.utils``, through the core's downloader and extractor."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dovetail.errors import UnsupportedError, ValueRangeError

from ._fetch import drive, extract, fetch, md5_of
from ._rasters import read_pfm as _read_pfm  # noqa: F401 (programs import it from here)

__all__ = [
    "calculate_md5", "check_integrity", "check_md5", "download_and_extract_archive", "download_file_from_google_drive", "download_url",
    "extract_archive", "iterable_to_str", "list_dir", "list_files", "verify_str_arg",
]  # fmt: skip

Location = str | Path

_ALIASES = {".tbz": ".tar.bz2", ".tbz2": ".tar.bz2", ".tgz": ".tar.gz"}
_ARCHIVES, _COMPRESSIONS = (".tar", ".zip"), (".bz2", ".gz", ".xz")


def calculate_md5(fpath: Location, chunk_size: int = 1024 * 1024) -> str:
    """The MD5 of a file: 32 hexadecimal digits; ``chunk_size`` makes no difference."""
    return md5_of(fpath)


def check_md5(fpath: Location, md5: str) -> bool:
    """Whether a file has this MD5."""
    return md5_of(fpath) == md5


def check_integrity(fpath: Location, md5: str | None = None) -> bool:
    """Whether a file is there and, where an MD5 is given, has it.

    >>> check_integrity("no/such/file")
    False
    """
    return os.path.isfile(fpath) and (md5 is None or check_md5(fpath, md5))


def download_url(url: str, root: Location, filename: Location | None = None, md5: str | None = None, max_redirect_hops: int = 3) -> None:
    """Download a file into the folder ``root``; one that is there and has the MD5 stays. ``max_redirect_hops`` is the core's."""
    fetch([url], Path(os.path.expanduser(root)) / (filename or os.path.basename(url)), md5)


def extract_archive(from_path: Location, to_path: Location | None = None, remove_finished: bool = False) -> Location:
    """Unpack an archive into a folder, by default its own, and return the folder; of a single compressed file, return what came out.

    What it returns is a Path where ``from_path`` is one. Raises a RuntimeError for a name that ends as no archive's does.

    >>> import gzip, tempfile
    >>> with tempfile.TemporaryDirectory() as root:
    ...     packed = os.path.join(root, "words.txt.gz")
    ...     _ = Path(packed).write_bytes(gzip.compress(b"a b"))
    ...     Path(extract_archive(packed)).read_bytes()
    b'a b'
    """
    suffix, archive, _ = _detect_file_type(from_path)
    folder = Path(os.path.dirname(from_path) if to_path is None else to_path)
    if archive:
        extract(from_path, folder)
        if remove_finished:
            os.remove(from_path)
    else:
        folder = _decompress(from_path, folder / os.path.basename(from_path).replace(suffix, ""), remove_finished)
    return os.fspath(folder) if isinstance(from_path, str) else folder


def _detect_file_type(file: Location) -> tuple[str, str | None, str | None]:
    """How a file's name ends, and of which archive and which compression that is: (".tar.gz", ".tar", ".gz")."""
    endings = Path(file).suffixes
    last = endings[-1] if endings else ""
    *inner, outer = re.findall(r"[.]\w+", _ALIASES.get(last, last)) or [""]
    inner = inner or endings[-2:-1]
    if outer in _ARCHIVES:
        return last, outer, None
    if outer not in _COMPRESSIONS:
        what = f"Unknown compression or archive type: '{last}'" if last else f"File '{file}' has no suffixes"
        known = ", ".join(sorted([*_ALIASES, *_ARCHIVES, *_COMPRESSIONS]))
        raise UnsupportedError("extract_archive", what, f"Known suffixes are: {known}")
    if not inner or inner[0] not in _ARCHIVES:
        return last, None, outer
    return last if last in _ALIASES else inner[0] + last, inner[0], outer


def _decompress(from_path: Location, to_path: Location | None = None, remove_finished: bool = False) -> Path:
    """Unpack a single compressed file, by default to its name without the ending; returns where it is."""
    suffix, archive, compression = _detect_file_type(from_path)
    if archive or not compression:
        raise UnsupportedError("_decompress", f"{suffix} is an archive's", "expected a single file: .bz2, .gz or .xz", "extract_archive")
    target = Path(os.fspath(from_path).replace(suffix, "") if to_path is None else to_path)
    extract(from_path, target)
    if remove_finished:
        os.remove(from_path)
    return target


def _get_google_drive_file_id(url: str) -> str | None:
    parts = urlsplit(url)
    match = re.match("/file/d/([^/]*)", parts.path) if re.match("(drive|docs)[.]google[.]com", parts.netloc) else None
    return match[1] if match else None


def download_and_extract_archive(
    url: str,
    download_root: Location,
    extract_root: Location | None = None,
    filename: Location | None = None,
    md5: str | None = None,
    remove_finished: bool = False,
) -> None:
    """Download an archive and unpack it, by default where it was put."""
    download_root = os.path.expanduser(download_root)
    name = filename or os.path.basename(url)
    download_url(url, download_root, name, md5)
    extract_archive(os.path.join(download_root, name), extract_root or download_root, remove_finished)


def download_file_from_google_drive(file_id: str, root: Location, filename: Location | None = None, md5: str | None = None) -> None:
    """Download a file of Google Drive into the folder ``root``; give its MD5, since a page can come in its place."""
    fetch([drive(file_id)], Path(os.path.expanduser(root)) / (filename or file_id), md5)


def list_dir(root: Location, prefix: bool = False) -> list[str]:
    """The folders in a folder, sorted; with ``prefix``, their paths."""
    return _listed(root, prefix, os.path.isdir)


def list_files(root: Location, suffix: str | tuple[str, ...], prefix: bool = False) -> list[str]:
    """The files in a folder whose names end with ``suffix``, sorted; with ``prefix``, their paths."""
    return _listed(root, prefix, lambda path: os.path.isfile(path) and path.endswith(suffix))


def _listed(root: Location, prefix: bool, wanted: Any) -> list[str]:
    root = os.path.expanduser(root)
    found = [name for name in sorted(os.listdir(root)) if wanted(os.path.join(root, name))]
    return [os.path.join(root, name) for name in found] if prefix else found


def iterable_to_str(iterable: Iterable[Any]) -> str:
    """Values between quotes and commas.

    >>> iterable_to_str(["train", "test"])
    "'train', 'test'"
    """
    return "'" + "', '".join(str(item) for item in iterable) + "'"


def verify_str_arg(value: Any, arg: str | None = None, valid_values: Iterable[Any] | None = None, custom_msg: str | None = None) -> Any:
    """The value, where it is a text and, if values are given, one of them; otherwise a ValueRangeError (a ValueError) for ``arg``.

    >>> verify_str_arg("val", "split", ("train", "test"))
    Traceback (most recent call last):
    ...
    dovetail.errors.ValueRangeError: Unknown value 'val' for argument split. Valid values are {'train', 'test'}.
    """
    if not isinstance(value, str):
        raise ValueRangeError(f"Expected type str{f' for argument {arg}' if arg else ''}, but got type {type(value)}.")
    if valid_values is not None and value not in (valid := list(valid_values)):
        raise ValueRangeError(custom_msg or f"Unknown value '{value}' for argument {arg}. Valid values are {{{iterable_to_str(valid)}}}.")
    return value
