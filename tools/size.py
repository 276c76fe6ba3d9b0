"""Counts the core's code lines by subsystem: docstrings, comments, blank lines and `testing/` do not count.

`dovetail_numerics`, the numerical methods on bare arrays below it, is counted on a line of its own, with a ceiling of its own.
Of the core's lines, the *interface* is what PyTorch's surface dictates: imports, `__all__`, signatures with their decorators, and refusals
(a `raise`, and the `if` that only forms its text and leads to it). The rest are statements, which is what a reader has to follow.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

__all__ = [
    "CEILING",
    "NUMERICS",
    "NUMERICS_CEILING",
    "PATHS",
    "PATH_CEILING",
    "STATEMENTS",
    "code_lines",
    "interface_lines",
    "main",
    "path_lines",
    "statements",
    "subsystems",
]

STATEMENTS = 15_000  # docs/decisions/0002-size.md says why statements and the whole are counted apart
CEILING = 26_680  # of the whole
NUMERICS_CEILING = 1_100  # statements of the package below
PATHS = {  # what a person reads to understand the core, each at most PATH_CEILING code lines
    "how backward() works": ("autograd/node.py", "autograd/engine.py"),
    "how an op reaches a kernel": ("ops/_op.py", "ops/_call.py", "ops/kernels.py"),
    "how a plugin is found and called": ("plugins/scan.py", "plugins/catalogue.py", "plugins/manager.py"),
    "how a batch is loaded": ("data/loader.py", "data/passes.py", "data/fetch.py"),
    "how worker processes load": ("data/pools.py", "data/workers.py", "data/shared.py"),
}
PATH_CEILING = 500
CORE = Path(__file__).resolve().parent.parent / "core" / "dovetail"
NUMERICS = CORE.parent / "dovetail_numerics"
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


def interface_lines(source: str) -> int:
    """Code lines that are imports, `__all__`, signatures with their decorators, or refusals.

    >>> interface_lines('import os\\n\\ndef f(x):\\n    if x < 0:\\n        raise ValueError\\n    return x\\n')
    4
    """
    tree = ast.parse(source)
    spans = [span for node in ast.walk(tree) for span in _interface(node)]
    body = source.splitlines()
    numbers = {number for first, last in spans for number in range(first, last + 1)} - docstring_lines(tree)
    return sum(1 for number in numbers if body[number - 1].strip() and not body[number - 1].lstrip().startswith("#"))


def _interface(node: ast.AST) -> Iterator[tuple[int, int]]:
    """First and last lines of what a node has of the interface."""
    target = node.targets[0] if isinstance(node, ast.Assign) else node.target if isinstance(node, ast.AnnAssign) else None
    names = isinstance(target, ast.Name) and target.id == "__all__"
    if names or isinstance(node, ast.Import | ast.ImportFrom | ast.Raise):
        yield node.lineno, node.end_lineno or node.lineno
    elif isinstance(node, ast.If) and isinstance(node.body[-1], ast.Raise) and all(isinstance(s, ast.Assign) for s in node.body[:-1]):
        yield node.lineno, node.body[-1].end_lineno or node.lineno
    elif isinstance(node, _WITH_DOCSTRING[1:]):
        yield _first_line(node), max(node.lineno, _first_line(node.body[0]) - 1)


def _first_line(node: ast.stmt) -> int:
    return min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", ()))])


def subsystems(core: Path = CORE) -> Counter[str]:
    """Code lines of each folder of the core; the modules beside them count together as `(top)`."""
    counts: Counter[str] = Counter()
    for path in sorted(core.rglob("*.py")):
        parts = path.relative_to(core).parts
        if parts[0] != "testing":
            counts[parts[0] if len(parts) > 1 else "(top)"] += code_lines(path.read_text(encoding="utf-8"))
    return counts


def statements(core: Path = CORE) -> int:
    """Code lines of the core that are not interface."""
    texts = [path.read_text(encoding="utf-8") for path in core.rglob("*.py") if path.relative_to(core).parts[0] != "testing"]
    return sum(code_lines(text) - interface_lines(text) for text in texts)


def path_lines(core: Path = CORE) -> dict[str, int]:
    """Code lines of each reading path."""
    return {name: sum(code_lines((core / file).read_text(encoding="utf-8")) for file in files) for name, files in PATHS.items()}


def main() -> int:
    """Print the table; 1 when the core, or a reading path, is over its ceiling."""
    counts = subsystems()
    for name, lines in counts.most_common():
        print(f"{lines:8,}  {name}")
    rest = statements()
    print(f"{counts.total():8,}  total (ceiling {CEILING:,})")
    print(f"{counts.total() - rest:8,}  of them interface: imports, __all__, signatures with decorators, refusals")
    print(f"{rest:8,}  of them statements (ceiling {STATEMENTS:,})")
    below = statements(NUMERICS)
    print(f"{below:8,}  statements of dovetail_numerics, below the core (ceiling {NUMERICS_CEILING:,})")
    paths = path_lines()
    for name, lines in paths.items():
        print(f"{lines:8,}  {name} (ceiling {PATH_CEILING})")
    over = counts.total() > CEILING or rest > STATEMENTS or below > NUMERICS_CEILING or max(paths.values()) > PATH_CEILING
    return int(over)


if __name__ == "__main__":
    raise SystemExit(main())
