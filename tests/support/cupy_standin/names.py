"""CuPy's own names, signatures and type lists, read from the table beside this package."""

from __future__ import annotations

import inspect
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

try:
    import ml_dtypes

    BFLOAT16: Any = np.dtype(ml_dtypes.bfloat16)
except ImportError:  # then no array can have this type
    BFLOAT16 = None

__all__ = ["BFLOAT16", "Entry", "Loops", "check_dtype", "names", "signature"]


class Entry(NamedTuple):
    """What CuPy has under one name: a function, ufunc, type, value … and its detail."""

    kind: str
    detail: str


@cache
def table() -> dict[str, dict[str, Entry]]:
    """Return every recorded name by module."""
    modules: dict[str, dict[str, Entry]] = {}
    for line in (Path(__file__).parents[1] / "cupy_names.txt").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            path, kind, detail = line.split("\t")
            module, _, name = path.rpartition(":")
            modules.setdefault(module, {})[name] = Entry(kind, detail)
    return modules


def names(module: str) -> dict[str, Entry]:
    """Return the names that CuPy has in one module or class.

    >>> names("cupy")["concat"].detail
    'tup axis= out= * dtype= casting='
    """
    return table()[module]


@cache
def signature(detail: str) -> inspect.Signature:
    """Return the signature that a table's line spells; a default is only marked, never filled in.

    >>> signature("a axis= * out=").bind([1], axis=0).arguments
    {'a': [1], 'axis': 0}
    """
    P = inspect.Parameter
    kind, parameters = P.POSITIONAL_OR_KEYWORD, []
    for word in detail.split():
        if word == "/":
            parameters = [p.replace(kind=P.POSITIONAL_ONLY) for p in parameters]
        elif word == "*":
            kind = P.KEYWORD_ONLY
        elif word.startswith("**"):
            parameters.append(P(word[2:], P.VAR_KEYWORD))
        elif word.startswith("*"):
            parameters.append(P(word[1:], P.VAR_POSITIONAL))
            kind = P.KEYWORD_ONLY
        else:
            parameters.append(P(word.rstrip("="), kind, default=None if word.endswith("=") else P.empty))
    return inspect.Signature(parameters)


def check_dtype(dtype: Any) -> Any:
    """Return the dtype if CuPy can hold it; raise CuPy's ValueError otherwise."""
    if dtype.char in "?bhilqBHILQefdFD" or dtype == BFLOAT16 or dtype.fields:
        return dtype
    raise ValueError(f"Unsupported dtype {dtype}")


def _dtype(char: str) -> Any:
    return BFLOAT16 if char == "E" else np.dtype(char)


def _score(kind: Any) -> int:
    """Rank bool, integer and inexact; CuPy keeps a weak scalar weak only up to the arrays' own rank."""
    for score, types in enumerate(((np.bool_,), (np.integer, int), (np.inexact, float, complex))):
        if issubclass(kind, types):
            return score
    return 3


class Loop(NamedTuple):
    """One line of a type list."""

    ins: tuple[Any, ...]
    outs: tuple[Any, ...]
    refused: bool


class Loops:
    """The type list of a CuPy ufunc or reduction, and CuPy's rule for picking a line from it.

    >>> loop = Loops("ee->e,ff->f,dd->d").pick("f", [np.dtype("f4"), np.dtype("f8")], [False, float])
    >>> loop.outs
    (dtype('float32'),)
    """

    def __init__(self, types: str, promote: str = "-") -> None:
        lines = [t.lstrip("!").split("->") + [t[0] == "!"] for t in types.split(",") if BFLOAT16 is not None or "E" not in t]
        lines = [line for line in lines if "V" not in line[0]]
        self.lines = [Loop(tuple(map(_dtype, a)), tuple(map(_dtype, b)), refused) for a, b, refused in lines]
        self.promote = promote

    def by_output(self, name: str, dtype: Any) -> Loop:
        """Return the first line with this output type, as for ``dtype=``."""
        for loop in self.lines:
            if all(t == dtype for t in loop.outs):
                return loop
        raise TypeError(f"Wrong type ({dtype}) of arguments for {name}")

    def pick(self, name: str, dtypes: list[Any], weak: list[Any] | None = None) -> Loop:
        """Return the first line that takes these types; ``weak`` holds the Python type of each Python scalar, or False.

        Raises TypeError where CuPy has no line, or refuses it (``subtract`` of two bools).
        """
        weak = self._weakness(dtypes, weak or [False] * len(dtypes))
        for loop in self.lines:
            if all(np.can_cast(have, want) or self._fits(w, want) for have, want, w in zip(dtypes, loop.ins, weak, strict=True)):
                if loop.refused:
                    raise TypeError(f"{name}: CuPy, like NumPy, does not support this operation on {', '.join(map(str, dtypes))}")
                return loop
        raise TypeError(f"Wrong type ({tuple(dtypes)}) of arguments for {name}")

    def _weakness(self, dtypes: list[Any], weak: list[Any]) -> list[Any]:
        scalars = [_score(w) for w in weak if w]
        arrays = [_score(d.type) for d, w in zip(dtypes, weak, strict=True) if not w]
        if not scalars or not arrays or max(arrays) < max(scalars):
            return [False] * len(weak)
        if self.promote == "promote_weak_int" and any(d.kind in "iu" for d, w in zip(dtypes, weak, strict=True) if not w):
            return [False if w is int else w for w in weak]
        return weak

    @staticmethod
    def _fits(weak: Any, want: Any) -> bool:
        if not weak:
            return False
        try:
            return bool(np.result_type(weak(0), want) == want)
        except TypeError:
            return False
