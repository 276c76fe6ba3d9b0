"""What a PyTorch program uses: each name with its lines, and whether Dovetail has it. The program is read, never run."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .advice import DIFFERENT, remedy
from .finder import HOMES

__all__ = ["Name", "Report", "report"]


@dataclass
class Name:
    """A name that a program uses: where, and ``state``: "there", "different" or "missing", with what to do in the last two."""

    name: str
    lines: list[int]
    state: str
    advice: str = ""


@dataclass
class Report:
    """All names of PyTorch's that a program uses, in the order of their first lines."""

    names: list[Name] = field(default_factory=list)

    @property
    def missing(self) -> list[Name]:
        """What has to be changed before the program runs."""
        return [name for name in self.names if name.state == "missing"]

    def __str__(self) -> str:
        counts = {state: sum(name.state == state for name in self.names) for state in ("there", "different", "missing")}
        lines = [f"{counts['there']} names are there, {counts['different']} differ, {counts['missing']} are missing"]
        for name in self.names:
            if name.state != "there":
                where = ", ".join(map(str, name.lines[:5])) + (" …" if len(name.lines) > 5 else "")
                lines.append(f"line {where}: {name.name} {'is missing' if name.state == 'missing' else 'differs'}: {name.advice}")
        return "\n".join(lines)


def report(source: str, filename: str = "<program>") -> Report:
    """Read a program's source and say which names of torch, torchvision and torchtext it uses, and how each stands here.

    Methods of tensors and modules are known only when a program runs, so only names that lead from an import are judged.
    Raises a SyntaxError for what is not Python.
    """
    found: dict[str, list[int]] = {}
    for name, line in _used(ast.parse(source, filename)):
        found.setdefault(name, []).append(line)
    names = [_judged(name, sorted(set(lines))) for name, lines in found.items()]
    return Report(sorted(names, key=lambda name: (name.lines[0], name.name)))


def _used(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Every full name that leads from an import of these packages, longest form, with its line."""
    bound: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.partition(".")[0] in HOMES:
                    bound[alias.asname or alias.name.partition(".")[0]] = alias.name if alias.asname else alias.name.partition(".")[0]
                    if "." in alias.name:
                        yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom) and not node.level and (node.module or "").partition(".")[0] in HOMES:
            for alias in node.names:
                if alias.name == "*":
                    yield str(node.module), node.lineno
                    continue
                bound[alias.asname or alias.name] = f"{node.module}.{alias.name}"
                yield f"{node.module}.{alias.name}", node.lineno
    inner: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and id(node) not in inner:
            chain: list[str] = []
            step: Any = node
            while isinstance(step, ast.Attribute):
                inner.add(id(step))
                chain.append(step.attr)
                step = step.value
            if isinstance(step, ast.Name) and step.id in bound:
                yield ".".join([bound[step.id], *reversed(chain)]), node.lineno


def _judged(name: str, lines: list[int]) -> Name:
    """Follow a name through modules and classes as far as it leads; what is an object's own attribute is not judged."""
    top, _, rest = name.partition(".")
    home, distribution = HOMES[top]
    try:
        here: Any = importlib.import_module(home)
    except ModuleNotFoundError:
        return Name(name, lines, "missing", f"pip install {distribution}")
    path, known = home, top
    for part in rest.split(".") if rest else ():
        if not (hasattr(here, "__path__") or hasattr(here, "__file__") or isinstance(here, type)):
            break
        known, path = f"{known}.{part}", f"{path}.{part}"
        following = getattr(here, part, None)
        if following is None and not hasattr(here, part):
            try:
                following = importlib.import_module(path)
            except ImportError:
                return Name(known, lines, "missing", remedy(known))
        here = following
    return Name(known, lines, "different", DIFFERENT[known]) if known in DIFFERENT else Name(known, lines, "there")
