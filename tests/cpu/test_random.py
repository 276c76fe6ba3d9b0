"""Random numbers that kernels make of the core's draws: the bits of the core's own Python."""

from __future__ import annotations

import numpy as np
import pytest

from dovetail.generator import Generator
from dovetail.graph import raw
from dovetail_cpu import _native, twin
from dovetail_numerics.streams import normal as draw
from dovetail_numerics.streams import randperm, uniform


def rows(seed: int, count: int) -> np.ndarray:
    return uniform(Generator().manual_seed(seed), (count, 16))


@pytest.mark.parametrize("mean,std", [(0.0, 1.0), (0.3, 1.7), (-2.0, 0.0)])
def test_box_muller(mean: float, std: float, monkeypatch: pytest.MonkeyPatch) -> None:
    from dovetail_numerics.streams.normal import box_muller

    found, want = rows(1, 5000), rows(1, 5000)
    found[0, 0] = want[0, 0] = 0.0  # log 1
    assert _native.box_muller(found, mean, std)
    monkeypatch.setitem(box_muller.__globals__, "transformed", lambda *_: False)
    box_muller(want, mean, std)
    assert found.tobytes() == want.tobytes()


def test_what_it_declines() -> None:
    assert not _native.box_muller(rows(0, 4).astype("f8"), 0, 1)
    assert not _native.box_muller(rows(0, 4)[::2], 0, 1)
    assert not _native.box_muller([0.5] * 16, 0, 1)
    assert _native.exchanged(3, np.zeros(2, np.int64)) is None
    assert _native.exchanged(3, np.zeros(5, np.uint32)) is None
    assert _native.fractions(np.zeros(4, np.uint32)[::2]) is None
    assert _native.below(np.zeros(3, np.uint32), 0.5) is None
    assert _native.below(np.zeros(4, np.uint32), np.nan) is None
    assert _native.doubles(np.zeros(4, np.int64)) is None
    ones = np.ones((4, 4), np.float32)
    for mask in (ones, np.ones(4, bool), np.ones((2, 4), bool), np.ones((4, 8), bool)[:, ::2], [True]):
        assert _native.scaled(ones, mask, 2.0) is None
    assert _native.scaled(ones.T.astype("f2"), np.ones((4, 4), bool), 2.0) is None


@pytest.mark.parametrize("n", [2, 3, 1000, 5000])
def test_permutations_and_fractions(n: int) -> None:
    words = np.random.default_rng(n).integers(0, 2**32, n - 1, np.uint32)
    assert _native.exchanged(n, words).tobytes() == raw.exchanged(n, words).tobytes()
    assert _native.fractions(words).tobytes() == raw.fractions(words).tobytes()
    assert sorted(randperm(Generator().manual_seed(n), n).tolist()) == list(range(n))


def test_draws_go_through_them() -> None:
    import dovetail as dv

    dv.ones(1).relu()
    assert draw.__globals__["transformed"] is _native.box_muller
    assert Generator._words.__globals__["blocks"] is twin.blocks
    assert dv.randn(64, generator=dv.Generator().manual_seed(0))[0].item() == pytest.approx(-1.1258398294448853, abs=0)


@pytest.mark.parametrize("count", [1, 3, 17, 4099, 100_001])
def test_pairs_of_draws(count: int) -> None:
    words = np.random.default_rng(count).integers(0, 2**32, 2 * count, np.uint32)
    words[: 2 * min(count, 2)] = [0, 0, 2**32 - 1, 2**32 - 1][: 2 * min(count, 2)]
    assert _native.doubles(words).tobytes() == raw.doubles(words).tobytes()
    values = raw.doubles(words)
    for p in (0.0, 0.1, 1 / 3, 0.5, float(values[-1]), float(np.nextafter(values[-1], 2)), 1 - 2.0**-53, 1.0, 5e-324):
        found = _native.below(words, p)
        assert found.dtype == np.bool_
        assert found.tobytes() == (values < p).tobytes(), p


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(0,), (), (7,), (33, 65), (70_001,)])
def test_what_dropout_keeps(shape: tuple[int, ...], dtype: type) -> None:
    draws = np.random.default_rng(0)
    x, mask = np.asarray(draws.normal(size=shape), dtype), np.asarray(draws.random(shape) < 0.5)
    if x.size > 4:
        x.flat[:4] = [np.inf, -np.inf, np.nan, -0.0]
    with np.errstate(invalid="ignore"):
        assert _native.scaled(x, mask, 1 / 0.7).tobytes() == np.asarray(raw.scaled(x, mask, 1 / 0.7)).tobytes()


def test_blocks_are_those_of_numpy_and_its_state_moves_on() -> None:
    from numpy.random import MT19937, RandomState

    twin._lies_as_known.cache_clear()
    assert twin._lies_as_known()
    engine, other = MT19937(0), MT19937(0)
    draw, seed = RandomState(engine), RandomState(other)
    draw.seed(7), seed.seed(7)
    for count in (1, 2, 50):
        assert twin.blocks(engine, draw.randint, count).tolist() == other.random_raw(count * 624).tolist()
        assert engine.state["state"]["key"].tolist() == other.state["state"]["key"].tolist()
    engine.random_raw(5)  # a block is begun: NumPy serves
    other.random_raw(5)
    assert twin.blocks(engine, draw.randint, 2).tolist() == other.random_raw(2 * 624).tolist()


def test_another_layout_of_numpys_state_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    from numpy.random import MT19937, RandomState

    monkeypatch.setattr(_native, "twister", lambda address: (np.zeros(624, np.uint32), 3))
    twin._lies_as_known.cache_clear()
    assert not twin._lies_as_known()
    engine = MT19937(0)
    draw = RandomState(engine)
    draw.seed(1)
    assert twin.blocks(engine, draw.randint, 1)[0] == RandomState(1).randint(0, 2**32, dtype=np.uint32)
    monkeypatch.undo()
    twin._lies_as_known.cache_clear()


def test_state_saved_amid_a_block_continues() -> None:
    mine = Generator().manual_seed(3)
    mine._words(1000)
    again = mine.clone_state()
    assert again._words(5000).tolist() == mine._words(5000).tolist()
    assert again._get_state_array().tobytes() == mine._get_state_array().tobytes()
