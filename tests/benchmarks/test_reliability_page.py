"""The page of measured figures, and the benchmark of saving in the background at a small size."""

from __future__ import annotations

from benchmarks import checkpoint
from benchmarks.reliability_page import page


def lines(*figures):
    rows = [dict(zip(("row", "what", "value", "bar"), figure, strict=True)) for figure in figures]
    text = page({"date": "2026-01-02", "machine": "Linux", "cores": 2, "failed": True, "figures": rows})
    assert "Measured on 2026-01-02: Linux, 2 cores. **Some tests failed.**" in text
    return [line for line in text.splitlines() if line.startswith("| R")]


def test_the_page_has_a_line_a_figure_and_one_for_many_cases_that_are_alike():
    found = lines(("R10", "a|b", 1, "2"), *(("R3", f"case {i}", "kept", "50") for i in range(3)))
    assert found == ["| R3 | disks that are full or fail: 3 cases, such as: case 0 | kept | 50 |", "| R10 | dead workers: a\\|b | 1 | 2 |"]


def test_the_cases_of_one_bar_are_one_line():
    found = lines(*(("R10", f"how {i}", i / 100, "1 s") for i in (3, 12, 7)))
    assert found == ["| R10 | dead workers: 3 cases, the worst: how 12 | 0.12 | 1 s |"]
    found = lines(*(("R7", f"kind {i}", f"{i} of 1,025", "3075") for i in (1025, 1024, 1025)))
    assert found == ["| R7 | resuming bit for bit: 3 cases, such as: kind 1025 | 3074 of 3075 | 3075 |"]
    found = lines(*(("R2", f"how {i}", i / 100, "≥ 0.05") for i in (13, 12, 17)))
    assert found == ["| R2 | the order of system calls of every writer: 3 cases, the worst: how 12 | 0.12 | ≥ 0.05 |"]
    assert lines(("R10", "norms", 6.260305410210475e-16, "1e-12")) == ["| R10 | dead workers: norms | 6.26e-16 | 1e-12 |"]
    assert len(lines(*(("R14", f"what {i}", value, "5 MB") for i, value in enumerate(("900 kB", "1 MB", "3 MB"))))) == 3
    assert len(lines(*(("R14", f"what {i}", value, "as before") for i, value in enumerate(("(17, 1)", "1 MB", "3"))))) == 3


def test_saving_in_the_background_is_measured():
    found = checkpoint.measure(64, 2, 1)
    assert found["MB"] == 64 and found["step"] > 0 and found["copies"] < 4
