"""Frameworks on the same program: a process each, blocks of steps in turn, the median of the ratios round by round.

A worker builds a case and answers with the numbers that it computes; only those that agree with the reference are timed.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Effort", "Failed", "Result", "Side", "against", "race", "worst_difference"]

_PEERS = ("jax", "tinygrad")
_PAUSE = 0.004  # threads of the worker before may still be spinning


class Failed(RuntimeError):
    """A worker cannot run the case; the message is the last line of its traceback."""


@dataclass(frozen=True)
class Side:
    """Who runs a case, and how. `compiled` is by its own `compile`; `isa` is "avx2" to hold
    everything in the process to it, "aten" to hold ATen alone and leave oneDNN and MKL as they are. Without `twin` the core's
    calls are its Python."""

    framework: str = "dovetail"
    winograd: str = "auto"
    compiled: bool = False
    isa: str = ""
    threads: int = 2
    twin: bool = True

    @property
    def module(self) -> str:
        """Where its cases stand."""
        return f"benchmarks.peers.{self.framework}" if self.framework in _PEERS else "benchmarks.workloads"

    def environment(self) -> dict[str, str]:
        """Variables of its process."""
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        env = {**os.environ, **dict.fromkeys(names, str(self.threads)), "JAX_PLATFORMS": "cpu"}
        if not self.twin:
            env["DOVETAIL_TWIN"] = "0"
        if self.isa:
            env |= {"DOVETAIL_CPU_ISA": "avx2", "ATEN_CPU_CAPABILITY": "avx2"}
        if self.isa == "avx2":
            env |= {"ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2", "OPENBLAS_CORETYPE": "Haswell"}
        return env


@dataclass(frozen=True)
class Effort:
    """How much is measured: rounds, and seconds of a block."""

    rounds: int = 9
    seconds: float = 0.4


@dataclass
class Result:
    """Seconds per step (medians), and the speed-up theirs / ours (median and range over the rounds)."""

    ours: float
    theirs: float
    speed: float
    low: float
    high: float


class _Worker:
    """A side in its own process."""

    def __init__(self, side: Side) -> None:
        self.side = side
        command = [sys.executable, "-m", "benchmarks.worker", json.dumps(asdict(side))]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=side.environment())

    def tell(self, **request: Any) -> None:
        """Send a request."""
        assert self.process.stdin is not None
        print(json.dumps(request), file=self.process.stdin, flush=True)

    def hear(self) -> Any:
        """Its answer; raises Failed."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise Failed(f"the process ended with exit code {self.process.wait()}")
        answer = json.loads(line)
        if isinstance(answer, dict) and "failed" in answer:
            raise Failed(answer["failed"])
        return answer

    def block(self, steps: int) -> float:
        """Seconds per step over so many steps."""
        time.sleep(_PAUSE)
        self.tell(block=steps)
        return self.hear()

    def close(self) -> None:
        """Let the process end."""
        self.process.communicate()


def worst_difference(a: list[float], b: list[float]) -> float:
    """The largest relative difference of two lists of numbers; infinite where their lengths differ or one is not a number."""
    if len(a) != len(b):
        return float("inf")
    apart = [abs(x - y) / max(1e-3, abs(y)) for x, y in zip(a, b)]
    return max((d if d == d else float("inf") for d in apart), default=0.0)


def race(
    case: str, sides: list[Side], tolerance: float, effort: Effort = Effort(), sizes: dict[str, int] | None = None
) -> tuple[dict[Side, list[float]], dict[Side, str]]:
    """Seconds per step by side and round, and why sides that are missing there could not run.

    The reference is the first side of PyTorch's, eager. Raises an AssertionError where ours disagrees with it.
    """
    workers, failed = [_Worker(side) for side in sides], {}
    try:
        reference, values = _built(workers, case, sizes or {}, failed)
        for side, found in values.items():
            apart = worst_difference(found, values[reference])
            if not apart <= tolerance:
                told = f"{case}: {side} disagrees with PyTorch by {apart:.2e} ({found[:4]} against {values[reference][:4]})"
                if side.framework not in _PEERS:
                    raise AssertionError(told)
                failed[side] = told
        steps = {}
        for w in [w for w in workers if w.side not in failed]:
            try:
                each = w.block(1)
                each = min(each, w.block(3)) if each < effort.seconds else each
                steps[w.side] = max(1, round(effort.seconds / each))
            except Failed as error:  # a step after the first, which some compile anew
                _forgive(w.side, error, failed)
        running = [w for w in workers if w.side in steps]
        for w in running:
            w.block(steps[w.side])  # warm up
        times: dict[Side, list[float]] = {w.side: [] for w in running}
        for _ in range(effort.rounds):
            for w in running:
                times[w.side].append(w.block(steps[w.side]))
    finally:
        for w in workers:
            w.close()
    return times, failed


def _forgive(side: Side, error: Failed, failed: dict[Side, str]) -> None:
    """Compilers and peers need not run everywhere; eager steps of ours and PyTorch's must."""
    if not side.compiled and side.framework not in _PEERS:
        raise error
    failed[side] = str(error)


def _built(workers: list[_Worker], case: str, sizes: dict[str, int], failed: dict[Side, str]) -> tuple[Side, dict[Side, list[float]]]:
    """Let every worker build the case and do one step: what each computed, and which of them is the reference."""
    for w in workers:
        w.tell(build=case, sizes=sizes)
    values = {}
    for w in workers:
        try:
            values[w.side] = w.hear()
        except Failed as error:
            _forgive(w.side, error, failed)
    reference = next((s for s in values if s.framework == "torch" and not s.compiled), None) or next(iter(values))
    return reference, values


def against(ours: list[float], theirs: list[float]) -> Result:
    """Compare two sides of a race, round by round."""
    speeds = sorted(b / a for a, b in zip(ours, theirs))
    return Result(statistics.median(ours), statistics.median(theirs), statistics.median(speeds), speeds[0], speeds[-1])
