"""Signatures and docstrings as Markdown: what the reference shows of one object."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

__all__ = ["markdown", "parameters"]

_SPAN = re.compile(r"(``.+?``|`[^`\n]+`)", re.S)
_ROLE = re.compile(r":(?:py:)?(?:func|meth|class|mod|attr|exc|data|obj):`~?\.?([^`]+)`")
_SPECIAL = re.compile(r"([\\*_<>\[\]{}$#|~])")
_URL = re.compile(r"https?://[^\s)\],;]+[^\s)\],;.]")
_NAME = re.compile(r"(?<![\w.'\"])[A-Z]\w*(?![\w.'\"])")
_TENSORS = {"Array": "Tensor", "Fixed": "Tensor", "Arrays": "Sequence[Tensor]"}


def markdown(text: str | None) -> str:
    """A docstring as Markdown: prose with its code spans, examples and indented lines as blocks of code."""
    out: list[str] = []
    for block in re.split(r"\n\s*\n", inspect.cleandoc(text or "")):
        lines = block.split("\n")
        first = next((i for i, line in enumerate(lines) if line.lstrip().startswith(">>>")), None)
        if first is not None:
            if first:
                out.append(_prose(lines[:first]))
            out.append(_fence("pycon", lines[first:]))
        elif all(line.startswith("    ") for line in lines):
            out.append(_fence("text", lines))
        else:
            out.append(_prose(lines))
    return "\n\n".join(out)


def _fence(language: str, lines: list[str]) -> str:
    code = inspect.cleandoc("\n" + "\n".join(lines))
    return f"```{language}\n{code}\n```"


def _prose(lines: list[str]) -> str:
    text = _ROLE.sub(r"`\1`", "\n".join(line.strip() for line in lines)).replace("\\|", "|")
    return "".join(part if i % 2 else _plain(part) for i, part in enumerate(_SPAN.split(text)))


def _plain(text: str) -> str:
    """Prose without code spans: everything that Markdown might take for markup is escaped; addresses become links."""
    parts, at = [], 0
    for found in _URL.finditer(text):
        parts += [_SPECIAL.sub(r"\\\1", text[at : found.start()]), f"<{found.group()}>"]
        at = found.end()
    return "".join([*parts, _SPECIAL.sub(r"\\\1", text[at:])])


def parameters(value: Any, method: bool = False, named: Callable[[Any], str | None] = lambda kind: None) -> str:
    """The parameters of a callable in parentheses, with types that say something and defaults; "" where there are none to see.

    `named` gives the full name of a class that the reference has, so that a type in a signature leads to it.
    """
    try:
        found = inspect.signature(value)
    except (TypeError, ValueError):
        return "()" if inspect.isclass(value) else ""
    known = getattr(inspect.unwrap(getattr(value, "__init__", value) if inspect.isclass(value) else value), "__globals__", {})

    def full(text: str) -> str:
        return _NAME.sub(lambda word: named(known.get(word.group())) or word.group(), text)

    shown = list(found.parameters.values())
    if method:
        shown = shown[1:]
    shown = [p for p in shown if not (p.kind is p.VAR_POSITIONAL and p.name == "last")]  # PyTorch's old order of arguments
    words: list[str] = []
    for previous, p in zip([None, *shown], shown, strict=False):
        before = previous.kind if previous is not None else None
        if before is inspect.Parameter.POSITIONAL_ONLY and p.kind is not p.POSITIONAL_ONLY:
            words.append("/")
        if p.kind is p.KEYWORD_ONLY and before not in (p.KEYWORD_ONLY, p.VAR_POSITIONAL):
            words.append("*")
        words.append(_parameter(p, full))
    returned = full(_type(found.return_annotation))
    return f"({', '.join(words)})" + (f" -> {returned}" if returned and not inspect.isclass(value) else "")


def _parameter(p: inspect.Parameter, full: Callable[[str], str]) -> str:
    stars = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
    kind = full(_type(p.annotation))
    text = f"{stars}{p.name}" + (f": {kind}" if kind else "")
    if p.default is p.empty:
        return text
    return f"{text} = {_default(p.default)}" if kind else f"{text}={_default(p.default)}"


def _type(annotation: Any) -> str:
    """What an annotation says; nothing for Any, and for those that only repeat `object`."""
    if annotation is inspect.Parameter.empty:
        return ""
    text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))
    text = re.sub(r"\b(Array|Fixed|Arrays)\b", lambda found: _TENSORS[found.group()], text.strip("'\""))
    return "" if text in ("Any", "object", "None") or "[Any]" in text or "..." in text else text


def _default(value: Any) -> str:
    if inspect.isclass(value) or inspect.isfunction(value):
        return value.__name__
    text = repr(value)
    return text if len(text) < 40 and "<" not in text and " at 0x" not in text else "..."
