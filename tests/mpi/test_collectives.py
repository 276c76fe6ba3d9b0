"""Collectives of several ranks give what NumPy gives of all ranks' values."""

from __future__ import annotations

import pytest

from tests.mpi.launching import launch, needs_mpi, reports


def check(text: str, ranks: int) -> None:
    """What the program collectives.py has said on so many ranks."""
    found = reports(text, "tried")
    assert len(found) == ranks, text
    for report in found:
        assert not report["wrong"] and report["tried"] > 160, report


@needs_mpi
@pytest.mark.soak  # on three ranks: test_together.py
@pytest.mark.parametrize("ranks", [2, 4])
def test_collectives(ranks: int) -> None:
    done = launch("collectives.py", ranks)
    check(done.text, ranks)
    assert done.code == 0, done.text


@needs_mpi
@pytest.mark.parametrize("ranks", [1, 2])
def test_gradients_pass_through(ranks: int) -> None:
    done = launch("gradients.py", ranks)
    assert done.code == 0, done.text
    assert reports(done.text, "tried") == [{"rank": rank, "tried": 6, "wrong": []} for rank in range(ranks)]
