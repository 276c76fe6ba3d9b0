"""The wheels of a release in a fresh environment: the core brings the kernels."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contracts.sources import ROOT
from tools.targets import released


@pytest.mark.ecosystem
def test_installing_the_core_brings_the_kernels(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    for source in (released(ROOT / "core", tmp_path), ROOT / "plugins/cpu"):
        subprocess.run([sys.executable, "-m", "build", "--wheel", "--outdir", str(wheels), str(source)], check=True, capture_output=True)
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "env")], check=True)
    python = str(tmp_path / "env" / "bin" / "python")
    core = next(wheels.glob("dovetail-*.whl"))
    subprocess.run([python, "-m", "pip", "install", "-q", "--find-links", str(wheels), str(core)], check=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("DOVETAIL_", "PYTHON"))}
    environment |= {"DOVETAIL_CACHE": str(tmp_path / "cache"), "DOVETAIL_CONFIG": str(tmp_path / "config")}
    program = (
        "import dovetail as dv; import dovetail_cpu; print(dovetail_cpu.instruction_set(), (dv.ones(2, 2) @ dv.ones(2, 2)).sum().item())"
    )
    done = subprocess.run([python, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stdout.split()[1] == "8.0", done.stdout + done.stderr
