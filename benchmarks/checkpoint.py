"""Saving a 400-MB model in the background: how much training slows down, and how much memory is held."""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from typing import Any

import dovetail as dv
from benchmarks.record import record
from dovetail import nn
from dovetail.io.checkpoint import Checkpointer

__all__ = ["main"]

SLOWER, COPIES = 0.10, 1.15  # the bars; beside the one copy there are headers and what the allocator keeps


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _alone(run: Checkpointer, state: dict[str, Any]) -> list[float]:
    """Medians of seven saves with nothing beside them: seconds in the call, of a processor in the thread, and until the file is safe."""
    rows = []
    for _ in range(7):
        start = time.perf_counter()
        run.save(state)
        called, busy = time.perf_counter() - start, time.process_time()
        run.wait()
        rows.append((called, time.process_time() - busy, time.perf_counter() - start))
    return [statistics.median(column) for column in zip(*rows, strict=True)]


def _restored(run: Checkpointer, model: nn.Module) -> None:
    """Save while the model changes, and stop where the file does not hold what the model held at the call."""
    kept = {name: p.detach().clone() for name, p in model.named_parameters()}
    path = run.save({"model": model})
    with dv.no_grad():
        for p in model.parameters():
            p.add_(1e-6)
    run.wait()
    saved = dv.load(path)["state"]["model"]
    if not all(bool((saved[name] == value).all()) for name, value in kept.items()):
        raise SystemExit("the checkpoint does not hold what the model held when it was saved")
    model.load_state_dict(kept)


def measure(megabytes: int, steps: int, every: int) -> dict[str, Any]:
    """Train ``steps`` steps without and with a save every ``every`` steps, in turns."""
    width = 4096  # few layers: the gradients of a hundred would vanish
    layers = max(1, round(megabytes * 1e6 / (4 * width * width)))
    model = nn.Sequential(*(nn.Linear(width, width, bias=False) for _ in range(layers)))
    optimizer, x = dv.optim.SGD(model.parameters(), 1e-4), dv.randn(64, width)
    size = sum(p.numel() * 4 for p in model.parameters()) / 2**20

    def step() -> None:
        optimizer.zero_grad()
        model(x).square().mean().backward()
        optimizer.step()

    for _ in range(3):
        step()
    with tempfile.TemporaryDirectory() as folder, Checkpointer(folder, keep=1) as run:
        before = _peak()
        run.save({"model": model, "optimizer": optimizer}, wait=True)  # makes the copy's memory
        step()
        copies = (_peak() - before) / size
        _restored(run, model)
        slower, alone = [], _alone(run, {"model": model, "optimizer": optimizer})
        for _ in range(7):  # single pairs differ by ten percent where other machines share the memory
            times = []
            for saving in (False, True):
                start = time.perf_counter()
                for number in range(steps):
                    if saving and number % every == 0:
                        run.save({"model": model, "optimizer": optimizer})
                    step()
                times.append(time.perf_counter() - start)
                run.wait()
            slower.append(times[1] / times[0] - 1)
            print(f"  {steps} steps: {times[0]:.2f} s, with saving every {every}: {times[1]:.2f} s ({slower[-1]:+.1%})", flush=True)
    print(
        f"  a save alone: {alone[0]:.3f} s in the call, {alone[1]:.3f} s of a processor in the thread, {alone[2]:.2f} s until it is on disk"
    )
    return {
        "MB": round(size),
        "pause": alone[0],
        "thread": alone[1],
        "written": alone[2],
        "slower": statistics.median(slower),
        "copies": copies,
        "step": times[0] / steps,
        "every": every,
    }


def main(arguments: list[str]) -> int:
    """Measure, print and note; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(prog="benchmarks checkpoint")
    for name, value in (("--megabytes", 400), ("--steps", 20), ("--every", 10)):
        parser.add_argument(name, type=int, default=value)
    found = measure(**vars(parser.parse_args(arguments)))
    met = found["slower"] < SLOWER and found["copies"] < COPIES
    print(f"a model of {found['MB']} MiB: slower by {found['slower']:.1%} (bar {SLOWER:.0%}); {found['copies']:.2f} extra copies (bar 1)")
    record("checkpoint", found)
    return int(not met)


if __name__ == "__main__":
    raise SystemExit(main([]))
