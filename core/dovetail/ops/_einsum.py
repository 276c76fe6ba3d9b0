"""Reading einsum's equation: labels as numbers, the ellipsis as labels of its own."""

from __future__ import annotations

from typing import Any

from ..errors import ShapeError

__all__ = ["parse"]


def _bad(what: str) -> ShapeError:
    return ShapeError("einsum()", what)


def _terms(text: str, operand: int | None) -> list[int]:
    """One term as numbers (A-Z 0-25, a-z 26-51), the ellipsis as -1."""
    out: list[int] = []
    i = 0
    where = "output" if operand is None else f"operand {operand}"
    while i < len(text):
        c = text[i]
        if c == ".":
            if text[i : i + 3] != "...":
                raise _bad(f"found '.' for {where} that is not part of any ellipsis")
            if -1 in out:
                raise _bad(f"found '.' for {where} for which an ellipsis was already found")
            out.append(-1)
            i += 3
            continue
        if c != " ":
            if not (c.isascii() and c.isalpha()):
                raise _bad(f"invalid subscript given at index {i} in the equation string, subscripts must be in [a-zA-Z]")
            out.append(ord(c) - 65 if c < "a" else ord(c) - 71)
        i += 1
    return out


def _name(label: int) -> str:
    return chr(65 + label) if label < 26 else chr(71 + label)


def parse(equation: str, shapes: list[tuple[int, ...]]) -> tuple[tuple[tuple[int, ...], ...], tuple[int, ...]]:
    """The operands' labels and the result's; raises a RuntimeError where equation and shapes do not fit."""
    left, arrow, right = equation.partition("->")
    parts = left.split(",")
    if len(parts) != len(shapes):
        more = "more" if len(shapes) > len(parts) else "fewer"
        raise _bad(f"{more} operands were provided than specified in the equation")
    terms = [_terms(p, i) for i, p in enumerate(parts)]
    hidden = 0  # dimensions that the widest ellipsis stands for
    for i, (term, shape) in enumerate(zip(terms, shapes, strict=True)):
        named = len(term) - (-1 in term)
        if (-1 in term and named > len(shape)) or (-1 not in term and named != len(shape)):
            more = "and no ellipsis was given" if -1 not in term else "and an ellipsis was given"
            raise _bad(f"the number of subscripts in the equation ({named}) does not match the number of dimensions ({len(shape)}) "
                       f"for operand {i} {more}")  # fmt: skip
        if -1 in term:
            hidden = max(hidden, len(shape) - named)
    labels = tuple(_unfold(t, len(s) - (len(t) - 1) if -1 in t else 0) for t, s in zip(terms, shapes, strict=True))
    _check_sizes(labels, shapes)
    dots = tuple(range(100 + hidden - 1, 99, -1))
    if arrow:
        term = _terms(right, None)
        out = tuple(x for t in term for x in (dots if t == -1 else (t,)))
        known = {x for names in labels for x in names}
        for x in out:
            if x not in known:
                raise _bad(f"output subscript {_name(x)} does not appear in the equation for any input operand")
        for x in out:
            if out.count(x) > 1:
                raise _bad(f"output subscript {_name(x)} appears more than once in the output")
        return labels, out
    flat = [x for names in labels for x in names if x < 100]
    return labels, dots + tuple(sorted(x for x in set(flat) if flat.count(x) == 1))


def _unfold(term: list[int], width: int) -> tuple[int, ...]:
    """Replace the ellipsis by labels from 100 on, counted from its right end."""
    return tuple(x for t in term for x in (range(100 + width - 1, 99, -1) if t == -1 else (t,)))


def _check_sizes(labels: Any, shapes: Any) -> None:
    size: dict[int, int] = {}
    for i, (names, shape) in enumerate(zip(labels, shapes, strict=True)):
        mine: dict[int, int] = {}
        for x, n in zip(names, shape, strict=True):
            if mine.get(x, n) != n:
                raise _bad(f"subscript {_name(x)} is repeated for operand {i} but the sizes don't match, {n} != {mine[x]}")
            mine[x] = n
        for x, n in mine.items():
            had = size.get(x, 1)
            if had not in (1, n) and n != 1:
                which = _name(x) if x < 100 else "..."
                raise _bad(f"subscript {which} has size {n} for operand {i} which does not broadcast with previously seen size {had}")
            size[x] = n if had == 1 else had
