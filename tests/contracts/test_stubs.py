"""The `.pyi` files of the core say what the running core says, and a program of a user type-checks with them."""

from __future__ import annotations

import ast
import inspect
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import dovetail as dv
from dovetail import ops
from dovetail.nn import functional
from tools import stubs

NAMESPACE = ops.namespace()
CORE = Path(dv.__file__).parent
ROOT = Path(__file__).parents[2]
PATHS = ":".join(map(str, (CORE.parent, ROOT / "plugins/science", ROOT / "plugins/torch", ROOT / "plugins/train")))


def test_the_files_are_what_the_tool_writes() -> None:
    """Asked in a process of its own: other tests register ops."""
    program = "import json; from tools import stubs; print(json.dumps(stubs.written()))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120)
    stale = [name for name, text in json.loads(done.stdout).items() if (CORE / name).read_text(encoding="utf-8") != text]
    assert not stale, f"python -m tools.stubs writes {stale} anew"


def test_no_stub_lies_beside_a_file_that_the_tool_does_not_know() -> None:
    assert {p.relative_to(CORE).as_posix() for p in CORE.rglob("*.pyi")} == set(stubs.FILES)


def _refuses_out(function: Any) -> bool:
    """Whether `out` is no argument, whatever else is wrong with the call."""
    for count in (1, 2, 3):
        try:
            function(*[dv.eye(2)] * count, out=dv.empty(0))
        except Exception as error:
            if "keyword argument 'out'" in str(error):
                return True
    return False


def test_out_stands_where_it_is_taken() -> None:
    for name, told in _declared("linalg.pyi").items():
        said = any(a.arg == "out" for d in told for a in (*d.args.args, *d.args.kwonlyargs))
        assert said is not _refuses_out(getattr(dv.linalg, name)), name


def _declared(name: str, within: str = "") -> dict[str, list[ast.FunctionDef]]:
    body = ast.parse((CORE / name).read_text(encoding="utf-8")).body
    if within:
        body = next(n for n in body if isinstance(n, ast.ClassDef) and n.name == within).body
    found: dict[str, list[ast.FunctionDef]] = {}
    for node in body:
        if isinstance(node, ast.FunctionDef):
            found.setdefault(node.name, []).append(node)
    return found


def _words(form: ast.FunctionDef) -> list[str]:
    a = form.args
    stars = [x.arg for x in (a.vararg, a.kwarg) if x]
    return [x.arg for x in (*a.posonlyargs, *a.args, *a.kwonlyargs)] + stars


@pytest.mark.parametrize(
    "file, within, owner",
    [
        ("tensor_methods.pyi", "TensorMethods", dv.Tensor),
        ("ops/public.pyi", "", dv),
        ("nn/functional.pyi", "", functional),
        ("linalg.pyi", "", dv.linalg),
    ],
)
def test_every_function_is_declared_with_its_parameters(file: str, within: str, owner: object) -> None:
    declared, wrong, seen = _declared(file, within), [], 0
    plugins = stubs.brought({dv.linalg: "linalg", functional: "nn.functional"}.get(owner, ""))
    plugins = {**stubs.older_methods(), **plugins} if within else plugins
    for name in dir(owner) if inspect.isclass(owner) else {**vars(owner), **plugins}:  # a module's dir() has what plugins bring too
        if name.startswith("_") or (owner is dv.linalg and name not in (*dv.linalg.__all__, *plugins)):
            continue
        value = plugins.get(name) or inspect.getattr_static(owner, name)
        if not inspect.isfunction(value) or (owner is functional and name in ("guarded", "namespace", "placed")):
            continue
        if value.__module__.startswith("dovetail_") and name not in plugins:  # a plugin's, which something has touched
            continue
        if owner is dv and name not in NAMESPACE and name not in plugins:  # imported where a checker sees it
            continue
        seen += 1
        if name not in declared:
            wrong.append(f"{name} is missing")
            continue
        true = list(inspect.signature(value).parameters)[bool(within) :]
        told = [_words(form)[bool(within) :] for form in declared[name]]
        if len(told) == 1:  # `out=` is taken by every op, and is in no signature
            told = [[w for w in words if w != "out" or "out" in true] for words in told]
            if sorted(told[0]) != sorted(true):
                wrong.append(f"{name}: {told[0]} for {true}")
        elif not {w for words in told for w in words if w not in ("out", "tensor")} <= {*true, "input", "non_blocking"}:
            wrong.append(f"{name}: {told} for {true}")
    assert not wrong, wrong
    assert seen > 30


def test_every_attribute_of_a_tensor_is_declared() -> None:
    tree = ast.parse((CORE / "tensor_methods.pyi").read_text(encoding="utf-8"))
    declared = {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)}
    missing = [n for n in dir(dv.Tensor) if not n.startswith("_") and n not in declared]
    assert not missing


PROGRAM = Path(__file__).with_name("typed_program.py")
WRONG = {  # a line, and what a type checker says of it
    "x.nothing": 'has no attribute "nothing"',
    "dv.nothing": 'has no attribute "nothing"',
    "dv.nn.functional.nothing": 'has no attribute "nothing"',
    "dv.nn.Nothing": 'has no attribute "Nothing"',
    "dv.optim.Nothing": 'has no attribute "Nothing"',
    "dv.tensor()": "Missing positional argument",
    "x.sum(keepdimm=True)": "Unexpected keyword argument",
    "dv.linalg.qr(x).Z": 'has no attribute "Z"',
    "a: str = x.sum()": "Incompatible types",
    "dv.zeros(2) + 'a'": "Unsupported operand",
}


def _mypy(folder: Path, text: str) -> str:
    (folder / "program.py").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--follow-imports=silent", f"--cache-dir={folder}", "--config-file=", "program.py"]
    done = subprocess.run(command, cwd=folder, env={"MYPYPATH": PATHS, "PATH": ""}, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_a_users_program_type_checks_and_mistakes_are_found(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    text = PROGRAM.read_text(encoding="utf-8")
    first = text.count("\n") + 1
    said = _mypy(tmp_path, text + "\n".join(WRONG) + "\n").splitlines()
    errors = [line for line in said if " error: " in line]
    strange = [line for line in errors if int(line.split(":")[1]) < first]
    assert not strange, strange
    for at, (line, what) in enumerate(WRONG.items(), first):
        assert any(f"program.py:{at}: " in e and what in e for e in errors), (line, errors)
