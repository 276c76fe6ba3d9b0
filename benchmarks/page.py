"""Tables of docs/performance.md, docs/native-kernels.md and docs/choosing.md from build/bench.json: `python -m benchmarks.page`.

A table stands between the lines `<!-- figures: NAME -->` and `<!-- end of figures -->`; whatever is there is replaced.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.record import ROOT, figures

__all__ = ["TABLES", "main", "written"]

PAGES = (ROOT / "docs" / "performance.md", ROOT / "docs" / "native-kernels.md", ROOT / "docs" / "choosing.md")
_PLACE = re.compile(r"(<!-- figures: (\w+) -->\n).*?(<!-- end of figures -->)", re.DOTALL)
_KINDS = {"eager": "PyTorch eager", "exact": "exact", "avx2": "AVX2", "compile": "`torch.compile`", "jax": "JAX", "tinygrad": "tinygrad"}


def _table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [f"| {' | '.join(heads)} |", "|---|" + "---:|" * (len(heads) - 1), *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines) + "\n"


def _time(seconds: float) -> str:
    return f"{seconds * 1e3:.3g} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.0f} µs"


def _speed(row: dict[str, Any] | None) -> str:
    if row is None:
        return ""
    if "speed" not in row:
        return "not run"
    return f"**{row['speed']:.2f}**" if row["speed"] >= 1 else f"{row['speed']:.2f}"


def training(section: dict[str, Any]) -> str:
    """Speed-ups by case and column, and their geometric means."""
    found = {(row["case"], row["column"]): row for row in section["found"]["rows"]}
    names = [name for name in _KINDS if any(name == column for _, column in found)]
    rows = []
    for case in dict.fromkeys(case for case, _ in found):
        eager = found.get((case, "eager"), {})
        times = [_time(eager[key]) if key in eager else "" for key in ("ours", "theirs")]
        rows.append([case, *times, *(_speed(found.get((case, name))) for name in names)])
    means = {row["column"]: row for row in section["found"]["means"]}
    rows.append(["geometric mean", "", "", *(_speed(means.get(name)) for name in names)])
    return _table(["step", "ours", "PyTorch", *(_KINDS[name] for name in names)], rows) + f"\n{section['machine']}.\n"


def bars(section: dict[str, Any]) -> str:
    """What was asked of the speed-ups, and whether it was seen."""
    rows = []
    for row in [*section["found"]["rows"], *section["found"]["means"]]:
        if row["bar"]:
            seen = f"{row['speed']:.2f}" if "speed" in row else "not run"
            spread = f"{row['low']:.2f} to {row['high']:.2f}" if "low" in row else ""
            rows.append(
                [row.get("case", "geometric mean"), row["column"], f"{row['bar']}", seen, spread, "yes" if row["met"] else "**no**"]
            )
    return _table(["step", "column", "bar", "seen", "range", "met"], rows)


def memory(section: dict[str, Any]) -> str:
    """Bytes at the peak of a step."""
    rows = []
    for row in section["found"]:
        sizes = [f"{row[key] / 1e6:.2f}" if key in row else "" for key in ("live", "torch live", "resident", "torch resident")]
        rows.append([row["case"], *sizes[:2], f"{row['live'] / row['torch live']:.2f}", *sizes[2:]])
    return _table(["step", "live, MB", "PyTorch", "ratio", "resident, MB", "PyTorch"], rows)


def overhead(section: dict[str, Any]) -> str:
    """Times of small steps."""
    rows = [
        [row["case"], _time(row["ours"]), _time(row["python"]), _time(row["theirs"]), f"{1 / row['speed']:.2f}", f"{row['bar'] or ''}"]
        for row in section["found"]
    ]
    return _table(["step", "ours", "without the twin", "PyTorch", "ours / PyTorch's", "bar"], rows)


def first_step(section: dict[str, Any]) -> str:
    """Seconds of whole processes."""
    row = section["found"]
    values = [f"{row['ours']:.2f} s", f"{row['theirs']:.2f} s", f"{row['speed']:.1f}", f"{row['bar']}"]
    return _table(["", "ours", "PyTorch", "times sooner", "bar"], [["import, build, one step", *values]])


def footprint(section: dict[str, Any]) -> str:
    """What frameworks take before they do anything."""
    rows = [
        [name, f"{row['bytes'] / 1e6:.0f}", f"{row['import']:.2f}", f"{row['memory'] / 1e6:.0f}"] for name, row in section["found"].items()
    ]
    return _table(["", "on disk, MB", "import, s", "memory after it, MB"], rows) + f"\n{section['machine']}.\n"


def winograd(section: dict[str, Any]) -> str:
    """Losses after training, by seed."""
    found, rows = section["found"], []
    for row in found["rows"]:
        apart = f"{abs(row['auto'] - row['off']):.4f}"
        rows.append([str(row["seed"]), f"{row['auto']:.4f}", f"{row['off']:.4f}", apart, f"{row['first']:.0e}"])
    spread = f"\nThe means are {found['apart']:.4f} apart; the five seeds without the transforms spread over {found['spread']:.4f}.\n"
    return _table(["seed", "with", "without", "apart", "apart at the first step"], rows) + spread


_PICTURES = {
    "batch": ("time per sample against the batch, for three models", "Time per sample of a training step against the batch."),
    "width": ("time of a step against the width of a hidden layer", "Time of a training step against the width of the hidden layer."),
    "threads": ("one thread against two, for five models", "How much sooner a step is done with two threads than with one."),
}


def growth(section: dict[str, Any]) -> str:
    """The pictures that were drawn."""
    places = []
    for name in section["found"]:
        alt, about = _PICTURES[name]
        places.append(f":::{{figure}} _static/performance/{name}.svg\n:alt: {alt}, Dovetail and PyTorch\n\n{about}\n:::\n")
    return "\n".join(places)


def ops(section: dict[str, Any]) -> str:
    """Single ops by how they compare, the slowest of ours first, two beside each other, and their means."""
    cells = [[name, *(f"{row[what]:.2f}" for what in ("forward", "step"))] for name, row in section["found"].items()]
    cells.sort(key=lambda cell: float(cell[2]))
    half = (len(cells) + 1) // 2
    rows = [[*left, *right] for left, right in zip(cells[:half], [*cells[half:], ["", "", ""]], strict=False)]
    means, slower = section["means"], sum(float(cell[2]) < 1 for cell in cells)
    said = f"{len(cells)} ops, {slower} of them slower than PyTorch's with backward; geometric means {means['forward']:.2f} forward"
    return f"{said}, {means['step']:.2f} with backward.\n\n" + _table(["op", "forward", "with backward"] * 2, rows)


TABLES: dict[str, tuple[str, Callable[[dict[str, Any]], str]]] = {
    "training": ("training", training), "bars": ("training", bars), "memory": ("memory", memory), "overhead": ("overhead", overhead),
    "first_step": ("first_step", first_step), "winograd": ("winograd", winograd), "growth": ("growth", growth), "ops": ("ops", ops),
    "footprint": ("footprint", footprint),
}  # fmt: skip


def written(text: str, found: dict[str, Any]) -> str:
    """A page with its tables replaced; a table whose section was not measured stays. Raises a KeyError for an unknown name."""

    def replaced(match: re.Match[str]) -> str:
        section, table = TABLES[match[2]]
        return match[1] + "\n" + table(found[section]) + "\n" + match[3] if section in found else match[0]

    return _PLACE.sub(replaced, text)


def main() -> int:
    """Rewrite the pages."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        new = written(text, figures())
        print(f"{Path(page).relative_to(ROOT)}: {'rewritten' if new != text else 'as it was'}")
        page.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
