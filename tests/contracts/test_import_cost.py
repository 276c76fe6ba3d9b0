"""`import dovetail` is quick and brings nothing heavy."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

from tests.contracts.sources import ROOT

BUDGET_S = 0.150  # above `import numpy`
ROUNDS = 5  # the quickest counts: what else the machine does only adds
HEAVY = {"PIL", "cupy", "matplotlib", "scipy", "torch"}


_CACHE = tempfile.mkdtemp(prefix="dovetail-bytecode-")  # an installed package has byte code, whatever this machine's settings


def run(code: str) -> str:
    """Run in a fresh interpreter and return what it printed."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPYCACHEPREFIX": _CACHE}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def seconds() -> float:
    """What the import costs a process that has NumPy already."""
    return float(run("import numpy, time; start = time.perf_counter(); import dovetail; print(time.perf_counter() - start)"))


def test_import_is_quick() -> None:
    run("import dovetail")  # once unmeasured: it writes the byte code
    extra = [seconds() for _ in range(ROUNDS)]
    assert min(extra) <= BUDGET_S, f"seconds above NumPy, run by run: {[round(value, 3) for value in extra]}"


def test_import_brings_nothing_heavy() -> None:
    loaded = set(run("import dovetail, sys; print(*(name.split('.')[0] for name in sys.modules))").split())
    plugins = {path.parent.name for path in ROOT.glob("plugins/*/*/__init__.py")}
    assert plugins, "no plugin was found to look for"
    assert not loaded & (HEAVY | plugins)
