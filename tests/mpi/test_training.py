"""Training on several ranks is training in one process on the same global batches."""

from __future__ import annotations

import pytest

from tests.mpi.launching import launch, needs_mpi, reports
from tests.support.figures import note

BAR = 1e-12


def check(text: str, ranks: int) -> None:
    """What the program training.py has said on so many ranks."""
    found = reports(text, "dropout")
    assert len(found) == ranks, text
    for report in found:
        for case in ("norm, accumulation, clipping", "dropout"):
            assert report[case] < BAR, report
            note("M1", f"DDP on {ranks} ranks after 20 steps: {case}", report[case], f"{BAR} relative")
        assert report["joined"] < BAR, report
        assert report["zero"] and report["state of zero"] and report["buckets"] >= 3, report
        travelling, first_is_missing = report["travelling before the first layer's exist"]
        assert travelling and first_is_missing and report["begun"] < report["at"], report
        assert report["unused now"] == report["unused now expected"], report
        assert report["buffers"][0] == report["buffers"][1], report
        assert report["unused"] == report["unused expected"] and report["given"] and report["resumed"] and report["every sample"], report
        assert "no gradient for odd.weight, odd.bias, never.weight, never.bias; " in report["named"], report
    shares = [report["share"] for report in found]
    assert sum(shares) == 2 * (6 * 16 + 16 + 16 * 16 + 16 + 16) and max(shares) < sum(shares), shares


@needs_mpi
@pytest.mark.soak  # on three ranks: test_together.py
@pytest.mark.parametrize("ranks", [2, 4])
def test_many_ranks_are_one_process(ranks: int) -> None:
    done = launch("training.py", ranks)
    check(done.text, ranks)
    assert done.code == 0, done.text
