"""The agent of examples/dqn_cartpole.py: the stored picture is that of the program as it stands, and the program learns."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from typing import Any

import pytest

import dovetail as dv
from tests.contracts.sources import ROOT

PROGRAM = ROOT / "examples" / "dqn_cartpole.py"
KEPT = ROOT / "docs" / "_static" / "cartpole"


@pytest.fixture(scope="module")
def program() -> Any:
    pytest.importorskip("gymnasium", reason="gymnasium is not installed (dependency group docs)")
    spec = importlib.util.spec_from_file_location("dqn_cartpole", PROGRAM)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_record_is_that_of_the_program() -> None:
    record = json.loads((KEPT / "record.json").read_text(encoding="utf-8"))
    assert record["program"] == hashlib.sha256(PROGRAM.read_bytes()).hexdigest(), (
        "run it again: docs/_static/cartpole is of an older program"
    )
    assert len(record["returns"]) == 20 and record["mean"] == sum(record["returns"]) / 20 >= 475
    assert (KEPT / "agent.gif").stat().st_size < 600_000


def test_two_runs_of_one_seed_agree(program: Any) -> None:
    first, second = (program.train(seed=3, steps=1200, say=lambda _: None) for _ in range(2))
    assert first[1:] == second[1:] and len(first[1]) > 10
    for a, b in zip(first[0].parameters(), second[0].parameters()):
        assert dv.equal(a, b)


def test_rewards_are_summed_over_n_steps(program: Any) -> None:
    memory = program.Memory(100)
    states = [dv.full((4,), float(i)).numpy() for i in range(14)]
    for i in range(13):
        memory.add(states[i], i % 2, 1.0, states[i + 1], ended=i == 12, cut=False)
    assert memory.count == 13
    n, gamma = program.N, program.GAMMA
    whole = sum(gamma**i for i in range(n))
    assert memory.rewards[:3].tolist() == pytest.approx([whole] * 3, rel=1e-6)
    assert memory.weights[:3].tolist() == pytest.approx([gamma**n] * 3, rel=1e-6)
    assert memory.later[:3, 0].tolist() == [n, n + 1, n + 2]
    assert memory.weights[4:13].tolist() == [0.0] * 9 and memory.rewards[12].item() == 1.0


def test_a_film_and_a_curve_are_drawn(program: Any, tmp_path: Any) -> None:
    image = pytest.importorskip("PIL.Image")
    pytest.importorskip("matplotlib")
    program.film([("falls", [[0, 0, 0.02 * i, 0] for i in range(9)])], tmp_path / "a.gif")
    with image.open(tmp_path / "a.gif") as film:
        assert film.n_frames == 3 and film.size == (480, 200)
    program.draw_curve([(10, 10), (30, 20)], [(20, 15.0)], tmp_path / "c.png")
    assert (tmp_path / "c.png").stat().st_size > 5000
