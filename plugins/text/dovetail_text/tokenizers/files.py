"""Tokenizers from files: what a file says decides which kind it is; everything in it is checked as data."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dovetail.errors import DovetailError, FormatError, ValueRangeError
from dovetail.io.atomic import replacing

__all__ = ["open_text", "parse", "read", "template_files", "write_templates"]

_LARGEST = 512 * 2**20  # bytes; the largest tokenizer.json in use has some 30 MB


def open_text(path: str | os.PathLike[str]) -> str:
    """The text of a file. Raises FileNotFoundError, and a FormatError where it is not UTF-8 or too large."""
    if os.path.getsize(path) > _LARGEST:
        raise FormatError(path, None, f"it has {os.path.getsize(path)} bytes; expected at most {_LARGEST} for a tokenizer")
    with open(path, "rb") as file:
        return decoded(file.read(), path)


def decoded(data: bytes, path: Any) -> str:
    """Bytes as UTF-8, or a FormatError that names the place."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(path, error.start, "it is not UTF-8 text; expected a tokenizer's JSON") from None


def parse(text: str, path: Any) -> dict[str, Any]:
    """A JSON object, or a FormatError."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FormatError(path, getattr(error, "pos", None), f"it is not JSON ({type(error).__name__}: {error})") from None
    if not isinstance(found, dict):
        raise FormatError(path, None, f"it holds a {type(found).__name__}; expected an object with a tokenizer")
    return found


_TEMPLATE, _MORE = "chat_template.jinja", "additional_chat_templates"


def template_files(folder: Path) -> dict[str, Any]:
    """``chat_template`` of a folder, where it has one in files of its own; several by name."""
    files = {path.stem: path for path in sorted((folder / _MORE).glob("*.jinja"))}
    if (folder / _TEMPLATE).is_file():
        files["default"] = folder / _TEMPLATE
    found = {name: open_text(path).replace("\r\n", "\n").replace("\r", "\n") for name, path in files.items()}
    if not found:
        return {}
    return {"chat_template": found["default"] if list(found) == ["default"] else found}


def write_templates(folder: Path, templates: str | Mapping[str, str] | None) -> None:
    """Write templates as transformers does: the default one as ``chat_template.jinja``, others by name in a folder."""
    named = {"default": templates} if isinstance(templates, str) else dict(templates or {})
    for name, text in named.items():
        if not re.fullmatch(r"\w[\w.-]*", name):
            raise ValueRangeError("save_pretrained", f"a chat template is called {name!r}", "expected letters, digits, '_', '.' and '-'")
        path = folder / _TEMPLATE if name == "default" else folder / _MORE / f"{name}.jinja"
        path.parent.mkdir(exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="")


def read(text: str, path: Any) -> Any:
    """The tokenizer in JSON text: one of ours, or a ``tokenizer.json``."""
    from .char import Char
    from .hf import HFTokenizer
    from .vocabulary import FORMAT
    from .word import Word

    about = parse(text, path)
    if about.get("format") != FORMAT:
        if not isinstance(about.get("model"), dict):
            raise FormatError(path, None, "it has no 'model'; expected a tokenizer.json, or what Tokenizer.save writes")
        return HFTokenizer.from_json(text, path)
    kind = {"char": Char, "word": Word}.get(about.get("type") if isinstance(about.get("type"), str) else "")
    if kind is None or about.get("version") != 1:
        what = f"type is {about.get('type')!r}, version {about.get('version')!r}"
        raise FormatError(path, None, f"{what}; expected 'char' or 'word', version 1; is it from a newer dovetail-text?")
    fields = {name: value for name, value in about.items() if name not in ("format", "version", "type")}
    if not isinstance(fields.get("vocab"), list):
        raise FormatError(path, None, "it has no list 'vocab'")
    try:
        return kind(**fields)
    except (DovetailError, TypeError) as error:
        raise FormatError(path, None, f"its fields make no {kind.__name__}: {error}") from error
