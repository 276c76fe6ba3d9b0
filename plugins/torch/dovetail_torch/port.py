"""What a PyTorch program uses: each name with its lines, and whether Dovetail has it. The program is read, never run."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .advice import DIFFERENT, remedy
from .finder import HOMES
from .moved import beside, counterpart

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
        there, different, missing = (sum(name.state == state for name in self.names) for state in ("there", "different", "missing"))
        counted = f"{there} name is there" if there == 1 else f"{there} names are there"
        lines = [f"{counted}, {different} {'differs' if different == 1 else 'differ'}, {missing} {'is' if missing == 1 else 'are'} missing"]
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
    names: dict[str, Name] = {}
    for name, lines in found.items():
        judged = _judged(name, lines)
        judged.lines = sorted({*lines, *(names[judged.name].lines if judged.name in names else ())})
        names[judged.name] = judged
    return Report(sorted(names.values(), key=lambda name: (name.lines[0], name.name)))


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
    yield from _in_scope(tree, bound)


_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def _in_scope(scope: Any, bound: dict[str, str]) -> Iterator[tuple[str, int]]:
    """The uses within a scope: a name that is given another value there no longer leads to the import."""
    own = list(_own(scope))
    arguments = getattr(scope, "args", None)
    hidden = {a.arg for a in ast.walk(arguments) if isinstance(a, ast.arg)} if arguments else set()
    bound = {name: full for name, full in bound.items() if name not in hidden}
    from_line: dict[str, int] = {}
    for node in sorted((n for n in own if isinstance(n, ast.Assign)), key=lambda n: n.lineno):
        (target, *others), value = node.targets, _chain(node.value)
        if not others and isinstance(target, ast.Name) and value is not None and value[0] in bound and target.id not in bound:
            bound[target.id] = ".".join([bound[value[0]], *value[1:]])  # F = torch.nn.functional
            from_line[target.id] = -node.lineno
    for node in own:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id in bound and from_line.get(node.id) != -node.lineno:
            from_line[node.id] = min(node.lineno, abs(from_line.get(node.id, node.lineno)))
    gone = {name for name, line in from_line.items() if line > 0}
    inner: set[int] = set()
    for node in own:
        if isinstance(node, ast.Attribute) and id(node) not in inner:
            chain, step = _chain(node), node.value
            while isinstance(step, ast.Attribute):
                inner.add(id(step))
                step = step.value
            inner.add(id(step))
            if chain is not None and chain[0] in bound and (chain[0] not in gone or node.lineno < from_line[chain[0]]):
                yield ".".join([bound[chain[0]], *chain[1:]]), node.lineno
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and id(node) not in inner and "." in bound.get(node.id, ""):
            if node.id not in gone or node.lineno < from_line[node.id]:
                yield bound[node.id], node.lineno  # of an import from a module
        elif isinstance(node, _SCOPES):
            yield from _in_scope(node, {name: full for name, full in bound.items() if name not in gone})


def _own(scope: Any) -> Iterator[Any]:
    """What lies in a scope: all nodes below it, outermost first, down to the functions in it; of those, the function itself."""
    body = scope.body if isinstance(scope.body, list) else [scope.body]
    waiting = [*body, *(scope.args.defaults if isinstance(scope, _SCOPES) else ())]
    while waiting:
        node = waiting.pop(0)
        yield node
        if not isinstance(node, _SCOPES):
            waiting.extend(ast.iter_child_nodes(node))
        elif not isinstance(node, ast.Lambda):  # what is said at a function's head is outside it
            waiting.extend([*node.decorator_list, *(a.annotation for a in ast.walk(node.args) if isinstance(a, ast.arg) and a.annotation)])
            waiting.extend([node.returns] if node.returns else [])


def _chain(node: Any) -> list[str] | None:
    """The parts of ``a.b.c``; None for what does not begin with a name."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return [node.id, *reversed(parts)] if isinstance(node, ast.Name) else None


def _elsewhere(home: str, path: str) -> Any:
    """A module that lies elsewhere, or a name in one."""
    try:
        return counterpart(home, path)
    except ImportError:
        above, _, last = path.rpartition(".")
        return getattr(counterpart(home, above), last)


def _judged(name: str, lines: list[int]) -> Name:
    """Follow a name through modules and classes as far as it leads; what is an object's own attribute is not judged."""
    top, _, rest = name.partition(".")
    home, distribution = HOMES[top]
    try:
        here: Any = importlib.import_module(home)
    except ModuleNotFoundError:
        return Name(name, lines, "missing", f"pip install {distribution}")
    path, known = "", top
    for part in rest.split(".") if rest else ():
        if not (hasattr(here, "__path__") or hasattr(here, "__file__") or isinstance(here, type)):
            break
        known, path = f"{known}.{part}", f"{path}.{part}".lstrip(".")
        following = getattr(here, part, None)
        if following is None and not hasattr(here, part):
            try:
                following = beside(path) if home == "dovetail" and path == part else _elsewhere(home, path)
            except (AttributeError, ImportError):
                return Name(known, lines, "missing", remedy(known))
        here = following
    return Name(known, lines, "different", DIFFERENT[known]) if known in DIFFERENT else Name(known, lines, "there")
