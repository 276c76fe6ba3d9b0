"""The first training step of a fresh process, beside PyTorch: import, build and one step of the MNIST CNN, whole processes in turn."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from benchmarks.duel import Side
from benchmarks.record import record

__all__ = ["main"]

BAR = 3.0  # times sooner than PyTorch
_PROGRAM = "import {0} as torch; from benchmarks.workloads import mnist; mnist(torch).step()"


def _seconds(framework: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", _PROGRAM.format(framework)], env=Side(framework).environment(), check=True)
    return time.perf_counter() - start


def main(rounds: int = 7) -> int:
    """Print and record the figures; exit code 1 when the bar is missed."""
    pairs = [(_seconds("dovetail"), _seconds("torch")) for _ in range(rounds + 1)][1:]  # the first pair warms the disk
    ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(b / a for a, b in pairs)
    print(f"first step of a fresh process: ours {ours:.2f} s, torch {theirs:.2f} s, {ratio:.1f} times sooner (bar {BAR})")
    found = {"ours": ours, "theirs": theirs, "speed": ratio, "low": min(b / a for a, b in pairs), "high": max(b / a for a, b in pairs)}
    record("first_step", {**found, "bar": BAR, "met": ratio >= BAR}, rounds=rounds)
    return int(ratio < BAR)


if __name__ == "__main__":
    raise SystemExit(main())
