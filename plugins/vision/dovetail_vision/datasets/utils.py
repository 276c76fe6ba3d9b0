"""Downloading and unpacking, by the names of torchvision's ``datasets.utils``, through the core's downloader and extractor."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dovetail.errors import ValueRangeError

from ._fetch import drive, extract, fetch, md5_of

__all__ = [
    "calculate_md5", "check_integrity", "check_md5", "download_and_extract_archive", "download_file_from_google_drive", "download_url",
    "extract_archive", "iterable_to_str", "list_dir", "list_files", "verify_str_arg",
]  # fmt: skip

Location = str | Path


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


def extract_archive(from_path: Location, to_path: Location | None = None, remove_finished: bool = False) -> str:
    """Unpack an archive, or a single compressed file, into a folder, by default its own; returns the folder."""
    folder = os.path.dirname(from_path) if to_path is None else os.fspath(to_path)
    path = Path(from_path)
    single = path.suffix in (".gz", ".xz", ".bz2") and not path.stem.endswith(".tar")
    extract(path, os.path.join(folder, path.stem) if single else folder)
    if remove_finished:
        os.remove(from_path)
    return folder


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
