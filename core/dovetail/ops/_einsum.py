"""Reading einsum's equation: a letter for each dimension, and letters of its own for the ellipsis."""

from __future__ import annotations

import re
from typing import Any

from ..errors import ShapeError

__all__ = ["FRESH", "parse", "sizes"]

FRESH = 192  # chr(192) and on are letters that no equation may name


def _bad(what: str) -> ShapeError:
    return ShapeError("einsum()", what)


def _term(text: str, where: str) -> str:
    """One term, without spaces and with a single dot for the ellipsis."""
    out = ""
    for found in re.finditer(r"\.\.\.|[^ ]", text):
        c = found[0]
        if c == ".":
            raise _bad(f"found '.' for {where} that is not part of any ellipsis")
        if c == "..." and "." in out:
            raise _bad(f"found '.' for {where} for which an ellipsis was already found")
        if c != "..." and not (c.isascii() and c.isalpha()):
            raise _bad(f"invalid subscript given at index {found.start()} in the equation string, subscripts must be in [a-zA-Z]")
        out += c[0]
    return out


def _hidden(width: int) -> str:
    """The letters of an ellipsis that stands for so many dimensions, counted from its right end."""
    return "".join(chr(FRESH + i) for i in reversed(range(width)))


def parse(equation: str, shapes: list[tuple[int, ...]]) -> tuple[tuple[str, ...], str]:
    """The operands' labels and the result's; raises a RuntimeError where equation and shapes do not fit."""
    left, arrow, right = equation.partition("->")
    parts = left.split(",")
    if len(parts) != len(shapes):
        more = "more" if len(shapes) > len(parts) else "fewer"
        raise _bad(f"{more} operands were provided than specified in the equation")
    terms = [_term(p, f"operand {i}") for i, p in enumerate(parts)]
    widths = [len(s) - len(t.replace(".", "")) for t, s in zip(terms, shapes, strict=True)]
    for i, (term, width, shape) in enumerate(zip(terms, widths, shapes, strict=True)):
        if width < 0 or (width and "." not in term):
            more = "and an ellipsis was given" if "." in term else "and no ellipsis was given"
            raise _bad(f"the number of subscripts in the equation ({len(shape) - width}) does not match the number of dimensions "
                       f"({len(shape)}) for operand {i} {more}")  # fmt: skip
    labels = tuple(t.replace(".", _hidden(width)) for t, width in zip(terms, widths, strict=True))
    sizes(labels, shapes)
    every, dots = "".join(labels), _hidden(max(widths))
    if not arrow:
        return labels, dots + "".join(sorted(x for x in set(every) if every.count(x) == 1 and x not in dots))
    out = _term(right, "output").replace(".", dots)
    for x in out:
        if x not in every:
            raise _bad(f"output subscript {x} does not appear in the equation for any input operand")
    for x in out:
        if out.count(x) > 1:
            raise _bad(f"output subscript {x} appears more than once in the output")
    return labels, out


def sizes(labels: Any, shapes: Any) -> dict[str, int]:
    """The length of each label's dimensions, which are alike or 1."""
    size: dict[str, int] = {}
    for i, (names, shape) in enumerate(zip(labels, shapes, strict=True)):
        mine: dict[str, int] = {}
        for x, n in zip(names, shape, strict=True):
            if mine.setdefault(x, n) != n:
                raise _bad(f"subscript {x} is repeated for operand {i} but the sizes don't match, {n} != {mine[x]}")
        for x, n in mine.items():
            had = size.get(x, 1)
            if had not in (1, n) and n != 1:
                which = "..." if ord(x) >= FRESH else x
                raise _bad(f"subscript {which} has size {n} for operand {i} which does not broadcast with previously seen size {had}")
            size[x] = n if had == 1 else had
    return size
