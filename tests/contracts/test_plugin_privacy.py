"""Plugins use only public names of the core: no module, attribute or dotted text of `dovetail` with a leading underscore."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tests.contracts.sources import ROOT, example_files, parse, plugin_files, relative

TEXT = re.compile(r"dovetail(?:\.\w+)*?\.(?!__\w+__)_\w+[\w.]*")


def private(name: str) -> bool:
    return any(part.startswith("_") and not (part.startswith("__") and part.endswith("__")) for part in name.split("."))


def findings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and dotted name of every private name of the core that a module reaches for."""
    bound: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "dovetail":
                    bound[alias.asname or "dovetail"] = alias.name if alias.asname else "dovetail"
                    if private(alias.name):
                        yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom) and not node.level and (node.module or "").split(".")[0] == "dovetail":
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                bound[alias.asname or alias.name] = name
                if private(name):
                    yield node.lineno, name
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and private(node.attr):
            owner = ast.unparse(node.value)
            if owner.split(".")[0] in bound:
                yield node.lineno, f"{bound[owner.split('.')[0]]}{owner[len(owner.split('.')[0]) :]}.{node.attr}"
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and TEXT.fullmatch(node.value):
            yield node.lineno, node.value


def test_plugins_use_public_names() -> None:
    found = [f"{relative(path)}:{line}: {name}" for path in plugin_files() + example_files() for line, name in findings(parse(path))]
    assert not found, "\n".join(found)


def test_every_plugin_is_looked_at() -> None:
    looked_at = {path.parent for path in plugin_files() + example_files()}
    manifests = list(ROOT.glob("plugins/*/*/dovetail.toml")) + list(ROOT.glob("examples/*/*/dovetail.toml"))
    assert {"dovetail_train", "dovetail_audio"} <= {path.parent.name for path in manifests}
    assert {path.parent for path in manifests} <= looked_at


@pytest.mark.parametrize(
    "source",
    [
        "import dovetail._c",
        "from dovetail.ops import _op",
        "from dovetail.ops._op import op",
        "import dovetail as dv\ndv.ops._op",
        "import dovetail\ndovetail.tensor._wrap(x)",
        "from dovetail import Tensor\nTensor._make(x)",
        "import_module('dovetail.ops._op')",
    ],
)
def test_private_use_is_seen(source: str) -> None:
    assert list(findings(ast.parse(source)))


@pytest.mark.parametrize(
    "source",
    ["import dovetail as dv\ndv.__version__", "from dovetail.extend import op", "from ._table import rows", "self._x", "'dovetail.extend'"],
)
def test_public_use_is_free(source: str) -> None:
    assert not list(findings(ast.parse(source)))
