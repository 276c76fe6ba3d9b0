"""Training on several ranks is training in one process on the same global batches."""

from __future__ import annotations

import numpy as np
import pytest
from ml_dtypes import bfloat16

from dovetail_mpi import shared
from tests.mpi.launching import launch, needs_mpi, reports
from tests.support.figures import note

BAR = 1e-12


def check(text: str, ranks: int, kind: str = "SharedBucket") -> None:
    """What the program training.py has said on so many ranks."""
    found = reports(text, "dropout")
    assert {report["kind"] for report in found} == {kind}, text
    assert len(found) == ranks, text
    for report in found:
        for case in ("norm, accumulation, clipping", "dropout"):
            assert report[case] < BAR, report
            note("M1", f"DDP on {ranks} ranks after 20 steps: {case}", report[case], f"{BAR} relative")
        assert report["joined"] < BAR, report
        assert report["zero"] and report["state of zero"] and report["buckets"] >= 3, report
        travelling, first_is_missing = report["travelling before the first layer's exist"]
        assert travelling and first_is_missing and report["begun"] < report["at"], report
        assert report["copied"], report
        assert report["without room"] == ["Bucket", True], report
        assert kind == "Bucket" or (report["kept"] and report["used again"] and report["given back"]), report
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


@needs_mpi
def test_gradients_travel_in_messages_where_memory_is_not_shared() -> None:
    done = launch("training.py", 2, DOVETAIL_MPI_SHARED="0")
    check(done.text, 2, "Bucket")
    assert done.code == 0, done.text


@pytest.mark.parametrize("members", [2, 3, 5])
@pytest.mark.parametrize("kind", [np.float64, np.float32, np.float16, bfloat16])
def test_every_member_adds_a_part(members: int, kind: type) -> None:
    """Each row ends as one sum, in the order of the members; half precision is rounded once."""
    draws = np.random.default_rng(0)
    rows = [draws.normal(size=40001).astype(kind) for _ in range(members)]
    total = sum((row.astype(np.float64 if kind is np.float64 else np.float32) for row in rows[1:]), rows[0] + np.zeros(1, np.float32))
    for member in reversed(range(members)):
        shared.add(rows, member)
    assert all(row.tobytes() == total.astype(kind).tobytes() for row in rows)


@pytest.mark.parametrize("kind", [np.float32, np.float16])
@pytest.mark.filterwarnings("error")
def test_sums_that_overflow_say_nothing(kind: type) -> None:
    """A gradient scaler looks for them; MPI's own sum gives no warning either."""
    most = np.finfo(kind).max
    rows = [np.array([np.inf, most, 1], kind), np.array([-np.inf, most, 2], kind)]
    for member in range(2):
        shared.add(rows, member)
    assert all(np.isnan(row[0]) and row[1:].tolist() == [np.inf, 3] for row in rows)
