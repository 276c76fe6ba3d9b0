"""What tests of several ranks look at, in one job on three: a start takes longer than most of them."""

from __future__ import annotations

from tests.mpi import test_collectives, test_launch, test_training
from tests.mpi.launching import PROGRAMS, needs_mpi


@needs_mpi
def test_one_job() -> None:
    programs = (str(PROGRAMS / "together.py"), "collectives.py", "training.py", "ends.py", "leaves")
    code, text, ended = test_launch.run(*programs, ranks=3, options=("--threads", "1"))
    test_collectives.check(text, 3)
    test_training.check(text, 3)
    for rank in range(3):
        assert f"[{rank}] rank {rank}: {rank} 3 {rank} 1 began\n" in text, text
    test_launch.check("leaves", code, text, ended)
