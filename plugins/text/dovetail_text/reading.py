"""Text files as they are read everywhere here: UTF-8, in whole lines, with errors that name the file and the place."""

from __future__ import annotations

import os
from pathlib import Path

from dovetail.errors import FormatError

__all__ = ["lines_of", "text_of"]


def text_of(path: str | os.PathLike[str]) -> str:
    """The text of a UTF-8 file, without a byte order mark.

    Raises what opening raises (FileNotFoundError …), and a FormatError that names the byte where it is not UTF-8.
    """
    data = Path(path).read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(path, error.start, f"it is not UTF-8 text ({error.reason}); convert it first: iconv -f latin1 -t utf8") from None


def lines_of(path: str | os.PathLike[str]) -> list[str]:
    """The lines of a UTF-8 file, without their ends; only ``\\\\n`` and ``\\\\r\\\\n`` end a line. Raises what `text_of` raises."""
    lines = text_of(path).replace("\r\n", "\n").split("\n")
    return lines[:-1] if lines[-1] == "" else lines
