"""Collectives of several ranks give what NumPy gives of all ranks' values."""

from __future__ import annotations

import pytest

from tests.mpi.launching import launch, needs_mpi


@needs_mpi
@pytest.mark.parametrize("ranks", [3, *(pytest.param(n, marks=pytest.mark.soak) for n in (2, 4))])
def test_collectives(ranks: int) -> None:
    done = launch("collectives.py", ranks)
    assert done.code == 0, done.text
    for report in done.reports():
        assert not report["wrong"] and report["tried"] > 160, report
    assert len(done.reports()) == ranks
