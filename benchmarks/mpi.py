"""Training on two ranks beside two independent processes, by `python -m benchmarks.mpi`: throughput, and when gradients travel.

Both sides run in one job, in turns: plain models on both ranks at once, then DistributedDataParallel with the same batches. The share is
the time of the first over that of the second; 1 would be communication that costs nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

__all__ = ["main"]

BAR = 0.9
CASES = {"GPT 4x256": "gpt", "ResNet-18": "resnet"}


def _case(name: str) -> tuple[Any, Callable[[Any], Any]]:
    """A model and what makes a loss of it."""
    import dovetail as dv
    from benchmarks import networks

    dv.manual_seed(0)
    if name == "gpt":
        model, tokens = networks.gpt(dv, 256, 128, 4, 8), dv.randint(0, 65, (8, 129))
        loss = dv.nn.functional.cross_entropy
        return model, lambda m: loss(m(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())
    model, images, labels = networks.resnet18(dv, 64), dv.randn(16, 3, 32, 32), dv.randint(0, 10, (16,))
    return model, lambda m: dv.nn.functional.cross_entropy(m(images), labels)


def _rank(name: str, rounds: int) -> None:
    """What each rank runs."""
    import copy

    import dovetail as dv
    from dovetail import distributed
    from dovetail.nn.parallel import DistributedDataParallel

    distributed.init_process_group("mpi")
    model, loss = _case(name)
    sides = [model, DistributedDataParallel(copy.deepcopy(model), gradient_as_bucket_view=True)]
    optimizers = [dv.optim.AdamW(side.parameters(), lr=1e-4) for side in sides]
    times: list[list[float]] = [[], []]
    for turn in range(rounds + 1):
        for side, optimizer, found in zip(sides, optimizers, times, strict=True):
            distributed.barrier()
            start = time.perf_counter()
            for _ in range(3):
                optimizer.zero_grad()
                loss(side).backward()
                optimizer.step()
            distributed.barrier()
            if turn:
                found.append((time.perf_counter() - start) / 3)
    reducer: Any = sides[1].reducer
    end = reducer.filled
    trace = [[round((begun - end) * 1e3, 2), round((done - end) * 1e3, 2)] for begun, done in reducer.trace]
    sizes = [bucket.flat.nbytes for bucket in reducer.buckets]
    if distributed.get_rank() == 0:
        print("RESULT " + json.dumps({"times": times, "trace": trace, "bytes": sizes}), flush=True)


def main() -> None:
    """Run each case in a job of two ranks, one thread each, and print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--only", choices=CASES.values())
    parser.add_argument("--rank", choices=CASES.values(), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.rank:
        _rank(arguments.rank, arguments.rounds)
        return
    for title, name in CASES.items():
        if arguments.only not in (None, name):
            continue
        program = ["-m", "benchmarks.mpi", "--rank", name, "--rounds", str(arguments.rounds)]
        command = [sys.executable, "-m", "dovetail", "launch", "-n", "2", "--threads", "1", "--no-prefix", *program]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))
        lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
        if not lines:
            sys.exit(done.stdout + done.stderr)
        found = json.loads(lines[0].removeprefix("RESULT "))
        alone, together = (statistics.median(times) for times in found["times"])
        print(f"{title}: {alone * 1e3:.0f} ms alone, {together * 1e3:.0f} ms with gradients averaged: {alone / together:.3f} (bar {BAR})")
        for size, (begun, ended) in zip(found["bytes"], found["trace"], strict=True):
            print(f"  bucket of {size / 1e6:6.2f} MB on its way from {begun:8.2f} to {ended:8.2f} ms, 0 when all buckets are full")


if __name__ == "__main__":
    main()
