"""The instruments: what disagrees is not timed, sides are what they say, figures are kept, pages are written from them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

import dovetail as dv
from benchmarks import footprint, ops, page, record
from benchmarks.duel import Effort, Side, against, race, worst_difference
from benchmarks.training import COLUMNS, means
from benchmarks.worker import framework
from benchmarks.workloads import CASES

QUICK, SMALL = Effort(1, 0.001), {"batch": 2, "width": 4}


def test_differences() -> None:
    assert worst_difference([1.0, 2.0], [1.0, 2.2]) == pytest.approx(0.2 / 2.2)
    assert worst_difference([1.0], [1.0, 2.0]) == math.inf == worst_difference([math.nan], [1.0])


def test_ratios_are_taken_round_by_round() -> None:
    found = against([1.0, 2.0, 4.0], [2.0, 6.0, 4.0])
    assert (found.ours, found.theirs, found.speed, found.low, found.high) == (2.0, 4.0, 2.0, 1.0, 3.0)


def test_sides_run_in_turn_and_one_that_cannot_is_told_of() -> None:
    sides = [Side(), Side(winograd="off"), Side("jax")]
    times, failed = race("ResNet-18 training", sides, 1e-2, QUICK, {**SMALL, "size": 8})
    assert [len(times[side]) for side in sides[:2]] == [1, 1] and min(times[sides[0]]) > 0
    assert "jax" in failed[sides[2]]  # it is not there, or the case is not written for it


def test_what_disagrees_is_not_timed() -> None:
    with pytest.raises(AssertionError, match="chain 8x8: .* disagrees with PyTorch by"):
        race("chain 8x8", [Side(), Side(threads=1)], -1.0, QUICK, {"times": 2})


def test_a_case_that_fails_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="ValueError|TypeError"):
        race("chain 8x8", [Side()], 1e-3, QUICK, {"sides": 2})


def test_a_side_held_to_avx2(monkeypatch: pytest.MonkeyPatch) -> None:
    env = Side(isa="avx2").environment()
    assert (env["DOVETAIL_CPU_ISA"], env["ATEN_CPU_CAPABILITY"], env["ONEDNN_MAX_CPU_ISA"]) == ("avx2", "avx2", "AVX2")
    assert "ONEDNN_MAX_CPU_ISA" not in Side(isa="aten").environment()


def test_a_side_has_its_threads_and_switches(monkeypatch: pytest.MonkeyPatch) -> None:
    import dovetail as dv

    monkeypatch.setattr(dv.backends.cpu, "winograd", "auto")
    before = dv.get_num_threads()
    try:
        dv = framework(Side(winograd="off", threads=1))
        assert (dv.get_num_threads(), dv.backends.cpu.winograd) == (1, "off")
    finally:
        dv.set_num_threads(before)


def test_columns_name_cases() -> None:
    for column in COLUMNS.values():
        assert set(column.cases) | set(column.bars) <= set(CASES)


def test_the_mean_is_geometric_and_leaves_dropout_out() -> None:
    rows: list[dict[str, Any]] = [
        {"case": c, "column": "eager", "speed": s} for c, s in (("VAE", 1.0), ("LSTM", 4.0), ("MNIST CNN, dropout", 9.0))
    ]
    assert means(rows) == [{"column": "eager", "speed": 2.0, "cases": 2, "bar": 1.5, "met": True}]


def test_sections_are_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(record, "PATH", tmp_path / "new" / "bench.json")
    record.record("memory", [1])
    record.record("overhead", [2], rounds=3)
    found = record.figures()
    assert found["memory"]["found"] == [1] and found["overhead"]["rounds"] == 3 and found["overhead"]["machine"]
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["bench.json"]
    json.loads((tmp_path / "new" / "bench.json").read_text())


FIRST = {"first_step": {"found": {"ours": 0.5, "theirs": 2.0, "speed": 4.0, "bar": 3.0}}}


def test_a_table_is_replaced_and_the_rest_stays() -> None:
    end = "<!-- end of figures -->\n"
    text = f"before\n<!-- figures: first_step -->\nold\n{end}after\n<!-- figures: memory -->\nkept\n{end}"
    new = page.written(text, FIRST)
    assert "| import, build, one step | 0.50 s | 2.00 s | 4.0 | 3.0 |" in new and "old" not in new and "\nkept\n" in new
    assert new.startswith("before\n") and "\nafter\n" in new and page.written(new, FIRST) == new


def test_the_footprint_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text("import time\nstart = time.process_time()\nwhile time.process_time() - start < 0.2:\n    pass\n")
    (tmp_path / "large.py").write_text("kept = bytearray(b'1') * 100_000_000\n")
    seconds, memory = footprint._imported("slow", tmp_path)
    assert 0.2 <= seconds < 5 and memory < 100_000_000 < footprint._imported("large", tmp_path)[1]
    with pytest.raises(RuntimeError, match="import absent ended with status 1"):
        footprint._imported("absent", tmp_path)
    row = {"Dovetail": {"bytes": 70e6, "import": 0.25, "memory": 40e6}}
    text = page.written("<!-- figures: footprint -->\n<!-- end of figures -->\n", {"footprint": {"machine": "one", "found": row}})
    assert "| Dovetail | 70 | 0.25 | 40 |" in text


@pytest.mark.parametrize("path", page.PAGES, ids=lambda path: path.name)
def test_pages_name_tables_that_there_are(path: Path) -> None:
    names = [line.split()[2] for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("<!-- figures:")]
    assert names and set(names) <= set(page.TABLES)


def test_single_ops_run_and_are_compared() -> None:
    for name, (sizes, function) in ops.CASES.items():
        leaves = [dv.randn(*size, requires_grad=True) for size in sizes]
        function(dv, *leaves).sum().backward()
        assert all(leaf.grad is not None for leaf in leaves), name
    assert ops._agree([[1.0, 2.0]], [[1.00001, 2.0]]) and not ops._agree([[1.0, 2.0]], [[1.1, 2.0]])
