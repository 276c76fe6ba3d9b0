"""Words by rules of replacement: torchtext's RegexTokenizer."""

from __future__ import annotations

import re
from typing import Any

from dovetail import nn
from dovetail.errors import TypeMismatch, ValueRangeError

__all__ = ["RegexTokenizer"]

_SPACE = r"\t\n\f\r "  # what RE2 takes for \s; Python's has \v too


class RegexTokenizer(nn.Module):
    """Replace each pattern by its replacement, one after the other, and split at spaces.

    ``patterns_list`` holds pairs (pattern, replacement); in a replacement ``\\1`` is a group and ``\\0`` the whole match.
    Patterns mean what they mean to RE2, which torchtext uses: ``\\d``, ``\\w`` and ``\\s`` are ASCII only. Raises a
    ValueError for a pattern or replacement that is wrong (torchtext prints a line, and replaces nothing).

    >>> RegexTokenizer([(r"'", " '  "), (r"[,.]+", " ")])("it's here, it fits..")
    ['it', "'", 's', 'here', 'it', 'fits']
    """

    def __init__(self, patterns_list: Any) -> None:
        super().__init__()
        self.rules = [(_pattern(pattern), _replacement(replacement, pattern)) for pattern, replacement in patterns_list]

    def forward(self, line: str) -> list[str]:
        if not isinstance(line, str):
            raise TypeMismatch("RegexTokenizer", f"line is {type(line).__name__}", "expected a string", "call it once for each string")
        for pattern, parts in self.rules:
            line = _replaced(line, pattern, parts)
        return [token for token in line.split(" ") if token]


def _replaced(line: str, pattern: re.Pattern[str], parts: list[str | int]) -> str:
    out, at, last = [], 0, -1
    for match in pattern.finditer(line):
        start, end = match.span()
        if start == end == last:
            continue  # RE2 finds no empty match right after another one
        out += [line[at:start], *(part if isinstance(part, str) else match[part] or "" for part in parts)]
        at = last = end
    return "".join([*out, line[at:]])


def _pattern(pattern: str) -> re.Pattern[str]:
    inside, out = False, []
    for part in re.findall(r"\\.|.", pattern, re.S):
        if part == "[" or part == "]":
            inside = part == "["
        if part == r"\s":
            part = _SPACE if inside else f"[{_SPACE}]"
        elif part == r"\S" and not inside:
            part = f"[^{_SPACE}]"
        out.append(part)
    flags = re.ASCII if pattern.isascii() else 0  # RE2 folds the case of other letters
    try:
        return re.compile("".join(out), flags)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueRangeError("RegexTokenizer", f"pattern {pattern!r} is wrong: {error}", "expected a regular expression") from None


def _replacement(text: str, pattern: str) -> list[str | int]:
    groups = _pattern(pattern).groups
    parts: list[str | int] = []
    for part in re.findall(r"\\.?|[^\\]+", text, re.S):
        if not part.startswith("\\"):
            parts.append(part)
        elif part == "\\\\":
            parts.append("\\")
        elif part[1:].isdecimal() and int(part[1:]) <= groups:
            parts.append(int(part[1:]))
        else:
            expected = f"expected \\0 to \\{groups} or \\\\"
            raise ValueRangeError("RegexTokenizer", f"replacement {text!r} has {part!r}", expected, "write a backslash as two")
    return parts
