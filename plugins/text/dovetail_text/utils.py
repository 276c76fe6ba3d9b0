"""torchtext's ``utils``: files fetched by their address and unpacked, as its older tutorials do by hand."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import BinaryIO

from dovetail.errors import UnsupportedError, ValueRangeError
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

    Raises a DownloadError (an OSError) where it cannot be fetched, and a RuntimeError for another hash.
    """
    target = os.path.abspath(path if path is not None else os.path.join(root, url.rpartition("/")[2]))
    if overwrite or not os.path.exists(target):
        download(url, target)
    if hash_value:
        with open(target, "rb") as file:
            if not validate_file(file, hash_value, hash_type):
                what = f"The hash of {target} does not match"
                raise RuntimeError(f"download_from_url: {what}; expected {hash_type} {hash_value}. Delete the file and try again.")
    return target


def extract_archive(from_path: str, to_path: str | None = None, overwrite: bool = False) -> list[str]:
    """Unpack a .tar.gz, .tgz, .zip or .gz and return the paths of its files; the folder is ``to_path``, or the archive's own.

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
        return [str(extract(from_path, from_path.removesuffix(".gz")))]
    into = Path(os.path.dirname(from_path) if to_path is None else to_path)
    unpacked = extract(from_path, into / f".{os.path.basename(from_path)}.unpacked")
    found = []
    for file in sorted(file for file in unpacked.rglob("*") if file.is_file()):
        target = into / file.relative_to(unpacked)
        found.append(str(target))
        if overwrite or not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            file.replace(target)
    shutil.rmtree(unpacked)
    return found


def get_asset_local_path(asset_path: str) -> str:
    """The path itself where it is a file, or that of the file fetched from this address into torchtext's cache."""
    return asset_path if os.path.exists(asset_path) else download_from_url(asset_path, root=os.path.expanduser(CACHE))
