"""The import direction inside the core, read from the source.

A module may import its own layer and the layers above its line in SPINE, nothing below. Layers beside the spine say what they may import.
An import inside a function may point anywhere, but each that points the wrong way is listed in LAZY.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from tests.contracts.sources import CORE, core_files, imports, module_name, numerics_files, parse, relative

# From the bottom up. A name stands for the module or folder and all below it; the longest name wins.
SPINE = (
    "errors",
    "absent",  # what is no matter here, and what plugins bring: a table that is read when it is asked for
    "size",
    "dtypes",
    "device",
    "generator",
    "autograd.modes",
    "autograd.node_names",
    "autograd.node",  # the bare Tensor
    "autograd.graph",
    "autograd.engine",
    "autograd.functional",  # grad, which ops need for second derivatives
    "tensor_repr",  # which set_printoptions, public as a function of the namespace, belongs to
    "ops",
    "tensor_history",
    "tensor_attributes",
    "tensor_legacy",
    "tensor",
    "autograd",  # what users call: Function, grad, checkpoint ...
    "nn",
    "optim",
)

# Layer: the highest layer of the spine that it may import, and the layers beside the spine that it may import too.
BESIDE: dict[str, tuple[str, tuple[str, ...]]] = {
    "hooks": ("errors", ()),
    "plugins": ("absent", ("hooks",)),
    "datasets": ("errors", ("plugins",)),
    "weights": ("errors", ("plugins", "io")),
    "hub": ("errors", ("io",)),
    "models": ("errors", ("plugins",)),
    "cpu": ("ops", ("cuda", "plugins")),  # what dovetail-cpu offers is there too
    "cpu.amp": ("ops", ("amp",)),
    "cuda": ("tensor_legacy", ("cpu",)),
    "compiler": ("nn", ()),
    "jit": ("nn", ()),
    "accelerator": ("tensor_legacy", ("cuda",)),
    "cuda.amp": ("ops", ("amp",)),
    "amp": ("ops", ("cuda",)),
    "backends": ("absent", ()),
    "random": ("ops", ()),
    "return_types": ("ops", ("linalg",)),
    "fft": ("ops", ()),
    "linalg": ("ops", ()),
    "types": ("tensor", ()),
    "func": ("nn", ("graph", "samplewise")),
    "samplewise": ("nn", ("graph",)),
    "graph": ("nn", ()),  # a traced module's parameters have names
    "data": ("tensor", ("plugins",)),
    "io": ("tensor", ("plugins",)),
}

# The faces: they gather what is below, and nothing below imports them.
FACES = ("", "__main__", "cli", "extend", "testing", "utils", "version")

# Imports inside functions that point the wrong way: (module, what it imports, without `dovetail.`).
LAZY: set[tuple[str, str]] = {
    ("autograd", "plugins.namespaces"),  # modules that plugins bring
    ("autograd.functional", "ops.join"),  # batched gradients are stacked
    ("autograd.gradcheck", "testing.differences"),  # a check, which programs do not wait for
    ("io.store", "models"),  # a saved module is built again by its registry key
    ("io.store", "nn.module"),  # files of tensors are read and written without loading nn
    ("io.store", "nn.parameter"),
    ("io.torch_values", "nn.parameter"),
    ("plugins.defaults", "io"),  # weights come from files
    ("ops._override", "plugins.namespaces"),  # what the core has of sparse tensors comes from the plugin of that namespace
    ("ops.kernels", "plugins"),  # kernels are looked up when an op first runs
    ("plugins.settings", "io.atomic"),  # what the command line switches is written whole or not at all
    ("plugins.manifest", "cli"),  # names that the command line already has
}

MODULES = frozenset(module_name(path) for path in core_files()) | frozenset(
    ".".join(folder.relative_to(CORE.parent).parts) for folder in CORE.rglob("*") if folder.is_dir()
)


def layer(module: str) -> str | None:
    """The layer of a dotted name inside `dovetail`, or None where the table has no line for it."""
    parts = module.split(".")[1:]
    for end in range(len(parts), -1, -1):
        name = ".".join(parts[:end])
        if name in SPINE or name in BESIDE or (name in FACES and (name or not parts)):
            return name
    return None


def allowed(source: str, target: str) -> bool:
    """Whether a module of layer `source` may import from layer `target` when it is imported itself."""
    if source == target or source in FACES:
        return True
    if source in BESIDE:
        highest, others = BESIDE[source]
        return target in others or (target in SPINE and SPINE.index(target) <= SPINE.index(highest))
    return target in SPINE and SPINE.index(target) < SPINE.index(source)


def inside(path: Path) -> list[tuple[str, str, bool, int]]:
    """Imports of `dovetail` in a file of the core: (module, target, inside a function, line)."""
    module = module_name(path)
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    found = imports(parse(path), package, MODULES)
    return [(module, item.target, item.lazy, item.line) for item in found if item.target.split(".")[0] == "dovetail"]


def wrong_way(path: Path) -> list[tuple[str, str, bool, int]]:
    return [item for item in inside(path) if not allowed(layer(item[0]) or "", layer(item[1]) or "")]


def test_every_module_has_a_layer() -> None:
    missing = [relative(path) for path in core_files() if layer(module_name(path)) is None]
    assert not missing, f"give these a line in SPINE, BESIDE or FACES: {missing}"


def test_imports_point_down() -> None:
    wrong = [
        f"{relative(path)}:{line}: {module} imports {target}"
        for path in core_files()
        for module, target, lazy, line in wrong_way(path)
        if not lazy
    ]
    assert not wrong, "\n".join(wrong)


def test_imports_inside_functions_are_listed() -> None:
    found = {
        (module.removeprefix("dovetail."), target.removeprefix("dovetail."))
        for path in core_files()
        for module, target, lazy, _ in wrong_way(path)
        if lazy
    }
    assert found == LAZY, f"not in LAZY: {sorted(found - LAZY)}; no longer there: {sorted(LAZY - found)}"


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ("dovetail.ops.conv", "dovetail.autograd.engine", True),
        ("dovetail.ops.conv", "dovetail.ops.pool", True),
        ("dovetail.ops.conv", "dovetail.autograd.function", False),
        ("dovetail.ops.conv", "dovetail.tensor", False),
        ("dovetail.errors", "dovetail.dtypes", False),
        ("dovetail.nn.linear", "dovetail", False),
        ("dovetail.nn.linear", "dovetail.io.save", False),
        ("dovetail.io.save", "dovetail.tensor", True),
        ("dovetail.io.save", "dovetail.nn", False),
        ("dovetail.cli.plugins", "dovetail", True),
    ],
)
def test_the_rule(source: str, target: str, expected: bool) -> None:
    assert allowed(layer(source) or "", layer(target) or "") is expected


def test_numerics_stand_alone() -> None:
    """What lies below the core imports NumPy and itself alone, also inside functions."""
    for path in numerics_files():
        package = ".".join(path.relative_to(CORE.parent).parent.parts)
        found = {item.target.partition(".")[0] for item in imports(parse(path), package)}
        assert found <= {"numpy", "dovetail_numerics", *sys.stdlib_module_names}, relative(path)


def test_imports_are_read() -> None:
    source = "from . import b\nfrom ..c import d\nimport dovetail.e\n"
    source += "if TYPE_CHECKING:\n    from .f import g\ndef h():\n    from .i import j\n"
    found = [(item.target, item.lazy) for item in imports(ast.parse(source), "dovetail.a", frozenset({"dovetail.a.b"}))]
    assert found == [("dovetail.a.b", False), ("dovetail.c", False), ("dovetail.e", False), ("dovetail.a.i", True)]
