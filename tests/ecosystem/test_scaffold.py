"""P5 and P6: the kit's own score, and the scaffold in fresh environments."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dovetail.testing.scaffold import KINDS
from tests.contracts.sources import ROOT
from tests.core.plugins.sabotage import HONEST, SABOTAGE


def test_the_kit_is_tried_with_enough_samples(figure):
    """P5: what each sample must give is asserted in tests/core/plugins/test_conformance.py."""
    assert len(SABOTAGE) >= 30 and len(HONEST) >= 5
    figure("P5", "sabotaged sample plugins, each caught by its check", len(SABOTAGE), "30 of 30")
    figure("P5", "honest sample plugins accused", 0, f"0 of {len(HONEST)}")


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of today's core."""
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "build", "--wheel", "--outdir", str(out), str(ROOT / "core")], check=True, capture_output=True)
    return next(out.glob("*.whl"))


@pytest.mark.ecosystem
@pytest.mark.parametrize("kind", [*KINDS, "all"])
def test_the_scaffold_is_green_in_a_fresh_environment(tmp_path, wheel, figure, kind):
    """P6: from an empty folder to a green test run in 60 s, with no edit."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("DOVETAIL_", "PYTHON"))}
    environment |= {"DOVETAIL_CACHE": str(tmp_path / "cache"), "DOVETAIL_CONFIG": str(tmp_path / "config"), "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "env")], check=True)
    bin = tmp_path / "env" / "bin"

    def run(*command: str) -> str:
        done = subprocess.run(
            [str(bin / command[0]), *command[1:]], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
        return done.stdout

    run("pip", "install", "-q", str(wheel))
    start = time.perf_counter()
    run("dovetail", "plugins", "new", "bells", "--with", kind)
    run("pip", "install", "-q", "./dovetail-bells[test]")
    out = run("pytest", "-q", "dovetail-bells")
    seconds = time.perf_counter() - start
    assert " passed" in out and "failed" not in out.replace("0 failed", "") and "FEWER" not in out, out
    figure("P6", f"scaffold with {kind}: written, installed and green, s", round(seconds, 1), "60")
    assert seconds <= 60
