"""`compile` beside `torch.compile`, both warm: the models of benchmarks.training with the loss compiled, and chains of pointwise functions.

Bars: a geometric mean of 1.8, none under 1.0, the small chain 3. Run as ``python -m benchmarks.compiled [NAME …]``.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any
from unittest import mock

from benchmarks import training
from benchmarks.duel import duel
from benchmarks.overhead import Built

__all__ = ["BARS", "CASES", "main"]


def _compiled(build: Callable[[Any], Built]) -> Callable[[Any], Built]:
    """The case with its loss, or the model in evaluation, compiled."""
    trained, inferred = training._trained, training._inferred

    def made(torch: Any) -> Built:
        with (
            mock.patch.object(training, "_trained", lambda t, model, optimizer, loss: trained(t, model, optimizer, t.compile(loss))),
            mock.patch.object(training, "_inferred", lambda t, model, x: inferred(t, t.compile(model), x)),
        ):
            step, result = build(torch)
        for _ in range(3):
            step()
        return step, result

    return made


def small_chain(torch: Any) -> Built:
    """100 × (mul, add, tanh) on 8×8 with gradient, forward and backward."""
    a, b = torch.randn(8, 8, requires_grad=True), torch.randn(8, 8)

    @torch.compile
    def chain(a: Any, b: Any) -> Any:
        x = a
        for _ in range(100):
            x = torch.tanh(x * b + a)
        return x.sum()

    def step() -> None:
        a.grad = None
        chain(a, b).backward()

    return step, lambda: a.grad.flatten().tolist()


def large_chain(torch: Any) -> Built:
    """gelu(x·a + b)·m on a million elements, forward and backward."""
    x, a, b, m = (torch.randn(1024, 1024, requires_grad=k == 0) for k in range(4))
    chain = torch.compile(lambda x: torch.nn.functional.gelu(x * a + b) * m)
    g = torch.ones(1024, 1024)

    def step() -> None:
        x.grad = None
        chain(x).backward(g)

    return step, lambda: x.grad[0, :64].tolist()


CASES: dict[str, Callable[[Any], Built]] = {
    **{name: _compiled(build) for name, build in training.CASES.items() if "dropout" not in name and "chain" not in name},
    "chain 8x8": small_chain, "chain 1024x1024": large_chain,
}  # fmt: skip
BARS = {**dict.fromkeys(CASES, 1.0), "chain 8x8": 3.0}


def main(names: list[str]) -> int:
    """Print the table; exit code 1 when a bar is missed."""
    chosen = [case for case in CASES if not names or any(name.lower() in case.lower() for name in names)]
    print(f"{'case':34} {'ours us':>10} {'torch us':>10} {'speed-up':>8}   range        bar")
    speeds = {}
    for case in chosen:
        r = duel("benchmarks.compiled", case, rounds=9, seconds=0.5, tolerance=2e-2 if "ResNet" in case else 2e-3)
        speeds[case] = 1 / r.ratio
        told = f"{BARS[case]} {'missed' if speeds[case] < BARS[case] else 'met'}"
        row = f"{case:34} {r.ours * 1e6:10.0f} {r.theirs * 1e6:10.0f} {speeds[case]:8.2f}   {1 / r.high:.2f}-{1 / r.low:.2f}    {told}"
        print(row, flush=True)
    mean = math.exp(sum(map(math.log, speeds.values())) / len(speeds))
    print(f"geometric mean {mean:.2f} (bar 1.8)")
    return int(any(speeds[c] < BARS[c] for c in chosen) or (len(chosen) == len(CASES) and mean < 1.8))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
