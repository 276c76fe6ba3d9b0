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
