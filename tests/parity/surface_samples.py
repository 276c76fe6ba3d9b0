"""The table of names and their samples: which names there are, with which mark, and what is run for each."""

from __future__ import annotations

import textwrap
import tomllib
from dataclasses import dataclass
from pathlib import Path
from types import CodeType

__all__ = ["INPUTS", "MARKS", "Name", "Sample", "names"]

HERE = Path(__file__).parent
MARKS = ("must", "should", "rare")
INPUTS = ("x", "y", "m", "v", "img", "seq", "pos", "unit", "i", "b", "c", "z", "s")


@dataclass(frozen=True)
class Sample:
    """An expression, or lines that leave their answer in ``out``."""

    text: str
    code: CodeType
    tol: float | None  # relative tolerance in float64, where it is not the usual one
    values: bool  # whether the values are specified at all

    @property
    def uses(self) -> list[str]:
        """The named inputs that occur in it, also inside lambdas and functions."""
        found: set[str] = set()
        waiting = [self.code]
        while waiting:
            code = waiting.pop()
            found.update(code.co_names)
            waiting += [c for c in code.co_consts if isinstance(c, CodeType)]
        return [name for name in INPUTS if name in found]


@dataclass(frozen=True)
class Name:
    """One name of a group, its mark and its samples."""

    group: str
    name: str
    mark: str
    samples: tuple[Sample, ...]

    @property
    def id(self) -> str:
        return f"{self.group}.{self.name}"


def _sample(text: str, where: str, tol: float | None, values: bool) -> Sample:
    lines = textwrap.dedent(text).strip()
    try:
        code = compile(lines, where, "eval")
    except SyntaxError:
        code = compile(lines, where, "exec")
    return Sample(lines, code, tol, values)


def names() -> list[Name]:
    """Every name of tests/parity/names.toml; the samples of a group lie in surface/GROUP.toml.

    ``like = ["unary"]`` adds the samples of ``[templates] unary = [...]``, where NAME is the name and ON the row's ``on``.
    """
    table = tomllib.loads((HERE / "names.toml").read_text(encoding="utf-8"))
    found, strangers = [], []
    for group, marks in table.items():
        path = HERE / "surface" / f"{group}.toml"
        rows = tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        templates = rows.pop("templates", {})
        for mark in MARKS:
            for name in marks.get(mark, ()):
                row = rows.pop(name, {})
                if "tol" in row and "why" not in row:
                    raise ValueError(f"{path.name}: [{name}] has a tolerance of its own; say why")
                texts = [s.replace("NAME", name).replace("ON", row.get("on", "x")) for like in row.get("like", ()) for s in templates[like]]
                texts += row.get("samples", ())
                given = (_sample(s, f"{group}.{name}", row.get("tol"), row.get("values", True)) for s in texts)
                found.append(Name(group, name, mark, tuple(given)))
        strangers += [f"{group}.{name}" for name in rows]
    groups = {path.stem for path in (HERE / "surface").glob("*.toml")} - set(table)
    if strangers or groups:
        raise ValueError(f"samples of names that tests/parity/names.toml lacks: {[*strangers, *sorted(groups)]}")
    return found
