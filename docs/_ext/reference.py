"""The reference: a line `[api]: <> (module dovetail.nn)` in a page becomes the entries of that module.

`(ops FAMILY …)` are functions of `dovetail.` by their family, `(rest)` those of families that no page names, `(module NAME …)` whole
modules, `(names MODULE NAME …)` some of one, `(package NAME)` a package with its modules, `(tensor)` the methods of Tensor, `(others)`
what no other mark shows of the core. Signatures, docstrings and links to the source come from the objects.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from .docstrings import markdown, parameters

__all__ = ["MARK", "PAGES", "expand", "groups", "homes", "setup"]

MARK = re.compile(r"^\[api\]: <> \((\w+) ?(.*)\)$", re.M)
PAGES = Path(__file__).resolve().parent.parent / "reference"


class Group(NamedTuple):
    """Names that stand under one heading: its text, a line about them, the module they are reached through, and what they are."""

    title: str
    about: str
    prefix: str
    names: dict[str, Any]


def expand(text: str) -> str:
    """A page with every mark replaced by the entries that it stands for."""
    return MARK.sub(lambda found: "\n".join(_lines(found.group(1), found.group(2).split())), text)


def groups(kind: str, words: list[str]) -> Iterator[Group]:
    """What a mark stands for."""
    if kind != "tensor":
        yield from _KINDS[kind](words)


@functools.cache
def homes() -> dict[type, str]:
    """The full name of every class of the reference, at the first page that shows it; the page of plugins comes last."""
    from dovetail import Tensor

    found: dict[type, str] = {Tensor: "dovetail.Tensor"}
    for page in sorted(PAGES.glob("*.md"), key=lambda page: (page.stem == "plugins", page.stem)):
        for kind, words in MARK.findall(page.read_text(encoding="utf-8")):
            for group in groups(kind, words.split()):
                for name, value in group.names.items():
                    if inspect.isclass(value):
                        found.setdefault(value, f"{group.prefix}.{name}")
    return found


# what the marks stand for


def _ops(families: list[str]) -> Iterator[Group]:
    for family in families:
        names = {name: value for name, value in _functions().items() if _family(value) == family}
        yield Group(_title(family), _about(importlib.import_module(f"dovetail.ops.{family}")), "dovetail", names)


@functools.cache
def _functions() -> dict[str, Any]:
    """The functions of the ops at the top of the package, with those of families that are imported when they are first used."""
    from dovetail import ops

    return ops.namespace() | _later("dovetail")


def _later(module: str) -> dict[str, Any]:
    """The functions of ops that a module imports when they are first asked for."""
    from dovetail import absent

    package, _, name = module.partition(".")
    homes = absent._table().get(name, {}).get("homes", {}) if package == "dovetail" else {}
    found = {name: getattr(importlib.import_module(module), name) for name, home in homes.items() if home.startswith("ops.")}
    return {name: value for name, value in found.items() if _family(value)}


def _rest(_: list[str]) -> Iterator[Group]:
    marks = [mark for page in PAGES.glob("*.md") for mark in MARK.findall(page.read_text(encoding="utf-8"))]
    named = {word for kind, words in marks if kind == "ops" for word in words.split()}
    seen = dict.fromkeys(_family(value) for value in _functions().values())
    yield from _ops([family for family in seen if family and family not in named])


def _module(names: list[str]) -> Iterator[Group]:
    """Modules by name; one that gathers many names from families is shown family by family."""
    for name in names:
        module = importlib.import_module(name)
        found = _public(module)
        made = dict.fromkeys(_home(value) or name for value in found.values())
        if len(names) > 1 or len(found) <= 25 or len(made) <= 3:
            yield Group(f"`{name}`" if len(names) > 1 else "", _about(module), name, found)
            continue
        for home in made:
            mine = {n: value for n, value in found.items() if (_home(value) or name) == home}
            yield Group(_title(home.rpartition(".")[2]), _about(importlib.import_module(home)), name, mine)


def _names(words: list[str]) -> Iterator[Group]:
    module = importlib.import_module(words[0])
    yield Group("", "", words[0], {name: getattr(module, name) for name in words[1:]})


def _package(names: list[str]) -> Iterator[Group]:
    """A package, then its modules; each name once, at the shortest path."""
    for name in names:
        package, shown = importlib.import_module(name), set()
        inner = (info.name for info in pkgutil.walk_packages(package.__path__, f"{name}."))
        public = [path for path in inner if not any(part.startswith("_") for part in path.split(".")) and not path.startswith(_SKIPPED)]
        for path in [name, *sorted(public, key=lambda path: (path.count("."), path))]:
            module = importlib.import_module(path)
            found = {n: v for n, v in _public(module).items() if n in getattr(module, "__all__", ()) and id(v) not in shown}
            shown |= {id(value) for value in found.values()}
            yield Group(f"`{path}`", _about(module), path, found)


def _others(_: list[str]) -> Iterator[Group]:
    """Public names of the core that no other mark shows, by module."""
    marks = [mark for page in sorted(PAGES.glob("*.md")) for mark in MARK.findall(page.read_text(encoding="utf-8")) if mark[0] != "others"]
    shown = {id(value) for kind, words in marks for group in groups(kind, words.split()) for value in group.names.values()}
    for group in _package(["dovetail"]):
        names = {n: v for n, v in group.names.items() if id(v) not in shown and (inspect.isclass(v) or inspect.isfunction(v))}
        if not group.prefix.startswith(_INNER):
            yield group._replace(names={n: v for n, v in names.items() if n != "Tensor"})


_INNER = ("dovetail.cli", "dovetail.ops", "dovetail.plugins.", "dovetail.testing.", "dovetail.graph.", "dovetail.data.")
_INNER += ("dovetail.autograd.", "dovetail.tensor", "dovetail.generator", "dovetail.dtypes", "dovetail.device", "dovetail.nn.parameter")
_KINDS = {"others": _others, "ops": _ops, "rest": _rest, "module": _module, "names": _names, "package": _package}
_SKIPPED = ("dovetail.testing.samples", "dovetail.testing.conformance.", "dovetail.cli", "dovetail.ops")  # nothing that a program imports
_TOOLS = {"namespace", "guarded", "placed", "later"}  # what gathers the names of a module without `__all__`


def _public(module: ModuleType) -> dict[str, Any]:
    """The public names of a module but modules: those in `__all__`, else what was made below its package."""
    listed = getattr(module, "__all__", None)
    names = listed if listed is not None else [n for n in vars(module) if not n.startswith("_")]
    found = {name: getattr(module, name) for name in names}
    if listed is None:
        home = module.__name__.partition(".")[0]
        found = {n: v for n, v in found.items() if _home(v).partition(".")[0] == home and n not in _TOOLS} | _later(module.__name__)
    return {name: value for name, value in found.items() if not inspect.ismodule(value)}


def _home(value: Any) -> str:
    """The module in which something is written, which for wrapped functions is not the one that shows it."""
    return getattr(inspect.unwrap(value) if inspect.isfunction(value) else value, "__module__", None) or ""


def _family(value: Any) -> str:
    module = _home(value)
    return module.removeprefix("dovetail.ops.") if module.startswith("dovetail.ops.") else ""


def _title(family: str) -> str:
    return family.replace("_", " ").strip().capitalize()


def _about(module: ModuleType) -> str:
    return markdown((module.__doc__ or "").partition("\n\n")[0])


# how it is written


def _lines(kind: str, words: list[str]) -> Iterator[str]:
    if kind == "tensor":
        yield from _tensor()
    for group in groups(kind, words):
        if group.names:
            yield f"\n## {group.title}\n" if group.title else ""
            yield group.about + "\n"
            for name, value in group.names.items():
                yield from _entry(group.prefix, name, value)


def _tensor() -> Iterator[str]:
    from dovetail import Tensor

    members = {name: value for name, value in sorted(vars(Tensor).items()) if not name.startswith("_")}
    yield from _directive("py:class", "Tensor", "dovetail", markdown(Tensor.__doc__))
    yield "\n## Attributes\n"
    for name, value in members.items():
        if isinstance(value, property):
            yield from _directive("py:property", f"Tensor.{name}", "dovetail", markdown(value.__doc__))
    yield "\n## Methods\n"
    for name, value in members.items():
        if inspect.isfunction(value):
            yield from _directive("py:method", f"Tensor.{name}{parameters(value, True, _full)}", "dovetail", markdown(value.__doc__))


def _entry(module: str, name: str, value: Any) -> Iterator[str]:
    if inspect.isclass(value):
        kind = "py:exception" if issubclass(value, BaseException) else "py:class"
        if homes().get(value, f"{module}.{name}") != f"{module}.{name}":
            yield from _directive(kind, name, module, f"The same as {{py:class}}`{homes()[value]}`.", index=False)
            return
        methods = _methods(value) if _opens(value) else ()
        yield from _directive(kind, name + parameters(value, named=_full), module, "\n".join([markdown(value.__doc__), "", *methods]))
    elif callable(value):
        yield from _directive("py:function", name + (parameters(value, named=_full) or "()"), module, markdown(value.__doc__))
    else:
        yield from _directive("py:data", name, module, _constant(module, name, value))


def _constant(module: str, name: str, value: Any) -> str:
    """What the comment ``#:`` above a constant says, and its value, or how much of what it holds."""
    source = inspect.getsource(importlib.import_module(module))
    above = re.search(rf"((?:^#: .*\n)+){name}\b", source, re.M)
    said = " ".join(line.removeprefix("#: ") for line in above[1].splitlines()) if above else ""
    if isinstance(value, str) or len(repr(value)) < 100:
        return markdown(f"{said} ``{value!r}``")
    keys = [f"``{key!r}``" for key in value if isinstance(key, str)] if isinstance(value, dict) else []
    size = f" of {len(value)}" if hasattr(value, "__len__") else ""
    return markdown(f"{said} A {type(value).__name__}{size}{', such as ' if keys else ''}{', '.join(keys[:3])}.")


def _full(kind: Any) -> str | None:
    return homes().get(kind) if inspect.isclass(kind) else None


def _opens(kind: type) -> bool:
    """Whether the methods of a class are shown: not of layers, which have the methods of Module, nor of errors."""
    from dovetail.nn import Module

    return not issubclass(kind, BaseException) and (kind is Module or not issubclass(kind, Module))


def _methods(kind: type) -> Iterator[str]:
    for name, member in vars(kind).items():
        function = member.__func__ if isinstance(member, (classmethod, staticmethod)) else member
        if name.startswith("_"):
            continue
        if isinstance(member, property):
            yield from _directive("py:property", name, "", markdown(inspect.getdoc(member)))
        elif inspect.isfunction(function):
            signature = parameters(function, not isinstance(member, staticmethod), _full)
            yield from _directive("py:method", name + signature, "", markdown(inspect.getdoc(getattr(kind, name))))


def _directive(kind: str, signature: str, module: str, body: str, index: bool = True) -> Iterator[str]:
    fence = "`" * (max([2, *map(len, re.findall(r"^`{3,}", body, re.M))]) + 1)
    options = ([f":module: {module}"] if module else []) + ([] if index else [":no-index:"])
    yield "\n".join([f"{fence}{{{kind}}} {signature}", *options, "", body, fence, ""])


def _source_read(app: Any, docname: str, source: list[str]) -> None:
    if docname.startswith("reference/"):
        source[0] = expand(source[0])


def setup(app: Any) -> None:
    """Complete the pages of the reference when they are read, and tell viewcode where each name is defined."""
    from . import sources

    app.connect("source-read", _source_read)
    app.connect("viewcode-follow-imported", sources.follow)
    app.connect("viewcode-find-source", sources.find)
