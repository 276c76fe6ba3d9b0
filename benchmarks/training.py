"""Whole steps beside PyTorch and others, in columns: `python -m benchmarks.training --columns eager,exact,avx2,compile --only mlp`.

Speed-up is the other's time over ours, the framework's overhead included. Results are compared with PyTorch's before anything is timed.
"""

from __future__ import annotations

import argparse
import math
import sys
from dataclasses import asdict, dataclass, field

from benchmarks.duel import Effort, Side, against, race
from benchmarks.record import figures, record
from benchmarks.workloads import CASES, tolerance

__all__ = ["COLUMNS", "Column", "main"]

_CONVOLUTIONAL = ("ResNet-18 training", "ResNet-18 inference", "MNIST CNN")
_NOT_HERE = ("chain 8x8, forward",)  # benchmarks.overhead has it
_USUAL_CASES = tuple(case for case in CASES if case not in _NOT_HERE)
#: What benchmarks/peers has.
_IN_JAX = tuple(case for case in _USUAL_CASES if "ResNet" not in case and "dropout" not in case)
_IN_TINYGRAD = ("MNIST CNN", "MLP 784-256-10", "MLP 4-128-128-2", "VAE", "chain 8x8")


@dataclass
class Column:
    """Two sides, and the least speed-ups on a quiet machine: by case, of any case, and of the geometric mean."""

    about: str
    ours: Side
    theirs: Side
    bars: dict[str, float] = field(default_factory=dict)
    floor: float = 0.0
    mean: float = 0.0
    cases: tuple[str, ...] = _USUAL_CASES

    def bar(self, case: str) -> float:
        """The least speed-up of a case; 0 where there is none."""
        return 0.0 if "dropout" in case else self.bars.get(case, self.floor)


_EAGER = {
    "ResNet-18 training": 1.3, "ResNet-18 inference": 1.5, "MNIST CNN": 1.8, "MLP 784-256-10": 2.0, "MLP 4-128-128-2": 2.5, "VAE": 1.5,
    "GPT training": 1.05, "GPT inference": 1.05, "LSTM": 1.2, "chain 8x8": 1.4,
}  # fmt: skip
_TORCH = Side("torch")
COLUMNS = {
    "eager": Column("PyTorch eager", Side(), _TORCH, _EAGER, 1.0, 1.5),
    "exact": Column("PyTorch eager, ours without Winograd's transforms", Side(winograd="off"), _TORCH, {}, 0.95, 0.0, _CONVOLUTIONAL),
    "avx2": Column("PyTorch eager, both held to AVX2", Side(isa="avx2"), Side("torch", isa="avx2"), {}, 0.9),
    "aten-avx2": Column("PyTorch with ATEN_CPU_CAPABILITY=avx2 alone, ours held to AVX2", Side(isa="avx2"), Side("torch", isa="aten")),
    "compile": Column(
        "torch.compile, ours under dovetail.compile", Side(compiled=True), Side("torch", compiled=True), {"chain 8x8": 3.0}, 1.0, 1.8
    ),
    "jax": Column("JAX, the whole step under jit", Side(), Side("jax"), cases=_IN_JAX),
    "tinygrad": Column("tinygrad, the whole step under TinyJit", Side(), Side("tinygrad"), cases=_IN_TINYGRAD),
}
_USUAL = "eager,exact,avx2,compile"


def measure(case: str, names: list[str], effort: Effort) -> list[dict[str, object]]:
    """The rows of one case: all its sides run in turn, so that columns share what they have in common."""
    columns = [(name, COLUMNS[name]) for name in names if case in COLUMNS[name].cases]
    sides = dict.fromkeys([_TORCH, *(side for _, c in columns for side in (c.ours, c.theirs))])  # the first is the reference
    times, failed = race(case, list(sides), tolerance(case), effort)
    rows: list[dict[str, object]] = []
    for name, column in columns:
        bar = column.bar(case)
        why = failed.get(column.ours) or failed.get(column.theirs)
        if why:
            rows.append({"case": case, "column": name, "bar": bar, "not run": why, "met": not (bar and column.ours in failed)})
            continue
        found = against(times[column.ours], times[column.theirs])
        rows.append({"case": case, "column": name, **asdict(found), "bar": bar, "met": found.speed >= bar, **asdict(effort)})
    return rows


def means(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """The geometric mean of each column over the cases that count, with its bar."""
    found: list[dict[str, object]] = []
    for name, column in COLUMNS.items():
        speeds = [row["speed"] for row in rows if row["column"] == name and "speed" in row and "dropout" not in str(row["case"])]
        if len(speeds) > 1:
            mean = math.exp(sum(math.log(float(s)) for s in speeds) / len(speeds))  # type: ignore[arg-type]
            found.append({"column": name, "speed": mean, "cases": len(speeds), "bar": column.mean, "met": mean >= column.mean})
    return found


def _line(row: dict[str, object]) -> str:
    title = f"{row['case']:22} {row['column']:9}"
    if "not run" in row:
        return f"{title} not run: {row['not run']}"
    told = "" if not row["bar"] else f"{row['bar']} {'met' if row['met'] else 'MISSED'}"
    return "{} {:10.0f} {:10.0f} {:8.2f}   {:11} {}".format(
        title, row["ours"] * 1e6, row["theirs"] * 1e6, row["speed"], f"{row['low']:.2f}-{row['high']:.2f}", told  # type: ignore[operator]
    )  # fmt: skip


def main(arguments: list[str]) -> int:
    """Print the table and record it; exit code 1 when a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training", description=__doc__)
    parser.add_argument("--columns", default=_USUAL, help=f"some of {', '.join(COLUMNS)} (default: {_USUAL})")
    parser.add_argument("--only", default="", help="parts of cases' names, with commas between")
    parser.add_argument("--rounds", type=int, default=Effort.rounds)
    parser.add_argument("--seconds", type=float, default=Effort.seconds, help="of a block")
    chosen = parser.parse_args(arguments)
    names = chosen.columns.split(",")
    if unknown := [name for name in names if name not in COLUMNS]:
        parser.error(f"there is no column {unknown[0]}")
    effort, rows = Effort(chosen.rounds, chosen.seconds), []
    print(f"{'case':22} {'column':9} {'ours us':>10} {'theirs us':>10} {'speed-up':>8}   range       bar")
    for case in CASES:
        wanted = any(part.strip().lower() in case.lower() for part in chosen.only.split(","))
        if wanted and any(case in COLUMNS[name].cases for name in names):
            found = measure(case, names, effort)
            print("\n".join(map(_line, found)), flush=True)
            rows += found
    everything = _with_those_before(rows)
    averages = means(everything)
    for row in averages:
        bar = f" (bar {row['bar']})" if row["bar"] else ""
        print(f"{row['column']}: geometric mean over {row['cases']} cases {row['speed']:.2f}{bar}")
    record("training", {"rows": everything, "means": averages})
    return int(not all(row["met"] for row in rows + averages))


def _with_those_before(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """These rows and, of cases and columns that are not among them, the recorded ones; in the order of the tables."""
    new = {(row["case"], row["column"]): row for row in rows}
    old = {(row["case"], row["column"]): row for row in figures().get("training", {}).get("found", {}).get("rows", [])}
    return [(old | new)[key] for key in ((case, name) for case in CASES for name in COLUMNS) if key in old | new]


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
