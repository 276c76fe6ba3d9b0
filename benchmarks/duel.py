"""Two frameworks on the same program: a process each, blocks in turn, the median of the ratios pair by pair.

A worker reads a case's name, builds it, and answers with the numbers that the case computes; only when both agree are
blocks timed. Run as `python -m benchmarks.duel WORKER` it is a worker.
"""

from __future__ import annotations

import importlib
import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

__all__ = ["Result", "duel"]

_THREADS = "2"


@dataclass
class Result:
    """What a duel measured: seconds per step (medians) and ours / theirs (median and range over the pairs)."""

    case: str
    ours: float
    theirs: float
    ratio: float
    low: float
    high: float

    def line(self) -> str:
        """One row of the table."""
        return f"{self.case:34} {self.ours * 1e6:10.0f} {self.theirs * 1e6:10.0f} {self.ratio:8.3f}   {self.low:.3f}-{self.high:.3f}"


class _Worker:
    """A framework in its own process."""

    def __init__(self, framework: str) -> None:
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        env = {**os.environ, **dict.fromkeys(names, _THREADS)}
        command = [sys.executable, "-m", "benchmarks.duel", framework]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)

    def ask(self, **request: Any) -> Any:
        """Send a request and wait for its answer."""
        assert self.process.stdin is not None and self.process.stdout is not None
        print(json.dumps(request), file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the worker ended with exit code {self.process.wait()}")
        return json.loads(line)

    def close(self) -> None:
        """Let the process end."""
        self.process.communicate()


def duel(module: str, case: str, *, rounds: int = 15, seconds: float = 0.15, tolerance: float = 1e-4, winograd: str = "auto") -> Result:
    """Measure one case of a module of cases in both frameworks; `winograd` is our `backends.cpu.winograd`."""
    ours, theirs = _Worker("dovetail"), _Worker("torch")
    try:
        values = [w.ask(build=case, module=module, winograd=winograd) for w in (ours, theirs)]
        _agree(case, *values, tolerance)
        steps = [max(1, round(seconds / w.ask(block=3))) for w in (ours, theirs)]
        for w, n in ((ours, steps[0]), (theirs, steps[1])):
            w.ask(block=n)  # warm up
        pairs = [(ours.ask(block=steps[0]), theirs.ask(block=steps[1])) for _ in range(rounds)]
    finally:
        ours.close()
        theirs.close()
    ratios = sorted(a / b for a, b in pairs)
    a, b = (statistics.median(column) for column in zip(*pairs, strict=True))
    return Result(case, a, b, statistics.median(ratios), ratios[0], ratios[-1])


def _agree(case: str, a: list[float], b: list[float], tolerance: float) -> None:
    """Refuse to time what computes something else."""
    worst = max((abs(x - y) / max(1e-3, abs(y)) for x, y in zip(a, b, strict=True)), default=0.0)
    if len(a) != len(b) or not worst <= tolerance:
        raise AssertionError(f"{case}: the frameworks disagree by {worst:.2e} (ours {a[:4]}, theirs {b[:4]})")


def _serve(framework: str) -> None:
    """The life of a worker."""
    torch = importlib.import_module(framework)
    torch.set_num_threads(int(_THREADS))
    step: Any = None
    for line in sys.stdin:
        request = json.loads(line)
        if "build" in request:
            if framework == "dovetail":
                torch.backends.cpu.winograd = request["winograd"]
            torch.manual_seed(0)
            step, result = importlib.import_module(request["module"]).CASES[request["build"]](torch)
            step()
            answer: Any = [float(v) for v in result()]
        else:
            start = time.perf_counter()
            for _ in range(request["block"]):
                step()
            answer = (time.perf_counter() - start) / request["block"]
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    _serve(sys.argv[1])
