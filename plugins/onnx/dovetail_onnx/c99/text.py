"""Pieces of C text: identifiers, comments and numbers, none of which a model's own text can break out of."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np

__all__ = ["array_text", "comment", "identifier", "indent", "literal", "loop", "terms", "unique"]

_WORDS = frozenset(
    "auto break case char const continue default do double else enum extern float for goto if inline int long register restrict return "
    "short signed sizeof static struct switch typedef union unsigned void volatile while asm typeof class new delete this template "
    "operator private public protected virtual try catch throw namespace using bool true false and or not xor export friend mutable "
    "explicit typename main n i failed sample weights arena loaded unix linux errno stdin stdout stderr null eof size_t argc argv memcpy "
    "fread fputs printf putchar feof int64_t int32_t uint8_t int8_t".split()
)


def identifier(text: str, lead: str = "v") -> str:
    """A C and C++ identifier made of a name: letters, digits and single underscores, no word of the languages.

    >>> identifier("layer1.0.conv1"), identifier("0*/ x"), identifier("double")
    ('layer1_0_conv1', 'v_0_x', 'v_double')
    """
    found = re.sub(r"[^0-9A-Za-z]+", "_", text).strip("_")[:60].rstrip("_")
    return found if found and not found[0].isdigit() and found not in _WORDS else f"{lead}_{found}".rstrip("_")


def unique(name: str, taken: set[str]) -> str:
    """The name, with a number if it is taken; it is taken from now on."""
    found, count = name, 1
    while found in taken:
        count += 1
        found = f"{name}_{count}"
    taken.add(found)
    return found


def comment(text: str) -> str:
    """Text for a comment on one line.

    >>> comment("a*/ b??/")
    'a/ b/'
    """
    return re.sub(r"\*+/|/\*+", "/", re.sub(r"[^ -~]|[\\?]", "", text))[:120]


def literal(value: Any, dtype: str) -> str:
    """A number as C writes it: floats with nine digits, which give the same float again.

    >>> literal(0.1, "float32"), literal(-2, "int64"), literal(float("-inf"), "float32")
    ('0.1f', '-2', '-INFINITY')
    """
    if dtype != "float32":
        if dtype == "int64" and int(value) == -(2**63):
            return "INT64_MIN"
        return f"INT64_C({int(value)})" if dtype == "int64" and abs(int(value)) >= 2**31 else str(int(value))
    value = np.float32(value)
    if not np.isfinite(value):
        return "NAN" if np.isnan(value) else "INFINITY" if value > 0 else "-INFINITY"
    text = f"{value:.9g}"
    short = np.format_float_positional(value, unique=True, trim="0") if 1e-4 <= abs(value) < 1e6 else text
    text = min((short, text), key=len) if np.float32(short) == value else text
    return f"{text}f" if "." in text or "e" in text else f"{text}.0f"


def array_text(array: np.ndarray[Any, Any], width: int = 120) -> Iterable[str]:
    """The elements of an array in lines."""
    line: list[str] = []
    length = 0
    dtype = array.dtype.name
    for value in array.reshape(-1):
        text = _element(value) if dtype == "float32" else literal(value, dtype)
        if length + len(text) + 1 > width:
            yield ",".join(line) + ","
            line, length = [], 0
        line.append(text)
        length += len(text) + 1
    yield ",".join(line)


def _element(value: Any) -> str:
    if value == 0:
        return "-0.0f" if np.signbit(value) else "0"
    if value - value != 0:
        return literal(value, "float32")
    text = f"{value:.9g}"
    return f"{text}f" if "." in text or "e" in text else f"{text}.0f"


def indent(lines: Iterable[str], depth: int = 1) -> list[str]:
    return [f"{'    ' * depth}{line}" if line else "" for line in lines]


def loop(name: str, size: int, step: int = 1) -> str:
    """The head of a loop.

    >>> loop("i", 3), loop("o", 64, 16)
    ('for (int i = 0; i < 3; i++)', 'for (int o = 0; o < 64; o += 16)')
    """
    return f"for (int {name} = 0; {name} < {size}; {name}{'++' if step == 1 else f' += {step}'})"


def terms(*parts: tuple[str, int] | str | int) -> str:
    """A sum of products, without what is 0 and factors that are 1.

    >>> terms("x", ("i", 8), ("j", 1), ("k", 0), 0), terms(0)
    ('x + i * 8 + j', '0')
    """
    found = []
    for part in parts:
        if isinstance(part, tuple):
            name, step = part
            held = f"({name})" if " " in name and step != 1 else name
            found += [held if step == 1 else f"{held} * {step}"] if step else []
        elif part not in (0, ""):
            found.append(str(part))
    return " + ".join(found) or "0"
