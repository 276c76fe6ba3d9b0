"""A program that touches every public name passes a type checker, and an editor that runs nothing sees the functions of the namespace."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import dovetail as dv

MODULES = (
    "dovetail dovetail.nn dovetail.nn.functional dovetail.nn.init dovetail.nn.utils dovetail.nn.utils.rnn dovetail.optim "
    "dovetail.optim.lr_scheduler dovetail.optim.swa_utils dovetail.autograd dovetail.linalg dovetail.fft dovetail.utils.data "
    "dovetail.func dovetail.amp dovetail.cuda dovetail.io dovetail.graph dovetail.hooks dovetail.plugins"
).split()
ROOT = Path(__file__).parents[2]
PATHS = ":".join(str(ROOT / name) for name in ("core", "plugins/science", "plugins/torch", "plugins/train"))
LISTED = ("dovetail.linalg", "dovetail.func", "dovetail.optim.swa_utils")  # whose stubs have no more than their `__all__`
HELPERS = {"TYPE_CHECKING", "Any", "FAMILIES", "annotations", "guarded", "namespace", "placed"}  # with which nn.functional is gathered
OPERATORS = "t+t t*2 2*t -t t@t t[0] t==t t!=None t<1 t**2 len(t) float(t) int(t) bool(t) t/t ~t t//2 1-t f'{t:.2f}' abs(t) t&t t%2".split()


def test_a_program_that_touches_every_public_name_type_checks(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    lines, tensor = [f"import {name}" for name in MODULES], "t"
    for name in MODULES:
        module = importlib.import_module(name)
        public = (n for n in dir(module) if not n.startswith("_") and not isinstance(getattr(module, n), ModuleType))
        public = getattr(module, "__all__", public) if name in LISTED else public
        lines += [f"{name}.{n}" for n in public if name != "dovetail.nn.functional" or n not in HELPERS]
    lines += ["t: dovetail.Tensor = dovetail.ones(2)", *(f"{tensor}.{n}" for n in dir(dv.ones(1)) if not n.startswith("_")), *OPERATORS]
    lines += [
        "t[0] = 1.0",
        "t += 1",
        "t.grad = None",
        "t.requires_grad = True",
        "t.data = t * 2",
        "with dovetail.no_grad():",
        "    t.sum().backward()",
    ]
    functions = [n for n in dir(dv) if callable(getattr(dv, n)) and hasattr(getattr(dv, n), "__code__")]
    lines += [f"reveal_type(dovetail.{n})" for n in functions]
    program = tmp_path / "program.py"
    program.write_text("\n".join(lines) + "\n")
    command = [sys.executable, "-m", "mypy", "--follow-imports=silent", f"--cache-dir={tmp_path}", "--config-file=", program.name]
    done = subprocess.run(command, cwd=tmp_path, env={"MYPYPATH": PATHS, "PATH": ""}, capture_output=True, text=True, check=False)
    assert "Success" in done.stdout, done.stdout[-2000:] + done.stderr
    unknown = [line for line in done.stdout.splitlines() if "Revealed" in line and line.endswith('"Any"')]
    assert not unknown, f"{len(unknown)} of {len(functions)} functions are seen without a signature: {unknown[:5]}"
