"""The core stays under its ceiling, and files and functions stay short."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.contracts.sources import ROOT, core_files, numerics_files, parse, plugin_files, relative
from tools.size import (
    CEILING,
    NUMERICS,
    NUMERICS_CEILING,
    PATH_CEILING,
    STATEMENTS,
    code_lines,
    docstring_lines,
    interface_lines,
    path_lines,
    statements,
    subsystems,
)

FILE_CEILING = 400  # lines of any kind
FUNCTION_CEILING = 60  # lines without the docstring

# Tables of data and test samples, which may be longer; a line goes when its file shrinks.
TABLES: set[str] = set()


def test_core_is_under_its_ceiling() -> None:
    counts = subsystems()
    assert counts.total() <= CEILING, f"{counts.total()} code lines: {dict(counts.most_common())}"
    assert statements() <= STATEMENTS, f"{statements()} code lines are statements"
    assert statements(NUMERICS) <= NUMERICS_CEILING, f"{statements(NUMERICS)} statements of numerical methods"


def test_reading_paths_are_short() -> None:
    over = {name: count for name, count in path_lines().items() if count > PATH_CEILING}
    assert not over, f"over {PATH_CEILING} code lines: {over}"


def test_files_are_short() -> None:
    long = {relative(path): lines(path) for path in core_files() + numerics_files() + plugin_files() if lines(path) > FILE_CEILING}
    over = {name: count for name, count in long.items() if name not in TABLES and not is_sample(name)}
    assert not over, f"over {FILE_CEILING} lines: {over}"
    assert set(long) >= TABLES, f"no longer long, or gone: {sorted(TABLES - set(long))}"


def test_functions_are_short() -> None:
    over = [
        f"{relative(path)}:{function.lineno}: {function.name} has {count} lines"
        for path in core_files() + numerics_files() + plugin_files()
        for function, count in functions(parse(path))
        if count > FUNCTION_CEILING
    ]
    assert not over, "\n".join(over)


def test_the_count() -> None:
    source = '"""Doc\nof two lines."""\n\n# why\nx = """a\nb"""\n\ndef f():\n    """Doc."""\n    return (1,\n            2)  # why\n'
    assert code_lines(source) == 5
    assert [count for _, count in functions(ast.parse(source))] == [3]


def test_the_count_of_the_interface() -> None:
    guard = "    if x:\n        # why\n        raise ValueError(\n            x\n        )\n"
    source = f'__all__ = [\n  "f",\n]\nimport os\n\ndef f(\n    x,\n):\n    """Doc."""\n{guard}    return x\n'
    assert interface_lines(source) == 3 + 1 + 3 + 4
    assert code_lines(source) == interface_lines(source) + 1


def is_sample(name: str) -> bool:
    return name.startswith("core/dovetail/testing/samples")


def lines(path: Path) -> int:
    return len((ROOT / path).read_text(encoding="utf-8").splitlines())


def functions(tree: ast.Module) -> Iterator[tuple[ast.FunctionDef | ast.AsyncFunctionDef, int]]:
    """Every function with its length: from `def` to its last line, without the docstring."""
    docs = docstring_lines(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node, len(set(range(node.lineno, (node.end_lineno or node.lineno) + 1)) - docs)
