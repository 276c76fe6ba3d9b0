"""Whole programs under PyTorch and under `dovetail run-torch`: the same losses, the same prints, and float32 within PyTorch's own drift.

Each program of tests/parity/programs is a stranger's: it names PyTorch only, seeds itself, computes in float64 with `--double`, and
prints its losses in a last line. `python -m benchmarks.programs [NAME …]` runs each in processes of its own, and prints a table.
"""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

__all__ = ["PROGRAMS", "TWELVE", "Pytorch", "Ran", "apart", "compare", "main", "under_dovetail"]

_ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = sorted((_ROOT / "tests" / "parity" / "programs").glob("*.py"))

#: The well-known ones, whose random numbers do not depend on the type: their float32 runs are held to PyTorch's own drift.
TWELVE = ("linear_regression digits_cnn lstm_sequence char_gpt vae dcgan wgan_gp dqn reinforce ppo gcn style_transfer").split()

_THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
_ENVIRONMENT = {**os.environ, **_THREADS, "MPLBACKEND": "agg"}
_STRICT = ["-W", "error::RuntimeWarning"]  # no stray warnings of NumPy's

# Imports torch once, and runs each program that it is told of in a process split off from this one.
_SERVER = """
import json, os, runpy, sys, traceback
import torch
from tests.parity.torchvision_oracle import prepare, with_operators
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
            if "import torchvision" in open(path).read() or "from torchvision" in open(path).read():
                with_operators()
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
    """A program's figures: losses, how far ours are from PyTorch's in float64, the same prints; for the twelve, float32 and the drift."""

    name: str
    losses: int
    double: float
    alike: bool
    single: float | None = None
    drift: float | None = None
    times: float | None = None

    def good(self) -> bool:
        """Whether the program's bar is met."""
        return self.double <= 1e-6 and self.alike and (self.times or 0) <= 10

    def row(self) -> str:
        """A line of the table."""
        single, drift = ("" if v is None else f"{v:.1e}" for v in (self.single, self.drift))
        times, said = "" if self.times is None else f"{self.times:.2f}", "yes" if self.alike else "NO"
        return f"| {self.name} | {self.losses} | {self.double:.1e} | {single} | {drift} | {times} | {said} |"


def compare(path: Path, pytorch: Pytorch) -> Compared:
    """Run a program under both, side by side; the twelve in float32 too. `times` is the worst ratio of our distance to the drift.

    It is taken step by step; where PyTorch's two runs have not parted yet, the drift counts as one rounding of float32.
    """
    kinds = [["--double"], []] if path.stem in TWELVE else [["--double"]]
    with ThreadPoolExecutor(1) as beside:
        running = beside.submit(lambda: [pytorch.run(path, *kind) for kind in kinds])
        ours = [under_dovetail(path, *kind) for kind in kinds]
        theirs = running.result()
    found = Compared(path.stem, len(theirs[0].losses), apart(ours[0].losses, theirs[0].losses)[-1], ours[0].printed == theirs[0].printed)
    if path.stem in TWELVE:
        mine, own = apart(ours[1].losses, theirs[1].losses), apart(theirs[1].losses, theirs[0].losses)
        found.single, found.drift, found.times = mine[-1], own[-1], max(a / max(b, 2.0**-23) for a, b in zip(mine, own))
    return found


def main(names: list[str]) -> int:
    """Print the table; 1 if something differs."""
    import tempfile

    heads = ("program", "losses", "float64", "float32", "PyTorch's drift", "worst ratio", "same prints")
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    good = True
    with tempfile.TemporaryDirectory() as folder:
        pytorch = Pytorch(Path(folder))
        for path in sorted(PROGRAMS, key=lambda path: path.stem not in TWELVE):
            if not names or path.stem in names:
                try:
                    found = compare(path, pytorch)
                except RuntimeError as error:
                    print(f"| {path.stem} | does not run: {str(error).splitlines()[-1]} |", flush=True)
                    good = False
                else:
                    print(found.row(), flush=True)
                    good &= found.good()
        pytorch.close()
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
