"""The programs in docs/onnx-import.md run and print what their comments say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

pytest.importorskip("onnx")


PAGE = (Path(__file__).parents[2] / "docs" / "onnx-import.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)


def test_fine_tuning(tmp_path):
    pytest.importorskip("dovetail_vision")
    code = next(text for kind, text in BLOCKS if "helper.make_node" in text)
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=dict(os.environ), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["".join(one) for one in re.findall(r"^# (\[.*\])$|\)  # (.*)$", code, re.MULTILINE)]
    assert (tmp_path / "digits.safetensors").is_file()


def test_the_row_of_a_plugin(tmp_path, monkeypatch):
    """The manifest and the function of the page, as a package that is installed, serve a model."""
    manifest, code = (next(text for kind, text in BLOCKS if kind == want and "Gain" in text) for want in ("toml", "python"))
    assert tomllib.loads(manifest)["lowerings"]["acme/Gain"]["format"] == "onnx-import"
    package = tmp_path / "dovetail_acme"
    package.mkdir()
    (package / "__init__.py").write_text('"""Acme."""\n')
    (package / "operators.py").write_text(code)
    (package / "dovetail.toml").write_text('api = ">=1.0,<2"\n\n' + manifest)
    about = tmp_path / "dovetail_acme-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: dovetail-acme\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[dovetail.plugins]\nacme = dovetail_acme:dovetail.toml\n")
    program = """
import dovetail as dv
from tests.onnx import models
from onnx import helper
made = models.model([helper.make_node("Gain", ["x"], ["y"], domain="com.acme", factor=3.0)], ["x"], [("n",)], ["y"])
made.opset_import.add(domain="com.acme", version=1)
import sys
assert "dovetail_acme.operators" not in sys.modules
model = dv.onnx.load(made)
x = dv.ones(2, requires_grad=True)
model(x).sum().backward()
print(x.grad.tolist())
"""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", ""), str(Path(__file__).parents[2])]),
    }
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[3.0, 3.0]\n"


def test_the_figures_are_those_of_the_suite():
    from tests.onnx.test_backend_suite import LEAST

    assert f"{LEAST:,} pass" in PAGE
