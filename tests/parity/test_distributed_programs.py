"""Programs of two processes, as strangers write them: by PyTorch's launcher and gloo, and under `dovetail launch … run-torch`.

Nothing in programs/ranks names us. The processes' lines come in any order; sorted they must be the same.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mpi.launching import environment, needs_mpi

PROGRAMS = Path(__file__).parent / "programs" / "ranks"
TWICE = "elastic"  # the second time from its snapshot
SPAWNS = "spawned"  # starts its processes itself; here the launcher's are those


def said(command: list[str], folder: Path, times: int) -> list[str]:
    text = ""
    for _ in range(times):
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment(), timeout=300, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        text += done.stdout
    text += "".join(path.read_text() for path in folder.glob("log/**/stdout.log"))
    return sorted(line for line in re.sub(r"\b(torch|dovetail)\.", "", text).splitlines() if line)


@needs_mpi
@pytest.mark.parametrize("name", ["collectives", "tricks", "recipe", SPAWNS, pytest.param("imagenet", marks=pytest.mark.soak), TWICE])
def test_two_processes_say_the_same(name: str, tmp_path: Path) -> None:
    program, times = str(PROGRAMS / f"{name}.py"), 2 if name == TWICE else 1
    folders = [tmp_path / "theirs", tmp_path / "ours"]
    for folder in folders:
        folder.mkdir()
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--log-dir", "log", "--redirects", "3"]
    theirs = said([sys.executable, *(torchrun if name != SPAWNS else []), program], folders[0], times)
    launch = [sys.executable, "-m", "dovetail", "launch", "-n", "2", "--oversubscribe", "--no-prefix", "dovetail", "run-torch"]
    assert said([*launch, program], folders[1], times) == theirs
    assert len(theirs) >= 4


def test_processes_that_no_launcher_started_say_what_starts_them(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "dovetail", "run-torch", str(PROGRAMS / f"{SPAWNS}.py")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment(), timeout=120, check=False)
    assert done.returncode == 1 and "of 2 processes, which no MPI launcher started" in done.stderr, done.stderr
    assert "dovetail launch -n 2 program.py starts more" in done.stderr


@needs_mpi
@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("mp.spawn(print, nprocs=3)", r"3 processes with join=True, inside of one of 2 ranks .*; expected 2 .*; dovetail launch -n 3"),
        ("mp.spawn(print, nprocs=2, join=False)", r"2 processes with join=False, inside of one of 2 ranks"),
        (
            "dist.init_process_group('mpi'); mp.spawn(inner, nprocs=2)",
            r"was started by multiprocessing, inside of rank \d, and MPI does not",
        ),
    ],
)
def test_processes_inside_of_ranks(line: str, says: str, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import torch.distributed as dist\nimport torch.multiprocessing as mp\n\n\n"
        "def inner(number):\n    dist.init_process_group('mpi')\n\n\n"
        f"if __name__ == '__main__':\n    {line}\n"
    )
    launch = [sys.executable, "-m", "dovetail", "launch", "-n", "2", "--oversubscribe", "dovetail", "run-torch", str(program)]
    done = subprocess.run(launch, capture_output=True, text=True, cwd=tmp_path, env=environment(), timeout=120, check=False)
    assert done.returncode == 1 and re.search(says, done.stderr), done.stderr
