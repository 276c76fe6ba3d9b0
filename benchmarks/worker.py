"""A side of a race in its process: builds what it is asked for, does blocks of steps, and answers a line of JSON each time."""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
import traceback
from typing import Any

from benchmarks.duel import Side
from benchmarks.workloads import Built

__all__ = ["build", "framework"]


def framework(side: Side) -> Any:
    """The framework's module, with its threads and switches set."""
    folder = os.environ.get("BENCH_PEERS")  # where peers were installed by pip's --target, if not among the rest
    if folder:
        sys.path.append(folder)
    torch = importlib.import_module(side.framework)
    if side.module != "benchmarks.workloads":
        held = sorted(os.sched_getaffinity(0))[: side.threads]  # their pools are as large as what they are held to
        os.sched_setaffinity(0, held)
        return torch
    torch.set_num_threads(side.threads)
    if side.framework == "dovetail":
        torch.backends.cpu.winograd = side.winograd
    torch.manual_seed(0)
    return torch


def build(side: Side, case: str, sizes: dict[str, int]) -> Built:
    """A case, after one step."""
    torch = framework(side)
    cases = importlib.import_module(side.module).CASES
    if case not in cases:
        raise NotImplementedError(f"{case} is not written for {side.framework}")
    built = cases[case](torch, torch.compile, **sizes) if side.compiled else cases[case](torch, **sizes)
    built.step()
    return built


def _serve(side: Side) -> None:
    """Answer one request after the other; the first that fails is the last."""
    answers, sys.stdout = sys.stdout, sys.stderr  # what a framework prints is no answer
    built: Any = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if "build" in request:
                built = build(side, request["build"], request["sizes"])
                answer: Any = [float(v) for v in built.result()]
            else:
                answer = _timed(built, request["block"])
        except Exception as error:
            traceback.print_exc()
            answer = {"failed": f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"[:200]}
        print(json.dumps(answer), file=answers, flush=True)
        if isinstance(answer, dict):
            return


def _timed(built: Built, steps: int) -> float:
    start = time.perf_counter()
    for _ in range(steps):
        built.step()
    return (time.perf_counter() - start) / steps


if __name__ == "__main__":
    _serve(Side(**json.loads(sys.argv[1])))
