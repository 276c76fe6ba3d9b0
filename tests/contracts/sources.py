"""The source files of core and plugins, and the imports in them, as the contract tests read them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

__all__ = [
    "CORE",
    "ROOT",
    "Import",
    "core_files",
    "example_files",
    "imports",
    "module_name",
    "numerics_files",
    "parse",
    "plugin_files",
    "relative",
]

ROOT = Path(__file__).resolve().parents[2]
CORE = ROOT / "core" / "dovetail"


def core_files() -> list[Path]:
    return sorted(CORE.rglob("*.py"))


def numerics_files() -> list[Path]:
    """Python files of the package below the core."""
    return sorted((CORE.parent / "dovetail_numerics").rglob("*.py"))


def plugin_files() -> list[Path]:
    """Python files of the plugins' packages (folders beside a pyproject.toml that hold an `__init__.py`)."""
    packages = [init.parent for init in ROOT.glob("plugins/*/*/__init__.py")]
    return sorted(path for package in packages for path in package.rglob("*.py"))


def example_files() -> list[Path]:
    """Python files of the example plugins, their tests among them."""
    return sorted(ROOT.glob("examples/*/**/*.py"))


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), relative(path))


def module_name(path: Path) -> str:
    """Dotted name of a file of the core: `dovetail.ops.conv`; a package is named by its folder."""
    parts = path.relative_to(CORE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@dataclass(frozen=True)
class Import:
    """One imported module: its dotted name, the line, and whether a function must run before it is imported."""

    target: str
    line: int
    lazy: bool


def imports(tree: ast.Module, package: str, exists: frozenset[str] = frozenset()) -> Iterator[Import]:
    """Imports of a module that live in `package`; those for the type checker alone are left out.

    `from a import b` names the module `a.b` where `exists` holds it, and `a` otherwise.
    """
    for node, lazy in _statements(tree, False):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node.lineno, lazy)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, package)
            for name in sorted({f"{base}.{alias.name}" for alias in node.names}):
                yield Import(name if name in exists else base, node.lineno, lazy)


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parts = package.split(".")
    above = ".".join(parts[: len(parts) - node.level + 1])
    return f"{above}.{node.module}" if node.module else above


def _statements(node: ast.AST, lazy: bool) -> Iterator[tuple[ast.AST, bool]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            run = child.body if ast.unparse(child.test).startswith("not ") else child.orelse  # what a program runs
            yield from _statements(ast.Module(run, []), lazy)
            continue
        yield child, lazy
        yield from _statements(child, lazy or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda))
