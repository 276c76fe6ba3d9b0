"""Overhead on small tensors, beside PyTorch: what an op, its recording and its backward cost; "Python": without the compiled twin.

Bars: the chain at or under 0.9 of PyTorch's time, the MLP step at or under 0.5.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict

from benchmarks.duel import Effort, Side, against, race
from benchmarks.record import record
from benchmarks.workloads import tolerance

__all__ = ["BARS", "main"]

BARS = {"chain 8x8": 0.9, "chain 8x8, forward": 0.0, "MLP 4-128-128-2": 0.5}


def main(arguments: list[str]) -> int:
    """Print and record the table; exit code 1 when a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overhead", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.15, help="of a block")
    chosen = parser.parse_args(arguments)
    effort, rows, sides = Effort(chosen.rounds, chosen.seconds), [], [Side(), Side("torch"), Side(twin=False)]
    print(f"{'case':22} {'ours us':>10} {'torch us':>10} {'ratio':>8}   range       {'Python us':>10}   bar")
    for case, bar in BARS.items():
        times, _ = race(case, sides, tolerance(case), effort)
        r, plain = (against(times[sides[0]], times[side]) for side in sides[1:])
        met = not bar or 1 / r.speed <= bar
        rows.append({"case": case, **asdict(r), "python": plain.theirs, "bar": bar, "met": met})
        told = f"{bar} {'met' if met else 'MISSED'}" if bar else ""
        print(
            f"{case:22} {r.ours * 1e6:10.0f} {r.theirs * 1e6:10.0f} {1 / r.speed:8.3f}   {1 / r.high:.2f}-{1 / r.low:.2f}   "
            f"{plain.theirs * 1e6:10.0f}   {told}",
            flush=True,
        )
    record("overhead", rows, **asdict(effort))
    return int(not all(row["met"] for row in rows))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
