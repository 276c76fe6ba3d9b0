"""Files of formats that the core lacks, by the plugin that claims their suffix: samples to decode, weights to read and write."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import DecodeError, FormatError, PluginError
from ..plugins.manager import get_manager

__all__ = ["claimed_suffix", "decode", "read_weights", "write_weights"]

_ELEMENTS = 150_000_000  # 50 million pixels of three channels


def claimed_suffix(path: str | os.PathLike[str]) -> str:
    """The longest suffix of a file's name that a plugin claims, ``".nii.gz"`` before ``".gz"``; empty when none does."""
    suffixes = Path(path).name.lower().split(".")[1:]
    table = get_manager().table("formats")
    candidates = ["." + ".".join(suffixes[i:]) for i in range(len(suffixes))]
    return next((suffix for suffix in candidates if suffix in table.rows or suffix in table.clashes), "")


def decode(source: bytes | str | os.PathLike[str], kind: str | None = None, *, max_elements: int = _ELEMENTS) -> Any:
    """Decode one sample: an image, a sound … from bytes or a file, by the plugin that claims its suffix (``kind``).

    Nothing of more than ``max_elements`` elements is allocated. Raises a DecodeError for a sample that cannot be decoded, or of a
    kind that no plugin decodes; a NameClashError when several claim it.
    """
    name, data = (f"sample {kind}", source) if isinstance(source, bytes) else (os.fspath(source), Path(source).read_bytes())
    suffix = (kind or "").lower() if isinstance(source, bytes) or kind else claimed_suffix(source)
    found = _ask(name, "decode_sample", suffix, DecodeError, data=data, kind=suffix, limits={"elements": max_elements})
    if found is None:
        ending = suffix or Path(name).suffix or "a kind that is not named"
        raise DecodeError(name, None, f"no plugin decodes {ending}; see what is installed with: dovetail search --kind formats .")
    return found


def read_weights(path: str | os.PathLike[str]) -> dict[str, Any] | None:
    """The tensors in a file of a claimed format, or None when its suffix is not claimed by a plugin that reads weights."""
    suffix = claimed_suffix(path)
    if not suffix:
        return None
    with open(path, "rb") as file:
        head = file.read(64)
    return _ask(os.fspath(path), "open_weights", suffix, FormatError, path=os.fspath(path), head=head)


def write_weights(path: str | os.PathLike[str], temporary: Path, tensors: Callable[[], dict[str, Any]]) -> bool:
    """Write tensors in a claimed format; False when its suffix is not claimed by a plugin that writes weights."""
    suffix = claimed_suffix(path)
    arguments = {"format": suffix, "path": os.fspath(temporary), "metadata": {}}
    return bool(suffix) and _ask(os.fspath(path), "save_weights", suffix, FormatError, tensors=tensors(), **arguments) is not None


def _ask(name: str, hook: str, suffix: str, kind: type[FormatError], /, **arguments: Any) -> Any:
    """Ask the plugin that claims the suffix; what it raises becomes an error about this file."""
    try:
        return get_manager().ask(hook, suffix, **arguments)
    except (FormatError, PluginError, MemoryError):
        raise
    except Exception as error:
        raise kind(name, None, f"{type(error).__name__}: {error}; {' '.join(getattr(error, '__notes__', ()))}") from error
