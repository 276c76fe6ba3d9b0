"""docs/reliability.md from build/reliability.json, which `make soak` writes: `python -m benchmarks.reliability_page`."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from typing import Any

from benchmarks.record import ROOT

__all__ = ["main", "page"]

ROWS = {
    "S1": "safetensors files, mutated and made by hand",
    "S2": "the cost of headers",
    "S3": "ONNX models, mutated, and their external data",
    "S4": "hostile archives",
    "S6": "mutated `.npz` files",
    "S7": "mutated and crafted `.pt` files",
    "S8": "nothing is run by loading",
    "S9": "hostile configurations",
    "S10": "a scan of the sources for calls that turn data into code",
    "S11": "tiny files that declare gigabytes",
    "S13": "downloads from a server that fails in every way",
    "R1": "kills while checkpoints are written",
    "R2": "the order of system calls of every writer",
    "R3": "disks that are full or fail",
    "R4": "bit rot",
    "R5": "the cost of checksums",
    "R6": "saving in the background",
    "R7": "resuming bit for bit",
    "R8": "another number of workers after resuming",
    "R9": "files of earlier versions",
    "R10": "dead workers",
    "R11": "hung workers",
    "R12": "a main process that is killed",
    "R14": "20,000 steps",
    "R15": "memory that runs out",
    "R16": "where a NaN began",
    "N1": "gradients against differences",
    "N2": "wrong input",
    "N3": "skips and tolerances",
}
_COUNT, _NUMBER = re.compile(r"([\d,]+)(?: of |/)([\d,]+)"), re.compile(r"(-?\d+(?:\.\d*)?(?:e-?\d+)?)( ?%| [kMG]?B)?")
_HEAD = """# Reliability

What is promised of files, checkpoints, workers and numbers, and what was measured. `make soak` measures it again and writes this page;
every commit runs a tenth or less of each count.

"""


def page(report: dict[str, Any]) -> str:
    """The page as Markdown: a table of the figures, the cases of one bar in a line. ``build/reliability.json`` has each."""
    where = f"Measured on {report['date']}: {report['machine']}, {report['cores']} cores."
    lines = [
        f"{where}{' **Some tests failed.**' if report['failed'] else ''}\n",
        "| bar | what | measured | promised |",
        "|---|---|---:|---:|",
    ]
    figures = report["figures"]
    order = sorted({figure["row"] for figure in figures}, key=lambda row: (row[0], int("0" + "".join(filter(str.isdigit, row)))))
    for row in order:
        mine = [figure for figure in figures if figure["row"] == row]
        for figure in _together(mine):
            cells = (row, f"{ROWS[row]}: {figure['what']}" if row in ROWS else figure["what"], _short(figure["value"]), figure["bar"])
            lines.append("| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |")
    return _HEAD + "\n".join(lines) + "\n"


def _short(value: Any) -> Any:
    """Long fractions to three digits."""
    return f"{value:.3g}" if isinstance(value, float) and len(str(value)) > 8 else value


def _together(figures: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Cases of one bar as one: counts are added; of numbers the largest is shown, or, where the bar is the least (``≥``), the smallest."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for figure in figures:
        groups.setdefault(figure["bar"], []).append(figure)
    return [figure for group in groups.values() for figure in _merged(group)]


def _merged(group: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Three or more figures of one bar as one, where they can be compared or came out alike; else as they are."""
    first, many = group[0], f"{len(group)} cases"
    if len(group) < 3:
        return group
    if len({str(figure["value"]) for figure in group}) == 1 and not _COUNT.fullmatch(str(first["value"])):
        return [{**first, "what": f"{many}, such as: {first['what']}"}]
    if counts := _all(_COUNT.fullmatch, group):
        right, of = (sum(int(found[i].replace(",", "")) for found in counts) for i in (1, 2))
        return [{**first, "what": f"{many}, such as: {first['what']}", "value": f"{right} of {of}"}]
    if (numbers := _all(_NUMBER.fullmatch, group)) and len({found[2] for found in numbers}) == 1:
        worst = (min if first["bar"].startswith("≥") else max)(zip(numbers, group, strict=True), key=lambda pair: float(pair[0][1]))[1]
        return [{**worst, "what": f"{many}, the worst: {worst['what']}"}]
    return group


def _all(match: Callable[[str], Any], group: list[dict[str, Any]]) -> list[Any]:
    """What each value matches; nothing where one does not."""
    found = [match(str(figure["value"])) for figure in group]
    return found if all(found) else []


def main() -> int:
    """Write the page; 1 where nothing was measured."""
    source = ROOT / "build" / "reliability.json"
    if not source.exists():
        print(f"there is no {source.relative_to(ROOT)}; run: make soak", file=sys.stderr)
        return 1
    (ROOT / "docs" / "reliability.md").write_text(page(json.loads(source.read_text(encoding="utf-8"))), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
