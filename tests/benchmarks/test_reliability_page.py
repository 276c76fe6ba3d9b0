"""The page of measured figures, and the benchmark of saving in the background at a small size."""

from __future__ import annotations

from benchmarks import checkpoint
from benchmarks.reliability_page import page


def test_the_page_has_a_line_a_figure_and_one_for_many_cases_that_are_alike():
    figures = [
        {"row": "R10", "what": "a|b", "value": 1, "bar": "2"},
        *({"row": "R3", "what": f"case {i}", "value": "kept", "bar": "50"} for i in range(3)),
    ]
    text = page({"date": "2026-01-02", "machine": "Linux", "cores": 2, "failed": True, "figures": figures})
    lines = [line for line in text.splitlines() if line.startswith("| R")]
    assert lines == ["| R3 | disks that are full or fail: 3 cases, all | kept | 50 |", "| R10 | dead workers: a\\|b | 1 | 2 |"]
    assert "Measured on 2026-01-02: Linux, 2 cores. **Some tests failed.**" in text


def test_saving_in_the_background_is_measured():
    found = checkpoint.measure(64, 2, 1)
    assert found["MB"] == 64 and found["step"] > 0 and found["copies"] < 4
