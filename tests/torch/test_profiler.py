"""`dovetail.profiler`: what is recorded, its table, traces and schedules."""

from __future__ import annotations

import gzip
import json
import threading

import pytest

import dovetail as dv
from dovetail.autograd.engine import late
from dovetail.autograd.modes import STATE
from dovetail.profiler import ProfilerAction, ProfilerActivity, profile, record_function, schedule, tensorboard_trace_handler


def _counts(p) -> dict[str, int]:
    return {row.key: row.count for row in p.key_averages()}


def test_calls_are_counted_forward_and_backward() -> None:
    x, layer = dv.ones(4, 3, requires_grad=True), dv.nn.Linear(3, 2)
    with profile() as p:
        y = layer(x)
        (y * y + y).sum().backward()
    counts = _counts(p)
    assert counts["aten::linear"] == counts["aten::addmm"] == 1
    assert counts["MulBackward0"] == counts["AddmmBackward0"] == counts["autograd::engine::evaluate_function: SumBackward0"] == 1
    assert counts["aten::mm"] == 2
    forward = [e for e in p.events() if e.cpu_parent is None and not e.name.startswith("autograd::")]
    assert [e.name for e in forward] == ["aten::linear", "aten::mul", "aten::add", "aten::sum"]
    (node,) = (e for e in p.events() if e.name == "AddmmBackward0")
    assert "aten::mm" in {c.name for child in node.cpu_children for c in (child, *child.cpu_children)}
    assert node.cpu_parent.name == "autograd::engine::evaluate_function: AddmmBackward0"


def test_times_add_up() -> None:
    with profile() as p, record_function("all"):
        for _ in range(20):
            dv.ones(50, 50) @ dv.ones(50, 50)
    (whole,) = (row for row in p.key_averages() if row.key == "all")
    assert whole.count == 1 and whole.cpu_time_total >= max(row.cpu_time_total for row in p.key_averages())
    assert p.key_averages().self_cpu_time_total == pytest.approx(whole.cpu_time_total)
    total = p.key_averages().total_average()
    assert total.key == "Total" and total.count == len(p.events())
    starts = [e.time_range.start for e in p.events()]
    assert starts == sorted(starts)
    assert all(e.self_cpu_time_total >= 0 and e.time_range.end >= e.time_range.start for e in p.events())


def test_shapes_memory_flops_and_stacks() -> None:
    with profile(record_shapes=True, profile_memory=True, with_flops=True, with_stack=True) as p:
        a = dv.ones(2, 3) @ dv.ones(3, 4)
        a.t().reshape(-1)
    row = next(r for r in p.key_averages(group_by_input_shape=True) if r.key == "aten::mm")
    assert (row.input_shapes, row.self_cpu_memory_usage, row.flops) == ([[2, 3], [3, 4]], 32, 48)
    outer = next(e for e in p.events() if e.key == "aten::matmul")
    assert (outer.self_cpu_memory_usage, outer.cpu_memory_usage) == (0, 32)
    assert "test_shapes_memory_flops_and_stacks" in outer.stack[0]
    heads = p.key_averages(group_by_stack_n=2).table().splitlines()[1].split("  ")
    assert {h.strip() for h in heads} >= {"CPU Mem", "Self CPU Mem", "Source Location", "Total FLOPs"}


def test_nothing_stays_switched_on() -> None:
    word, inspect = STATE.word, late.inspect
    with pytest.raises(ZeroDivisionError), profile() as p, record_function("a"):
        1 / 0
    assert (STATE.word, late.inspect, STATE.observers) == (word, inspect, ())
    before = len(p.events())
    dv.ones(2) + 1
    assert len(p.events()) == before == 1


def test_another_threads_ops_are_not_seen() -> None:
    with profile() as p:
        thread = threading.Thread(target=lambda: dv.ones(2, requires_grad=True).exp().sum().backward())
        thread.start()
        thread.join()
    assert p.events() == []
    assert p.key_averages().table() == ""


def test_steps_are_recorded_cycle_by_cycle() -> None:
    seen = []
    plan = schedule(wait=1, warmup=1, active=2, repeat=2)
    with profile(schedule=plan, on_trace_ready=lambda p: seen.append((p.step_num, _counts(p)))) as p:
        for _ in range(10):
            dv.ones(2) * 2
            p.step()
    assert [at for at, _ in seen] == [4, 8]
    assert seen[0][1] == {"ProfilerStep*": 2, "aten::mul": 2}
    assert [e.trace_name for e in p.events() if e.name == "ProfilerStep*"] == ["ProfilerStep#6", "ProfilerStep#7"]
    assert p.current_action is ProfilerAction.NONE


def test_a_trace_is_what_perfetto_reads(tmp_path) -> None:
    with profile(record_shapes=True) as p, record_function("mine"):
        dv.ones(2, 3) + 1
    p.add_metadata("note", "here")
    p.export_chrome_trace(str(tmp_path / "t.json"))
    p.export_chrome_trace(str(tmp_path / "t.json.gz"))
    trace = json.loads((tmp_path / "t.json").read_text())
    assert json.loads(gzip.decompress((tmp_path / "t.json.gz").read_bytes()))["traceEvents"] == trace["traceEvents"]
    assert (trace["schemaVersion"], trace["note"]) == (1, "here")
    for row in trace["traceEvents"]:
        assert row["ph"] in "MX" and isinstance(row["pid"], int) and isinstance(row["tid"], int) and isinstance(row["ts"], int | float)
        assert row["ph"] == "M" or row["dur"] >= 0
    mine, add = (row for row in trace["traceEvents"] if row["ph"] == "X")
    assert (mine["cat"], add["cat"], add["name"], add["args"]["Input Dims"][0]) == ("user_annotation", "cpu_op", "aten::add", [2, 3])
    assert mine["ts"] <= add["ts"] and add["ts"] + add["dur"] <= mine["ts"] + mine["dur"]


def test_traces_for_tensorboard_and_stacks_for_flame_graphs(tmp_path) -> None:
    with profile(on_trace_ready=tensorboard_trace_handler(str(tmp_path / "log"), "w"), with_stack=True) as p:
        dv.ones(200, 200) @ dv.ones(200, 200)
    (file,) = (tmp_path / "log").iterdir()
    assert file.name.startswith("w.") and file.name.endswith(".pt.trace.json")
    p.export_stacks(str(tmp_path / "stacks"), "self_cpu_time_total")
    assert "test_traces_for_tensorboard" in (tmp_path / "stacks").read_text()
    with pytest.raises(ValueError, match="metric should be one of"):
        p.export_stacks(str(tmp_path / "stacks"), "time")


def test_what_is_refused() -> None:
    from dovetail.autograd import profiler

    with pytest.raises(RuntimeError, match="ranges for NVIDIA's tools are not emitted"):
        profiler.emit_nvtx()
    with pytest.raises(RuntimeError, match="ranges for Intel's tools"):
        profiler.emit_itt()
    with pytest.raises(RuntimeError, match="timelines of memory"):
        profile().export_memory_timeline("x")
    with pytest.raises(AssertionError, match="No activities specified"), pytest.warns(UserWarning, match="CUDA is not available"):
        profile(activities=[ProfilerActivity.CUDA]).start()
    with pytest.raises(RuntimeError, match="didn't finish"):
        profiler.profile().table()
    with pytest.raises(AssertionError, match="must be initialized before accessing events"):
        profile(schedule=schedule(wait=5, warmup=1, active=1)).events()


def test_the_older_face() -> None:
    with dv.autograd.profiler.profile(record_shapes=True) as p:
        dv.ones(2) + 1
    assert p.key_averages()[0].key == "aten::add" and "aten::add" in p.table() and p.total_average().count == 1
    with dv.autograd.profiler.profile(enabled=False) as p:
        dv.ones(2) + 1
    assert p.function_events is None
