"""`profiler` against PyTorch's: schedules at every step, the table's heads, counts of calls."""

from __future__ import annotations

import itertools
import warnings

import pytest

import dovetail as dv

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity


@pytest.mark.parametrize("skip_first, skip_first_wait", [(0, 0), (2, 0), (2, 1)])
def test_schedules_agree_at_every_step(skip_first, skip_first_wait) -> None:
    for wait, warmup, active, repeat in itertools.product((0, 1, 3), (0, 1, 2), (0, 1, 3), (0, 1, 2)):
        words = dict(wait=wait, warmup=warmup, active=active, repeat=repeat, skip_first=skip_first, skip_first_wait=skip_first_wait)
        answers = []
        for T in (torch, dv):
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always")
                try:
                    plan = T.profiler.schedule(**words)
                    found = [plan(step).name for step in range(24)]
                except AssertionError as error:
                    found = str(error)
            answers.append((found, [str(w.message) for w in said]))
        assert answers[0] == answers[1], words


def _run(T, **options):
    x, w = T.ones(4, 3, requires_grad=True), T.ones(2, 3, requires_grad=True)
    with T.profiler.profile(**options) as p:
        with T.profiler.record_function("mine"):
            y = T.nn.functional.linear(x, w, T.zeros(2, requires_grad=True))
            z = (y * y + y).sum()
        z.backward()
    return p


def test_calls_are_counted_alike() -> None:
    names = "mine aten::linear aten::addmm MulBackward0 AddmmBackward0 AddBackward0 SumBackward0 aten::mm".split()
    names += ["autograd::engine::evaluate_function: MulBackward0"]
    theirs, ours = ({row.key: row.count for row in _run(T).key_averages()} for T in (torch, dv))
    assert {n: ours.get(n) for n in names} == {n: theirs.get(n) for n in names}


@pytest.mark.parametrize(
    "options", [{}, {"profile_memory": True}, {"record_shapes": True}, {"record_shapes": True, "profile_memory": True}]
)
@pytest.mark.parametrize("by_shape", [False, True])
def test_tables_have_the_same_heads(options, by_shape) -> None:
    heads = []
    for T in (torch, dv):
        lines = _run(T, **options).key_averages(group_by_input_shape=by_shape).table(sort_by="cpu_time_total", row_limit=5).splitlines()
        assert lines[0] == lines[2] == lines[-2] and len(lines) == 10 and lines[-1].startswith("Self CPU time total: ")
        heads.append(lines[1].split())
    assert heads[0] == heads[1]


def test_the_table_of_other_arguments() -> None:
    for T in (torch, dv):
        rows = _run(T).key_averages()
        text = rows.table(header="A run", top_level_events_only=True, time_unit="us", max_name_column_width=20).splitlines()
        assert text[0].startswith("====") and text[1] == "A run" and text[3] == "This report only display top-level ops statistics"
        assert all(line.count("us") >= 3 for line in text[7:-2])
        with pytest.raises(AttributeError):
            rows.table(sort_by="nothing")


def test_steps_agree() -> None:
    """What `on_trace_ready` is given, for schedules that end in every place."""
    for wait, warmup, active, steps in itertools.product((0, 1), (0, 1), (1, 2), range(6)):
        seen: list[list[object]] = [[], []]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for T, out in zip((torch, dv), seen, strict=True):
                plan = T.profiler.schedule(wait=wait, warmup=warmup, active=active)
                ready = lambda p, out=out: out.append((p.step_num, sorted(e.key for e in p.key_averages() if e.key.startswith("Prof"))))
                with T.profiler.profile(schedule=plan, on_trace_ready=ready) as p:
                    for _ in range(steps):
                        T.ones(2) * 2
                        p.step()
                out.append(p.current_action.name)
        assert seen[0] == seen[1], (wait, warmup, active, steps)
