"""A long training takes no more memory, files or threads at its end than at its beginning, and leaves no cycles with tensors."""

from __future__ import annotations

import gc
import os
import threading
import time
from pathlib import Path

import pytest

import dovetail as dv
from dovetail import nn
from dovetail.utils.data import DataLoader
from dovetail_train import MetricsFile, Trainer
from tests.support.figures import note

from .conftest import Net, Noisy

PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


def now() -> tuple[float, int, int]:
    """Megabytes in memory, open files, threads."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    files, threads = zip(*(counted() for _ in range(20)), strict=True)  # what writes a checkpoint comes and goes
    return pages * PAGE / 1e6, min(files), min(threads)


def counted() -> tuple[int, int]:
    time.sleep(0.01)
    return len(os.listdir("/proc/self/fd")), threading.active_count()


class Watch:
    """Notes memory, files and threads at two steps, and what a collection then frees."""

    def __init__(self, first: int, last: int) -> None:
        self.steps, self.seen = (first, last), []
        self.cycles = -1

    def step_end(self, state):
        if state.step in self.steps:
            if state.step == self.steps[1]:
                gc.set_debug(gc.DEBUG_SAVEALL)
                gc.collect()
                self.cycles = sum(isinstance(one, dv.Tensor) for one in gc.garbage)
                gc.set_debug(0)
                gc.garbage.clear()
            self.seen.append(now())


def long_training(steps: int, folder: Path) -> tuple[float, Watch]:
    """Train that many steps, with evaluations, checkpoints and metrics; how memory grows in 1,000 steps."""
    dv.manual_seed(0)
    model, watch = Net(), Watch(steps // 4, steps - 1)
    loader = DataLoader(Noisy(400), batch_size=8, shuffle=True)
    optimizer = dv.optim.AdamW(model.parameters(), lr=0.001)
    options = {"checkpoints": folder, "save_every": 500, "clip_grad_norm": 1.0, "seed": 0}
    callbacks = [MetricsFile(folder / "metrics.jsonl", 10), watch]
    gc.collect()
    gc.disable()  # what is not freed by counting references would pile up
    try:
        Trainer(model, nn.MSELoss(), optimizer, loader, DataLoader(Noisy(40), 8), epochs=steps // 50, callbacks=callbacks, **options).fit()
    finally:
        gc.enable()
    (first, *_), (last, *_) = watch.seen
    return (last - first) / (steps * 0.75 / 1000), watch


def check(steps: int, folder: Path) -> None:
    slope, watch = long_training(steps, folder)
    note("R14", f"Trainer, {steps:,} steps: memory in 1,000 steps", f"{slope:.2f} MB", "1 MB")
    note("R14", f"Trainer, {steps:,} steps: open files and threads", str(watch.seen[1][1:]), f"as before, {watch.seen[0][1:]}")
    note("R14", f"Trainer, {steps:,} steps: tensors that a collection frees", watch.cycles, "0")
    assert slope <= 1.0 and watch.seen[0][1:] == watch.seen[1][1:] and watch.cycles == 0


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the system has no /proc")
def test_a_training_stays_as_large_as_it_is(tmp_path):
    check(2_000, tmp_path)


@pytest.mark.soak
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the system has no /proc")
def test_a_long_training_stays_as_large_as_it_is(tmp_path):
    check(20_000, tmp_path)
