"""Where downloads are kept, and ``dovetail.lock``: the full SHA-256 of files whose publisher gives less, noted at the first download."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path
from typing import Any

from ..errors import FormatError
from ..plugins.cache import cache_folder
from .atomic import replacing

__all__ = ["find", "get_dir", "pin", "set_dir"]

NAME = "dovetail.lock"
_HEAD = "# Files whose publisher gives no full SHA-256, as they were at their first download. See: dovetail weights pin --help\n"
_dir: str | None = None


def get_dir() -> str:
    """The folder of downloaded files: what `set_dir` chose, or ``hub`` in ``DOVETAIL_HOME`` (by default the platform's cache folder)."""
    return _dir or os.path.join(os.path.expanduser(os.environ.get("DOVETAIL_HOME") or cache_folder()), "hub")


def set_dir(d: str | os.PathLike[str]) -> None:
    """Choose the folder of downloaded files for this process."""
    global _dir
    _dir = os.path.expanduser(d)


def locks() -> list[Path]:
    """The lock files that count, the first one first: the project's, in the working folder, where there is one; the user's."""
    return [path for path in (Path(NAME), Path(get_dir(), NAME)) if path.is_file()]


def _read(path: Path) -> dict[str, Any]:
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise FormatError(path, None, f"cannot be read ({error}); mend it, or delete it to pin anew") from error
    return {key: about for key, about in found.items() if isinstance(about, dict)}


def find(key: str, url: str, prefix: str = "") -> tuple[str, Path] | None:
    """The SHA-256 that the file of ``key`` at ``url`` was pinned to, and by which lock file."""
    for path in locks():
        about = _read(path).get(key, {})
        sha256 = str(about.get("sha256", "")).lower()
        if about.get("url") == url and len(sha256) == 64 and sha256.startswith(prefix.lower()):
            return sha256, path
    return None


def pin(key: str, url: str, sha256: str, size: int, path: Path | None = None) -> Path:
    """Note a file's SHA-256 in a lock file, by default the first that counts, or the user's; return its path."""
    path = path or next(iter(locks()), Path(get_dir(), NAME))
    rows = _read(path) if path.exists() else {}
    rows[key] = {"url": url, "sha256": sha256, "bytes": size}
    text = [f"\n[{_quoted(name)}]\n" + "".join(f"{field} = {_quoted(row[field])}\n" for field in row) for name, row in sorted(rows.items())]
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_text(_HEAD + "".join(text), encoding="utf-8")
    return path


def _quoted(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)  # strings and numbers are written alike in TOML
