"""The agent of examples/dqn_breakout.py: what is stored is of the program as it stands, it plays, and the game keeps its rules."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import sys
from typing import Any

import numpy as np
import pytest

import dovetail as dv
from tests.contracts.sources import ROOT

PROGRAMS = [ROOT / "examples" / name for name in ("dqn_breakout.py", "breakout.py")]
KEPT = ROOT / "docs" / "_static" / "breakout"


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Any:
    pytest.importorskip("gymnasium", reason="gymnasium is not installed (dependency group docs)")
    monkeypatch.syspath_prepend(str(PROGRAMS[0].parent))
    spec = importlib.util.spec_from_file_location("dqn_breakout", PROGRAMS[0])
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.modules.pop("breakout", None)


def test_the_record_is_that_of_the_program() -> None:
    record = json.loads((KEPT / "record.json").read_text(encoding="utf-8"))
    assert record["program"] == [hashlib.sha256(path.read_bytes()).hexdigest() for path in PROGRAMS], (
        "run it again: docs/_static/breakout is of an older program"
    )
    assert record["mean"] > 20 * record["random"] > 0
    assert (KEPT / "agent.gif").stat().st_size < 500_000


def test_the_stored_agent_plays(program: Any) -> None:
    record = json.loads((KEPT / "record.json").read_text(encoding="utf-8"))
    agent = program.QNetwork()
    agent.load_state_dict({name: w.float() for name, w in dv.load(KEPT / "agent.safetensors").items()})
    points = program.returns(agent, range(100))
    assert np.mean(points) == pytest.approx(record["mean"], rel=0.2)  # a near tie may fall otherwise with other kernels
    assert np.mean(program.returns(None, range(100))) == record["random"]


def test_two_runs_of_one_seed_agree(program: Any) -> None:
    first, second = (program.train(seed=3, steps=6400, say=lambda _: None) for _ in range(2))
    assert first[1] == second[1] and len(first[1]) > 100
    for a, b in zip(first[0].parameters(), second[0].parameters()):
        assert dv.equal(a, b)


def test_rewards_are_summed_over_n_steps(program: Any) -> None:
    memory = program.Memory(100)
    screens = [np.full((4, 10, 10), i, np.uint8) for i in range(9)]
    for i in range(8):
        memory.add(0, screens[i], i % 3, 1.0, screens[i + 1], ended=i == 7, cut=False)
    n, gamma = program.N, program.GAMMA
    assert memory.count == 8
    assert memory.rewards[:3].tolist() == pytest.approx([sum(gamma**i for i in range(n))] * 3, rel=1e-6)
    assert memory.weights[: 8 - n].tolist() == pytest.approx([gamma**n] * (8 - n), rel=1e-6)
    assert memory.later[: 8 - n, 0, 0, 0].tolist() == list(range(n, 8))
    assert memory.weights[8 - n : 8].tolist() == [0.0] * n and memory.rewards[7].item() == 1.0


def test_the_rules_of_the_game(program: Any) -> None:
    game = program.Breakout()
    for seed in range(30):
        state, _ = game.reset(seed=seed)
        over, broken, before = False, 0, 30
        while not over:
            assert state.shape == (4, 10, 10) and state[1].sum() == state[2].sum() == 1 and state[0, 9].sum() == 2
            state, reward, ended, cut, _ = game.step(int(game.np_random.integers(3)))
            now = int(state[3].sum())
            assert reward == before - now or now == 30, "a point for each brick"
            before, broken, over = now, broken + int(reward), ended or cut
        assert ended and state[1, 9].any() and not (state[0] & state[1]).any(), "it ends where the ball gets past the paddle"


def test_a_film_and_a_curve_are_drawn(program: Any, tmp_path: Any) -> None:
    image = pytest.importorskip("PIL.Image")
    pytest.importorskip("matplotlib")
    program.film([("At random", *program.play(None, 7))], tmp_path / "a.gif")
    with image.open(tmp_path / "a.gif") as film:
        assert film.size == (200, 228) and film.n_frames > 3
    program.draw_curve([(10, 1), (30, 2)], [(20, 1.5)], tmp_path / "c.png")
    assert (tmp_path / "c.png").stat().st_size > 5000
