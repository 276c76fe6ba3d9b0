"""Training on several ranks is training in one process on the same global batches."""

from __future__ import annotations

import pytest

from tests.mpi.launching import launch, needs_mpi
from tests.support.figures import note

BAR = 1e-12


@needs_mpi
@pytest.mark.parametrize("ranks", [2, pytest.param(4, marks=pytest.mark.soak)])
def test_many_ranks_are_one_process(ranks: int) -> None:
    done = launch("training.py", ranks)
    assert done.code == 0 and len(done.reports()) == ranks, done.text
    for report in done.reports():
        for case in ("norm, accumulation, clipping", "dropout"):
            assert report[case] < BAR, report
            note("M1", f"DDP on {ranks} ranks after 20 steps: {case}", report[case], f"{BAR} relative")
        assert report["zero"] and report["state of zero"] and report["buckets"] >= 3, report
        assert report["unused now"] == report["unused now expected"], report
        assert report["unused"] == report["unused expected"] and report["given"] and report["resumed"] and report["every sample"], report
        assert "no gradient for odd.weight, odd.bias, never.weight, never.bias; " in report["named"], report
    shares = [report["share"] for report in done.reports()]
    assert sum(shares) == 2 * (6 * 16 + 16 + 16 * 16 + 16 + 16) and max(shares) < sum(shares), shares
