"""Calls that turn data into code, or drop a check, occur nowhere in core and plugins."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.contracts.sources import core_files, example_files, numerics_files, parse, plugin_files, relative
from tests.support.figures import note

MODULES = {"marshal", "shelve", "dill", "cloudpickle", "_pickle", "cPickle"}
BUILTINS = {"eval", "exec"}
ATTRIBUTES = {  # of any object, by name
    "extractall",
    "mktemp",
    "unsafe_load",
    "full_load",
    "_create_unverified_context",
}
MEMBERS = {  # of one module
    "pickle": {"load", "loads", "Unpickler", "_Unpickler", "_load", "_loads"},
    "yaml": {"load", "load_all"},
    "os": {"system", "popen"},
    "builtins": BUILTINS,
    "ssl": {"CERT_NONE"},
}
MUST_BE_FALSE = {"shell", "allow_pickle"}
MUST_NOT_BE_FALSE = {"verify", "check_hostname"}
COMPARES = {"export"}  # of ONNX: its `verify` runs the file and compares, and has nothing to do with trust


def findings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and name of everything forbidden."""
    modules = {
        alias.asname or alias.name: alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.name in MEMBERS
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from imported(node)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in BUILTINS:
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute):
            owner = node.value.id if isinstance(node.value, ast.Name) else ""
            if node.attr in ATTRIBUTES or node.attr in MEMBERS.get(modules.get(owner, owner), ()):
                yield node.lineno, f"{owner}.{node.attr}"
        elif isinstance(node, ast.Call):
            yield from keywords(node)


def imported(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[int, str]]:
    source = getattr(node, "module", None)
    for alias in node.names:
        if (source or alias.name).split(".")[0] in MODULES:
            yield node.lineno, source or alias.name
        if alias.name in MEMBERS.get(source or "", ()) or (source and alias.name in ATTRIBUTES):
            yield node.lineno, f"{source}.{alias.name}"


def keywords(node: ast.Call) -> Iterator[tuple[int, str]]:
    if isinstance(node.func, ast.Name) and node.func.id in COMPARES:
        return
    for keyword in node.keywords:
        false = isinstance(keyword.value, ast.Constant) and not keyword.value.value
        if (keyword.arg in MUST_BE_FALSE and not false) or (keyword.arg in MUST_NOT_BE_FALSE and false):
            yield node.lineno, ast.unparse(keyword)


@pytest.mark.figures
def test_nothing_forbidden() -> None:
    found = [
        f"{relative(path)}:{line}: {what}"
        for path in core_files() + numerics_files() + plugin_files() + example_files()
        for line, what in findings(parse(path))
    ]
    note("S10", "calls that turn data into code, or drop a check, in core and plugins", len(found), "0")
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "source",
    [
        "import pickle\npickle.load(f)",
        "import pickle as p\np.loads(b)",
        "from pickle import Unpickler",
        "import marshal",
        "from marshal import loads",
        "import dill",
        "eval(text)",
        "list(map(exec, texts))",
        "import builtins\nbuiltins.eval(text)",
        "subprocess.run(command, shell=True)",
        "subprocess.run(command, shell=flag)",
        "import yaml\nyaml.load(f)",
        "archive.extractall(path)",
        "np.load(path, allow_pickle=True)",
        "requests.get(url, verify=False)",
        "tempfile.mktemp()",
        "from tempfile import mktemp",
        "import os\nos.system(command)",
        "ssl._create_unverified_context()",
    ],
)
def test_the_gate_sees(source: str) -> None:
    assert list(findings(ast.parse(source)))


@pytest.mark.parametrize(
    "source",
    [
        "model.eval()",
        "def eval(self): ...",
        "np.load(path, allow_pickle=False)",
        "import pickle\npickle.dumps(x)",
        "load(path, verify=True)",
        "safetensors.numpy.load(data)",
        "tempfile.mkstemp()",
    ],
)
def test_the_gate_lets_through(source: str) -> None:
    assert not list(findings(ast.parse(source)))
