"""The first training step of a fresh process, beside PyTorch: import, build and one step of the MNIST CNN, whole processes in turn."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time

__all__ = ["main"]

BAR = 3.0  # times sooner than PyTorch
_PROGRAM = "import {0} as torch; from benchmarks.training import mnist; mnist(torch)[0]()"


def _seconds(framework: str) -> float:
    environment = {**os.environ, **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "2")}
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", _PROGRAM.format(framework)], env=environment, check=True)
    return time.perf_counter() - start


def main(rounds: int = 7) -> int:
    """Print the figures; exit code 1 when the bar is missed."""
    pairs = [(_seconds("dovetail"), _seconds("torch")) for _ in range(rounds + 1)][1:]  # the first pair warms the disk
    ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(b / a for a, b in pairs)
    print(f"first step of a fresh process: ours {ours:.2f} s, torch {theirs:.2f} s, {ratio:.1f} times sooner (bar {BAR})")
    return int(ratio < BAR)


if __name__ == "__main__":
    raise SystemExit(main())
