"""How the cost of a training step grows with the batch, with the width and with threads: `python -m benchmarks.growth`, then the page.

Times go into build/growth.json, ours and PyTorch's taken in turn as everywhere here; pictures into docs/_static/performance.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.duel import Effort, Side, race
from benchmarks.record import ROOT, machine, record
from benchmarks.workloads import tolerance

__all__ = ["draw", "main"]

PATH, PICTURES = ROOT / "build" / "growth.json", ROOT / "docs" / "_static" / "performance"
_BATCHES, _WIDTHS, _THREADS = (1, 4, 16, 64, 256), (32, 64, 128, 256, 512, 1024), (1, 2)
_MOST = {"GPT training": 64}  # 256 texts take half a minute
_BY_BATCH = ("MLP 784-256-10", "MNIST CNN", "GPT training")
_BY_THREADS = ("MLP 784-256-10", "MNIST CNN", "ResNet-18 training", "GPT training", "LSTM")
_OURS, _THEIRS, _INK = "#c9742c", "#3b8f94", "#85796d"  # all three read on white and on near black


def _points(case: str, sizes: dict[str, int], threads: int, effort: Effort) -> dict[str, Any]:
    sides = [Side(threads=threads), Side("torch", threads=threads)]
    times, _ = race(case, sides, tolerance(case), effort, sizes)
    ours, theirs = (statistics.median(times[side]) for side in sides)
    print(f"{case:22} {sizes or ''!s:16} {threads} threads: ours {ours * 1e6:9.0f} us, torch {theirs * 1e6:9.0f} us", flush=True)
    return {"case": case, **sizes, "threads": threads, "ours": ours, "torch": theirs}


def measure(effort: Effort, kinds: list[str], cases: str) -> dict[str, Any]:
    """The points of the kinds "batch", "width" and "threads"."""
    found: dict[str, Any] = {"machine": machine(), **asdict(effort)}
    wanted = lambda case: any(part in case.lower() for part in cases.lower().split(","))  # noqa: E731
    if "batch" in kinds:
        found["batch"] = [
            _points(case, {"batch": n}, 2, effort) for case in filter(wanted, _BY_BATCH) for n in _BATCHES if n <= _MOST.get(case, 256)
        ]
    if "width" in kinds:
        found["width"] = [_points("MLP 784-256-10", {"width": n}, 2, effort) for n in _WIDTHS]
    if "threads" in kinds:
        found["threads"] = [_points(case, {}, n, effort) for case in filter(wanted, _BY_THREADS) for n in _THREADS]
    return found


def _axes(count: int) -> Any:
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    plain = dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "axes.titlecolor", "xtick.color", "ytick.color"), _INK)
    quiet = {"axes.spines.top": False, "axes.spines.right": False, "font.size": 9.5, "axes.titlesize": 10, "legend.frameon": False}
    fixed = {"svg.hashsalt": "dovetail", "svg.fonttype": "path"}
    plt.rcParams.update({**plain, **quiet, **fixed})
    return plt.subplots(1, count, figsize=(3.1 * count, 3), layout="constrained", squeeze=False)


def _save(figure: Any, name: str) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    figure.savefig(PICTURES / f"{name}.svg", transparent=True, metadata={"Date": None})


def _lines(name: str, panels: list[tuple[str, list[dict[str, Any]], str]], x: str, y: str) -> None:
    """One panel a case, logarithmic both ways, ours and PyTorch's."""
    figure, axes = _axes(len(panels))
    for axis, (title, points, per) in zip(axes[0], panels):
        at = [point[x] for point in points]
        for key, label, colour, marker in (("ours", "Dovetail", _OURS, "o"), ("torch", "PyTorch", _THEIRS, "s")):
            values = [point[key] * 1e6 / (point[per] if per else 1) for point in points]
            axis.plot(at, values, color=colour, marker=marker, markersize=4, linewidth=1.8, label=label)
        axis.set(xscale="log", yscale="log", title=title, xlabel=x, xticks=at, xticklabels=at)
        axis.minorticks_off()
    axes[0][0].set_ylabel(y)
    axes[0][0].legend()
    _save(figure, name)


def draw(found: dict[str, Any]) -> list[str]:
    """Make the pictures of the kinds that are there."""
    made = []
    if points := found.get("batch"):
        cases = dict.fromkeys(point["case"] for point in points)
        _lines("batch", [(case, [p for p in points if p["case"] == case], "batch") for case in cases], "batch", "µs per sample")
        made.append("batch")
    if points := found.get("width"):
        _lines("width", [("MLP 784-width-10, batch 64", points, "")], "width", "µs per step")
        made.append("width")
    if points := found.get("threads"):
        _bars(points)
        made.append("threads")
    return made


def _bars(points: list[dict[str, Any]]) -> None:
    """How much sooner a step is done with more threads."""
    figure, axes = _axes(2)
    cases = list(dict.fromkeys(point["case"] for point in points))
    for axis, (key, label, colour) in zip(axes[0], (("ours", "Dovetail", _OURS), ("torch", "PyTorch", _THEIRS))):
        one, two = ([next(p[key] for p in points if p["case"] == case and p["threads"] == n) for case in cases] for n in _THREADS)
        axis.barh(cases, [a / b for a, b in zip(one, two)], color=colour, height=0.6)
        axis.axvline(1, color=_INK, linewidth=0.8)
        axis.set(title=label, xlabel="time with 1 thread / with 2", xlim=(0, 2.2))
        axis.invert_yaxis()
    axes[0][1].set_yticklabels([])
    _save(figure, "threads")


def main(arguments: list[str]) -> int:
    """Measure, record and draw; `--draw` draws what was recorded."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("--kinds", default="batch,width,threads")
    parser.add_argument("--only", default="", help="parts of cases' names, with commas between")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.2, help="of a block")
    parser.add_argument("--draw", action="store_true")
    chosen = parser.parse_args(arguments)
    if chosen.draw:
        found = json.loads(PATH.read_text(encoding="utf-8"))
    else:
        before = json.loads(PATH.read_text(encoding="utf-8")) if PATH.exists() else {}  # kinds that are not measured now stay
        found = {**before, **measure(Effort(chosen.rounds, chosen.seconds), chosen.kinds.split(","), chosen.only)}
        PATH.parent.mkdir(exist_ok=True)
        PATH.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    made = draw(found)
    record("growth", made, rounds=found["rounds"], seconds=found["seconds"])
    for name in made:
        print(f"drawn: {Path(PICTURES / name).relative_to(ROOT)}.svg")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
