"""Counts the core's code lines by subsystem: docstrings, comments, blank lines and `testing/` do not count."""

from __future__ import annotations

import ast
import io
import tokenize
from collections import Counter
from pathlib import Path

__all__ = ["CEILING", "GOAL", "PATHS", "PATH_CEILING", "code_lines", "main", "path_lines", "subsystems"]

GOAL = 15_000  # the blueprint's, not met: docs/decisions/0002-size.md
CEILING = 23_450  # keeps the debt from growing; lowered as the core shrinks
PATHS = {  # what a person reads to understand the core, each at most PATH_CEILING code lines
    "how backward() works": ("autograd/node.py", "autograd/engine.py"),
    "how an op reaches a kernel": ("ops/_op.py", "ops/_call.py", "ops/kernels.py"),
    "how a plugin is found and called": ("plugins/scan.py", "plugins/catalogue.py", "plugins/manager.py"),
    "how a batch is loaded": ("data/loader.py", "data/workers.py", "data/collate.py"),
}
PATH_CEILING = 500
CORE = Path(__file__).resolve().parent.parent / "core" / "dovetail"
_NOT_CODE = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING, tokenize.ENDMARKER}
_WITH_DOCSTRING = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def docstring_lines(tree: ast.AST) -> set[int]:
    """Numbers of the lines that belong to a docstring."""
    lines: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, _WITH_DOCSTRING) and ast.get_docstring(node, clean=False) is not None:
            text = node.body[0]
            lines.update(range(text.lineno, (text.end_lineno or text.lineno) + 1))
    return lines


def code_lines(source: str) -> int:
    """Lines that hold code.

    >>> code_lines('"Doc."\\n\\n# why\\nx = (1,\\n     2)\\n')
    2
    """
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in _NOT_CODE:
            lines.update(range(token.start[0], token.end[0] + 1))
    return len(lines - docstring_lines(ast.parse(source)))


def subsystems(core: Path = CORE) -> Counter[str]:
    """Code lines of each folder of the core; the modules beside them count together as `(top)`."""
    counts: Counter[str] = Counter()
    for path in sorted(core.rglob("*.py")):
        parts = path.relative_to(core).parts
        if parts[0] != "testing":
            counts[parts[0] if len(parts) > 1 else "(top)"] += code_lines(path.read_text(encoding="utf-8"))
    return counts


def path_lines(core: Path = CORE) -> dict[str, int]:
    """Code lines of each reading path."""
    return {name: sum(code_lines((core / file).read_text(encoding="utf-8")) for file in files) for name, files in PATHS.items()}


def main() -> int:
    """Print the table; 1 when the core, or a reading path, is over its ceiling."""
    counts = subsystems()
    for name, lines in counts.most_common():
        print(f"{lines:8,}  {name}")
    print(f"{counts.total():8,}  total (ceiling {CEILING:,}; goal {GOAL:,})")
    paths = path_lines()
    for name, lines in paths.items():
        print(f"{lines:8,}  {name} (ceiling {PATH_CEILING})")
    return int(counts.total() > CEILING or max(paths.values()) > PATH_CEILING)


if __name__ == "__main__":
    raise SystemExit(main())
