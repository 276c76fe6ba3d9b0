"""Whether Winograd's transforms change what training arrives at: `python -m benchmarks.winograd`.

A ResNet-18 of width 16 learns the digits, enlarged to 32×32, for 200 steps from each of five seeds, with the transforms and without.
A seed gives both the same initial weights and batches. Compared are mean losses over the last 20 steps, less noisy than the last one.
`--rounding` prints instead how far single layers are from the same layers in float64.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from typing import Any

from benchmarks import networks
from benchmarks.record import record

__all__ = ["main", "rounding", "train"]

_SEEDS, _STEPS, _LAST, _BATCH = 5, 200, 20, 32


def _digits(dv: Any) -> tuple[Any, Any]:
    from dovetail_vision.datasets import Digits

    digits = Digits(train=True)
    images = digits.data.float().unsqueeze(1) / 255
    large = dv.nn.functional.interpolate(images, size=(32, 32), mode="bilinear")
    return large.expand(-1, 3, -1, -1).contiguous(), digits.targets


def train(winograd: str, seed: int, steps: int, width: int = 16) -> list[float]:
    """The losses of a run."""
    import dovetail as dv

    dv.backends.cpu.winograd = winograd
    images, labels = _digits(dv)
    dv.manual_seed(seed)
    model, losses = networks.resnet18(dv, width), []
    optimizer = dv.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    for _ in range(steps):
        rows = dv.randint(0, len(images), (_BATCH,))
        loss = dv.nn.functional.cross_entropy(model(images[rows]), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def rounding(winograd: str, widths: tuple[int, ...] = (16, 64, 256)) -> float:
    """The largest error of 3×3 convolutions, as a share of each layer's largest result in float64."""
    import dovetail as dv

    dv.backends.cpu.winograd, worst = winograd, 0.0
    for width in widths:
        dv.manual_seed(width)
        images, weight = dv.randn(4, width, 28, 28), dv.randn(width, width, 3, 3)
        exact = dv.nn.functional.conv2d(images.double(), weight.double(), padding=1)
        found = dv.nn.functional.conv2d(images, weight, padding=1).double()
        worst = max(worst, ((found - exact).abs().max() / exact.abs().max()).item())
    return worst


def main(arguments: list[str]) -> int:
    """Print and record the table; exit code 1 where with and without differ, for a seed or in the mean, by more than seeds do without."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.winograd", description=__doc__)
    parser.add_argument("--seeds", type=int, default=_SEEDS)
    parser.add_argument("--steps", type=int, default=_STEPS)
    parser.add_argument("--rounding", action="store_true")
    chosen = parser.parse_args(arguments)
    if chosen.rounding:
        print(f"largest error of a layer: {rounding('auto'):.0e} with the transforms, {rounding('off'):.0e} without")
        return 0
    rows = []
    print(f"{'seed':>4} {'with':>9} {'without':>9} {'apart':>9}   first step apart")
    for seed in range(chosen.seeds):
        runs = [train(winograd, seed, chosen.steps) for winograd in ("auto", "off")]
        one, other = (statistics.fmean(losses[-_LAST:]) for losses in runs)
        rows.append({"seed": seed, "auto": one, "off": other, "first": abs(runs[0][0] - runs[1][0])})
        print(f"{seed:4} {one:9.5f} {other:9.5f} {abs(one - other):9.5f}   {rows[-1]['first']:.1e}", flush=True)
    without = [row["off"] for row in rows]
    spread = max(without) - min(without)
    apart = abs(statistics.fmean(row["auto"] for row in rows) - statistics.fmean(without))
    met = max(apart, *(abs(row["auto"] - row["off"]) for row in rows)) <= spread
    print(f"means are {apart:.5f} apart; the spread of {len(rows)} seeds without is {spread:.5f}: {'within' if met else 'NOT within'}")
    record("winograd", {"rows": rows, "apart": apart, "spread": spread, "met": met}, steps=chosen.steps, last=_LAST)
    return int(not met)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
