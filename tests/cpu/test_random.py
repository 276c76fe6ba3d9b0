"""Random numbers that kernels make of the core's draws: the bits of the core's own Python."""

from __future__ import annotations

import numpy as np
import pytest

from dovetail.generator import Generator
from dovetail.graph import raw
from dovetail.random_streams import normal as draw
from dovetail.random_streams import randperm, uniform
from dovetail_cpu import _native, twin


def rows(seed: int, count: int) -> np.ndarray:
    return uniform(Generator().manual_seed(seed), (count, 16))


@pytest.mark.parametrize("mean,std", [(0.0, 1.0), (0.3, 1.7), (-2.0, 0.0)])
def test_box_muller(mean: float, std: float, monkeypatch: pytest.MonkeyPatch) -> None:
    from dovetail.random_streams.normal import box_muller

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


@pytest.mark.parametrize("n", [2, 3, 1000, 5000])
def test_permutations_and_fractions(n: int) -> None:
    words = np.random.default_rng(n).integers(0, 2**32, n - 1, np.uint32)
    assert twin.exchanged(n, words).tobytes() == raw.exchanged(n, words).tobytes()
    assert twin.fractions(words).tobytes() == raw.fractions(words).tobytes()
    assert sorted(randperm(Generator().manual_seed(n), n).tolist()) == list(range(n))


def test_draws_go_through_them() -> None:
    import dovetail as dv

    dv.ones(1).relu()
    assert draw.__globals__["transformed"] is _native.box_muller
    assert dv.randn(64, generator=dv.Generator().manual_seed(0))[0].item() == pytest.approx(-1.1258398294448853, abs=0)


def test_many_blocks_are_the_twisters_own() -> None:
    """The words of a hundred blocks, and the state that is left, are NumPy's."""
    from numpy.random import MT19937, RandomState

    engine, other = MT19937(0), MT19937(0)
    draws = RandomState(engine)
    draws.seed(7)
    other._legacy_seeding(7)
    assert twin.blocks(engine, draws.randint, 1).tobytes() == other.random_raw(624).astype(np.uint32).tobytes()
    for count in (1, 31, 32, 100):
        found = twin.blocks(engine, draws.randint, count)
        assert found.dtype == np.uint32 and np.array_equal(found, other.random_raw(624 * count))
        assert np.array_equal(engine.state["state"]["key"], other.state["state"]["key"]) and engine.state["state"]["pos"] == 624


def test_a_generator_goes_on_from_many_blocks() -> None:
    at_once, in_turn = Generator().manual_seed(3), Generator().manual_seed(3)
    for count in (5, 100_000, 624, 1, 33 * 624):
        parts = np.concatenate([in_turn._words(min(50, count - done)) for done in range(0, count, 50)])
        assert np.array_equal(at_once._words(count), parts)
        assert np.array_equal(at_once._get_state_array(), in_turn._get_state_array())


def test_pairs_of_words_as_numbers() -> None:
    words = Generator().manual_seed(5)._words(200_002)
    words = np.concatenate([words, np.full(2, 2**32 - 1, np.uint32), np.zeros(2, np.uint32)])
    assert _native.fractions53(words).tobytes() == raw.fractions53(words).tobytes()
    assert _native.fractions53(words[:3]) is None and _native.fractions53(words.astype("i8")) is None
    with pytest.raises(ValueError, match="the key must be 624 words"):
        _native.twisted(words, 3)


@pytest.mark.parametrize("kind", ["f4", "f8"])
@pytest.mark.parametrize("shape", [(), (3,), (0, 4), (70, 1001)])
def test_what_a_mask_keeps(shape: tuple[int, ...], kind: str) -> None:
    draw = np.random.default_rng(0)
    x, mask = np.asarray(draw.standard_normal(shape)).astype(kind), np.asarray(draw.random(shape) < 0.5)
    x[x > 2], x[x < -2] = np.inf, np.nan
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(_native.kept(x, mask, 1.25), raw.kept(x, mask, 1.25))
    assert _native.kept(x.astype("f2"), mask, 1.0) is None and _native.kept(x, mask.astype("f4"), 1.0) is None
    assert _native.kept(np.ones((3, 4))[:, ::2], np.ones((3, 2), bool), 1.0) is None
