"""What the search for NaN costs: a training step inside `nonfinite_check`, and one with `check_finite`, against a plain one."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import dovetail as dv
from benchmarks.record import record

__all__ = ["main"]

BARS = {"nonfinite_check": 1.5, "check_finite": 1.1}


def steps() -> dict[str, Callable[[], None]]:
    """A step of a network of convolutions and layers, plain and with each check."""
    from dovetail.train import check_finite, nonfinite_check

    nn = dv.nn
    dv.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(1024, 256), nn.GELU(), nn.Linear(256, 10),
    )  # fmt: skip
    x, y, optimizer = dv.randn(32, 3, 32, 32), dv.randint(0, 10, (32,)), dv.optim.SGD(net.parameters(), lr=1e-3)

    def step(check: Callable[[Any, Any], None] | None = None) -> None:
        loss = nn.functional.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        if check is not None:
            check(loss, net)
        optimizer.step()

    def hunted() -> None:
        with nonfinite_check():
            step()

    return {"plain": step, "nonfinite_check": hunted, "check_finite": lambda: step(check_finite)}


def main(rounds: int = 8) -> int:
    """Print step times and their ratio to the plain one; exit code 1 when a bar is missed."""
    made = steps()
    times: dict[str, list[float]] = {name: [] for name in made}
    for _ in range(4):
        for name, step in made.items():
            for turn in range(rounds):
                began = time.perf_counter()
                step()
                if turn > 1:  # the first steps after another kind find other things in the caches
                    times[name].append(time.perf_counter() - began)
    medians = {name: statistics.median(values) for name, values in times.items()}
    code = 0
    for name, median in medians.items():
        ratio, bar = median / medians["plain"], BARS.get(name)
        code |= bar is not None and ratio > bar
        print(f"{name:16} {median * 1e3:8.2f} ms  {ratio:.2f}x{'' if bar is None else f' (bar {bar})'}")
    record("nonfinite", {name: round(median / medians["plain"], 3) for name, median in medians.items()})
    return int(code)
