"""Whole programs under PyTorch and under `dovetail run-torch`: the same losses, the same prints, and float32 within PyTorch's own drift.

Each program of tests/parity/programs is a stranger's: it names PyTorch only, seeds itself, computes in float64 with `--double`, and prints
its losses in a last line. `python -m benchmarks.programs [NAME …]` runs each four times, each time in a process of its own, and prints a table.
"""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["PROGRAMS", "TWELVE", "Pytorch", "Ran", "compare", "main", "under_dovetail"]

_ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = sorted((_ROOT / "tests" / "parity" / "programs").glob("*.py"))

#: The well-known ones, whose random numbers do not depend on the type: their float32 runs are held to PyTorch's own drift.
TWELVE = (
    "linear_regression digits_cnn lstm_sequence char_gpt vae dcgan wgan_gp dqn reinforce ppo gcn style_transfer"
).split()

_THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
_ENVIRONMENT = {**os.environ, **_THREADS, "MPLBACKEND": "agg"}
_STRICT = ["-W", "error::RuntimeWarning"]  # no stray warnings of NumPy's

# Imports torch once, and runs each program that it is told of in a process split off from this one.
_SERVER = """
import json, os, runpy, sys, traceback
import torch
from tests.parity.torchvision_oracle import prepare
prepare()
for line in sys.stdin:
    path, out, err, arguments = json.loads(line)
    child = os.fork()
    if not child:
        code = 1
        try:
            for number, name in ((1, out), (2, err)):
                os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
            sys.argv = [path, *arguments]
            sys.path.insert(0, os.path.dirname(path))
            runpy.run_path(path, run_name="__main__")
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@dataclass
class Ran:
    """What a program printed, and the losses of its last line."""

    printed: str
    losses: list[float]

    @classmethod
    def of(cls, code: int, out: str, err: str, what: str) -> Ran:
        """Read the output of a process; one that failed raises with the end of what it said."""
        if code:
            raise RuntimeError(f"{what}: exit code {code}\n{err[-4000:]}")
        printed, found, losses = out.rpartition("losses [")
        if not found:
            raise RuntimeError(f"{what}: prints no losses\n{out[-1000:]}")
        return cls(re.sub(r"\b(torch|dovetail)\.", "", printed), json.loads("[" + losses.replace("nan", "NaN").replace("inf", "Infinity")))


class Pytorch:
    """Runs programs with PyTorch, each in a process of its own, split off from one that has imported it."""

    def __init__(self, folder: Path) -> None:
        self.out, self.err = folder / "out", folder / "err"
        command = [sys.executable, "-c", _SERVER]
        self.server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=_ENVIRONMENT, cwd=_ROOT)

    def run(self, path: Path, *arguments: str) -> Ran:
        """What a program prints."""
        assert self.server.stdin is not None and self.server.stdout is not None
        print(json.dumps([str(path), str(self.out), str(self.err), arguments]), file=self.server.stdin, flush=True)
        code = int(self.server.stdout.readline() or -1)
        return Ran.of(code, self.out.read_text(), self.err.read_text(), f"torch {path.name}")

    def close(self) -> None:
        """Let the process end."""
        self.server.communicate()


def under_dovetail(path: Path, *arguments: str) -> Ran:
    """What a program prints under `dovetail run-torch`."""
    command = [sys.executable, *_STRICT, "-m", "dovetail", "run-torch", str(path), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=_ENVIRONMENT, check=False)
    return Ran.of(done.returncode, done.stdout, done.stderr, f"run-torch {path.name}")


def apart(one: list[float], other: list[float]) -> list[float]:
    """At each step, the largest difference so far, relative where a loss is above 1."""
    if len(one) != len(other):
        raise ValueError(f"{len(one)} losses against {len(other)}")
    largest, so_far = 0.0, []
    for a, b in zip(one, other):
        same = a == b or (math.isnan(a) and math.isnan(b))
        largest = max(largest, 0.0 if same else abs(a - b) / max(1.0, abs(b)))
        so_far.append(math.inf if math.isnan(largest) else largest)
    return so_far


@dataclass
class Compared:
    """A program's figures: steps, distance in float64, distance in float32, PyTorch's own float32 against float64, same prints."""

    name: str
    steps: int
    double: float
    single: float
    drift: float
    times: float
    alike: bool

    def row(self) -> str:
        """A line of the table."""
        said = "yes" if self.alike else "NO"
        return f"| {self.name} | {self.steps} | {self.double:.1e} | {self.single:.1e} | {self.drift:.1e} | {self.times:.2f} | {said} |"


def compare(path: Path, pytorch: Pytorch) -> Compared:
    """Run a program in both types under both. `times` is the worst ratio of our float32 distance to the drift, step by step.

    Where PyTorch's two runs have not parted yet, the drift counts as one rounding of float32.
    """
    double, single = pytorch.run(path, "--double"), pytorch.run(path)
    ours, ours_single = under_dovetail(path, "--double"), under_dovetail(path)
    mine, own = apart(ours_single.losses, single.losses), apart(single.losses, double.losses)
    times = max(a / max(b, 2.0**-23) for a, b in zip(mine, own))
    same = ours.printed == double.printed
    return Compared(path.stem, len(double.losses), apart(ours.losses, double.losses)[-1], mine[-1], own[-1], times, same)


def main(names: list[str]) -> int:
    """Print the table; 1 if something differs."""
    import tempfile

    print("| program | losses | float64: ours − PyTorch's | float32: ours − PyTorch's | PyTorch's float32 − float64 | worst ratio | same prints |")
    print("|---|---|---|---|---|---|---|")
    good = True
    with tempfile.TemporaryDirectory() as folder:
        pytorch = Pytorch(Path(folder))
        for path in PROGRAMS:
            if not names or path.stem in names:
                found: Any = compare(path, pytorch)
                print(found.row(), flush=True)
                good &= found.double <= 1e-6 and found.alike and (path.stem not in TWELVE or found.times <= 10)
        pytorch.close()
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
