"""Vocabulary and merge files of the tokenizers, read as data."""

from __future__ import annotations

import json
import os
from typing import Any

from dovetail.errors import FormatError

__all__ = ["read_json", "read_lines", "read_text"]


def read_text(path: str | os.PathLike[str]) -> str:
    """The text of a local file. Raises FileNotFoundError, and a FormatError where it is not UTF-8."""
    with open(path, "rb") as file:
        data = file.read()
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(path, error.start, "it is not UTF-8 text") from None


def read_lines(path: str | os.PathLike[str]) -> list[str]:
    """Its lines; the last one is empty where the file ends with a newline."""
    return read_text(path).replace("\r\n", "\n").split("\n")


def read_json(path: str | os.PathLike[str]) -> dict[str, Any]:
    """A JSON object of tokens and their numbers."""
    try:
        found = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise FormatError(path, getattr(error, "pos", None), f"it is not JSON ({error})") from None
    if not isinstance(found, dict) or not all(isinstance(v, int | str) and not isinstance(v, bool) for v in found.values()):
        raise FormatError(path, None, "expected an object of tokens and their numbers")
    return found
