"""torchtext's ``utils``: files fetched by their address and unpacked, as its older tutorials do by hand."""

from __future__ import annotations

import hashlib
import os
import tarfile
import tempfile
import zipfile
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from dovetail.errors import HashMismatch, UnsupportedError, ValueRangeError
from dovetail.io.archive import extract
from dovetail.io.download import download

from .datasets.local import CACHE

__all__ = ["download_from_url", "extract_archive", "get_asset_local_path", "validate_file"]


def validate_file(file_obj: BinaryIO, hash_value: str, hash_type: str = "sha256") -> bool:
    """Say whether a file has this hash, ``"sha256"`` or ``"md5"``; another kind is a ValueError.

    >>> import io
    >>> validate_file(io.BytesIO(b"it fits"), "0" * 64)
    False
    """
    if hash_type not in ("sha256", "md5"):
        raise ValueRangeError("validate_file", f"hash_type is {hash_type!r}", "expected 'sha256' or 'md5'")
    return hashlib.file_digest(file_obj, hash_type).hexdigest() == hash_value


def download_from_url(
    url: str, path: str | None = None, root: str = ".data", overwrite: bool = False,
    hash_value: str | None = None, hash_type: str = "sha256",
) -> str:  # fmt: skip
    """Fetch a file to ``path``, or into the folder ``root`` under its own name, and return its path; one that is there is left as it is.

    Raises a DownloadError (an OSError) where it cannot be fetched, a HashMismatch (a RuntimeError) for another hash, and a ValueError
    for an address that does not end with a file's name, where there is no ``path``.
    """
    name = url.rpartition("/")[2]
    if path is None and (name in ("", ".", "..") or os.path.basename(name) != name):
        raise ValueRangeError("download_from_url", f"url is {url!r}", "expected one that ends with a file's name", "give path=")
    target = os.path.abspath(path if path is not None else os.path.join(root, name))
    if overwrite or not os.path.exists(target):
        download(url, target)
    if hash_value:
        with open(target, "rb") as file:
            if not validate_file(file, hash_value, hash_type):
                raise HashMismatch(target, None, f"its hash does not match; expected {hash_type} {hash_value}; delete it and try again")
    return target


def extract_archive(from_path: str, to_path: str | None = None, overwrite: bool = False) -> list[str]:
    """Unpack a .tar.gz, .tgz, .zip or .gz and return the paths of its files in its order; the folder is ``to_path``, or its own.

    What is there already is left as it is, unless ``overwrite``. Raises a NotImplementedError for another ending, an UnsafeArchiveError
    for an archive that would write elsewhere, and a FormatError for one that is damaged.

    >>> import tempfile, zipfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with zipfile.ZipFile(f"{folder}/a.zip", "w") as file:
    ...         file.writestr("words/one.txt", "one")
    ...     [os.path.relpath(path, folder) for path in extract_archive(f"{folder}/a.zip")]
    ['words/one.txt']
    """
    if not from_path.endswith((".tar.gz", ".tgz", ".zip", ".gz")):
        raise UnsupportedError("extract_archive", f"from_path is {from_path!r}", "expected a .tar.gz, .tgz, .zip or .gz")
    if from_path.endswith(".gz") and not from_path.endswith(".tar.gz"):
        extract(from_path, from_path.removesuffix(".gz"))
        return [from_path.removesuffix(".gz")]
    into = Path(os.path.dirname(from_path) if to_path is None else to_path)
    into.mkdir(parents=True, exist_ok=True)
    found = []
    with tempfile.TemporaryDirectory(dir=into, prefix=".unpacked.") as folder:
        unpacked = extract(from_path, os.path.join(folder, "new"))
        files, places = [file.relative_to(unpacked) for file in unpacked.rglob("*") if file.is_file()], _places(from_path)
        for inside in sorted(files, key=lambda file: places.get(file, len(places))):
            target = into / inside
            found.append(str(target))
            if overwrite or not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                (unpacked / inside).replace(target)
    return found


def _places(archive: str) -> dict[Path, int]:
    """Where each member stands in an archive that has been unpacked once, and so is known to be harmless."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as packed:
            names = packed.namelist()
    else:
        with tarfile.open(archive) as tar:
            names = tar.getnames()
    return {Path(PurePosixPath(name)): place for place, name in enumerate(names)}


def get_asset_local_path(asset_path: str) -> str:
    """The path itself where it is a file, or that of the file fetched from this address into torchtext's cache."""
    return asset_path if os.path.exists(asset_path) else download_from_url(asset_path, root=os.path.expanduser(CACHE))
