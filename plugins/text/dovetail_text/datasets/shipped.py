"""Packed JSON that ships inside the package, checked by its SHA-256 whenever it is read."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from dovetail.errors import FormatError, HashMismatch

__all__ = ["read_shipped"]

_SHIPPED = Path(__file__).with_name("data")


def read_shipped(file: str, sha256: str, root: str | os.PathLike[str] | None = None) -> dict[str, Any]:
    """The object in ``file``, of the package or of the folder ``root``.

    Raises a HashMismatch for a file with another SHA-256, a FormatError for one that cannot be read.
    """
    path = (_SHIPPED if root is None else Path(root).expanduser()) / file
    try:
        packed = path.read_bytes()
    except OSError as error:
        raise FormatError(path, None, f"{error.strerror}; leave root out to use the copy that ships with dovetail-text") from error
    found = hashlib.sha256(packed).hexdigest()
    if found != sha256:
        raise HashMismatch(path, None, f"SHA-256 is {found}; expected {sha256}; reinstall dovetail-text or replace the file")
    return json.loads(gzip.decompress(packed))
