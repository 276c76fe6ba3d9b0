"""Who imports whom, read from the sources: two pictures, of the rooms of the core and of the plugins.

A line `[imports]: <> ()` becomes the one, `[plugin-imports]: <> ()` the other. A room is a folder or a file of the core, or several that
belong together (`ROOMS`). An arrow goes from a room to one that it imports when it is imported itself; one that follows from others is left
out of the picture, and stands in the table below it.
"""

from __future__ import annotations

import ast
import graphlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from . import floors

__all__ = ["ROOMS", "Imports", "drawn", "of_core", "of_plugins", "reduced", "room", "setup"]

ROOT = Path(__file__).resolve().parent.parent.parent
CORE = ROOT / "core" / "dovetail"
NUMERICS = "dovetail_numerics"  # the package below the core, a room of its own
FACE = "dovetail"

#: Modules that share a room with others. A module or folder without a line here is a room of its own, or lies in that of its folder.
ROOMS: dict[str, tuple[str, ...]] = {
    FACE: ("", "version"),
    "errors": ("errors", "absent"),
    "dtypes": ("dtypes", "size"),
    "ops": ("ops", "tensor_repr"),
    "tensor": ("tensor", "tensor_attributes", "tensor_history", "tensor_legacy"),
    "linalg · fft": ("linalg", "fft", "random", "return_types", "types"),
    "cuda · amp": ("cuda", "amp", "cpu", "accelerator", "backends"),
    "compiler · jit": ("compiler", "jit"),
    "func": ("func", "autograd.derivatives", "autograd.forward_ad"),
    "models · datasets": ("models", "datasets", "weights", "hub"),
    "cli": ("cli", "__main__"),
}
_HOME = {module: name for name, modules in ROOMS.items() for module in modules}


@dataclass
class Imports:
    """What one room, or one plugin, imports, with the number of its files that do: when it is imported, and when a function runs."""

    at_once: dict[str, int] = field(default_factory=dict)
    later: dict[str, int] = field(default_factory=dict)


def room(module: str) -> str:
    """The room of a dotted name: `dovetail.ops.conv` lies in `ops`."""
    if module.split(".", maxsplit=1)[0] == NUMERICS:
        return "numerics"
    name = module.partition(".")[2]
    return _HOME.get(name) or _HOME.get(name := name.partition(".")[0], name)


def of_core() -> dict[str, Imports]:
    """The imports of every room of the core from the other rooms."""
    found: dict[str, Imports] = {}
    for path in sorted([*CORE.rglob("*.py"), *(CORE.parent / NUMERICS).rglob("*.py")]):
        parts = path.relative_to(CORE.parent).with_suffix("").parts
        name = room(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
        _count(found.setdefault(name, Imports()), path, ".".join(parts[:-1]), name)
    return found


def of_plugins() -> dict[str, Imports]:
    """The imports of every plugin of the repository from the rooms of the core and from other plugins."""
    found: dict[str, Imports] = {}
    for init in sorted(ROOT.glob("plugins/*/*/__init__.py")):
        own = found.setdefault(init.parent.parent.name, Imports())
        for path in sorted(init.parent.rglob("*.py")):
            _count(own, path, ".".join(path.relative_to(init.parent.parent).parent.parts), init.parent.parent.name)
    return found


def _count(into: Imports, path: Path, package: str, own: str) -> None:
    """Add the rooms that a file imports, each once; what it imports at once does not count as later too."""
    seen: dict[bool, set[str]] = {False: set(), True: set()}
    for target, lazy in _imported(ast.parse(path.read_text(encoding="utf-8")).body, package, lazy=False):
        if target.split(".")[0] in (FACE, NUMERICS):
            seen[lazy].add(room(target))
    for lazy, counts in ((False, into.at_once), (True, into.later)):
        for name in seen[lazy] - {own} - (seen[False] if lazy else set()):
            counts[name] = counts.get(name, 0) + 1


def _imported(statements: list[Any], package: str, *, lazy: bool) -> Iterator[tuple[str, bool]]:
    """The modules that statements import; what stands under TYPE_CHECKING is for the type checker alone."""
    for statement in statements:
        if isinstance(statement, ast.Import):
            yield from ((alias.name, lazy) for alias in statement.names)
        elif isinstance(statement, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - statement.level + 1] if statement.level else []
            base = ".".join([*above, *filter(None, [statement.module])])
            yield from ((f"{base}.{alias.name}" if _is_module(f"{base}.{alias.name}") else base, lazy) for alias in statement.names)
        elif isinstance(statement, ast.If) and ast.unparse(statement.test).endswith("TYPE_CHECKING"):
            run = statement.body if isinstance(statement.test, ast.UnaryOp) else statement.orelse
            yield from _imported(run, package, lazy=lazy)
        else:
            inner = lazy or isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _imported(list(ast.iter_child_nodes(statement)), package, lazy=inner)


@cache
def _is_module(name: str) -> bool:
    """Whether a dotted name is a file or folder of the core, or a namespace that a plugin of the repository brings."""
    place = CORE.parent / name.replace(".", "/")
    return place.is_dir() or place.with_suffix(".py").is_file() or (name.count(".") == 1 and (ROOT / "plugins" / name[9:]).is_dir())


def drawn(found: dict[str, Imports]) -> dict[str, set[str]]:
    """The arrows by room; a circle of rooms is an error, which names it."""
    edges = {name: set(found[name].at_once) for name in graphlib.TopologicalSorter({n: i.at_once for n, i in found.items()}).static_order()}
    return reduced(edges)


def reduced(edges: dict[str, set[str]]) -> dict[str, set[str]]:
    """The arrows that do not follow from others; `edges` has the lowest rooms first."""
    below: dict[str, set[str]] = {}
    for name, targets in edges.items():
        below[name] = targets.union(*(below[target] for target in targets))
    return {name: targets - set().union(*(below[target] for target in targets)) for name, targets in edges.items()}


def table(found: dict[str, Imports]) -> str:
    """Every import between rooms, the drawn and those that follow, from the top of the picture to its bottom."""
    heights = floors.heights(drawn(found))
    lines = ["| room | imports | when a function runs |", "|---|---|---|"]
    for name in sorted(found, key=lambda name: (-heights[name], name)):
        own, files = found[name], ROOMS.get(name, ())
        later = sorted(set(own.later) - set(own.at_once))
        members = f" ({', '.join(f'`{one}`' for one in files if one)})" if len(files) > 1 and name != FACE else ""
        lines.append(f"| **{name}**{members} | {', '.join(sorted(own.at_once)) or '–'} | {', '.join(later) or '–'} |")
    return ":::{dropdown} Every import between rooms, those that are not drawn too\n" + "\n".join(lines) + "\n:::"


def _source_read(app: Any, docname: str, source: list[str]) -> None:
    if "[imports]: <> ()" in source[0]:
        core = of_core()
        source[0] = source[0].replace("[imports]: <> ()", f"{_raw(floors.house(drawn(core)))}\n\n{table(core)}")
    if "[plugin-imports]: <> ()" in source[0]:
        order = list(reversed(floors.ordered(drawn(of_core()))))
        source[0] = source[0].replace("[plugin-imports]: <> ()", _raw(floors.matrix(of_plugins(), order)))


def _raw(svg: str) -> str:
    return f'```{{raw}} html\n<div class="imports">\n{svg}</div>\n```'


def _outdated(app: Any, env: Any, added: Any, changed: Any, removed: Any) -> list[str]:
    """The page is read again at each build: the sources, which it shows, are no files of the documentation."""
    return [name for name in env.found_docs if name == "architecture"]


def setup(app: Any) -> None:
    """Draw when a page is read that asks for it."""
    app.connect("source-read", _source_read)
    app.connect("env-get-outdated", _outdated)
